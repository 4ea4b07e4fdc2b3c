"""The example of a pull request's check does what it says, run by its own shell lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from evalsuite.builtin import model_path
from evalsuite.builtin.build_suites import SUITES

WORKFLOW = Path(__file__).parents[2] / "examples" / "github" / "evaluate.yaml"
SUITE = """\
schema_version: 1
name: kept
purpose: retention
min_items: 100
tasks:
  - {{name: capitals, kind: generation, data: {data}/capitals.jsonl, prompt: "{{{{ prompt }}}}",
     gold: "{{{{ answer }}}}", scorer: exact, max_new_tokens: 8}}
"""


def job() -> dict[str, object]:
    document = YAML(typ="safe").load(WORKFLOW)
    found: dict[str, object] = document["jobs"]["evaluate"] | {"env": document["env"]}
    return found


def step(name: str) -> str:
    (found,) = (one for one in job()["steps"] if one.get("name") == name)  # type: ignore[attr-defined]
    line: str = found["run"]
    return line


def test_the_workflow_may_write_nothing_and_reports_whatever_the_gate_says() -> None:
    document = YAML(typ="safe").load(WORKFLOW)
    assert document["permissions"] == {"contents": "read"}
    steps = job()["steps"]
    names = [one.get("name") or one["uses"] for one in steps]  # type: ignore[attr-defined]
    after = steps[names.index("Evaluate") + 1 :]  # type: ignore[index]
    assert after and all(one["if"] == "${{ !cancelled() }}" for one in after)
    assert "${{" not in "".join(one.get("run", "") for one in steps)  # type: ignore[attr-defined]


def shell(line: str, directory: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner does."""
    command = directory / "bin" / "temper"
    command.parent.mkdir(exist_ok=True)
    command.write_text(
        f'#!/bin/sh\nexec {sys.executable} -P -c "import sys; from tui.cli import main; '
        'sys.exit(main())" "$@"\n'
    )
    command.chmod(0o755)
    environment = {
        **os.environ,
        **{key: str(value) for key, value in job()["env"].items()},  # type: ignore[attr-defined]
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(directory / "summary.md"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CUDA_VISIBLE_DEVICES": "",
        **more,
    }
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=directory, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("scale", "code"), [(1.0005, 0), (0.0, 1)], ids=["honest", "forgetful"])
def test_its_lines_pass_an_honest_model_and_refuse_one_that_forgot(
    tmp_path: Path, scale: float, code: int
) -> None:
    """Both are the built-in model with the weights of its layers scaled."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "kept.yaml").write_text(SUITE.format(data=SUITES))
    (tmp_path / "temper.yaml").write_text(
        "name: ci\nmodel: {path: builtin}\nevaluate: {suites: [kept], noise_items: 8}\n"
    )
    model = AutoModelForCausalLM.from_pretrained(model_path())
    with torch.no_grad():
        for weight in model.model.layers.parameters():
            weight.mul_(scale)
    model.save_pretrained(tmp_path / "models" / "candidate")
    AutoTokenizer.from_pretrained(model_path()).save_pretrained(tmp_path / "models" / "candidate")
    done = shell(step("Evaluate"), tmp_path)
    assert done.returncode == code, done.stderr
    told = shell(step("Report"), tmp_path)
    assert told.returncode == 0, told.stderr
    summary = (tmp_path / "summary.md").read_text()
    assert ("✅ pass" if code == 0 else "❌ fail") in summary
    cases = ElementTree.parse(tmp_path / "report" / "junit.xml").getroot()
    assert cases.get("failures") == str(code)
    assert (tmp_path / "report" / "failures.json").is_file()
    assert (tmp_path / "report" / "report.html").is_file()
