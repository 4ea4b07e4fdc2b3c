"""The examples of docs/curate.md run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from evalsuite.builtin.general import general_items
from tui.command_line import app
from tui.schema import compose
from workspace.recipe import load_recipe

PAGE = Path(__file__).parents[2] / "docs" / "curate.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = Random(0)
    items = list(general_items(5, 200))
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for item in items:
            turns = [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ]
            label = rng.choice(["short", "long"])
            file.write(json.dumps({"messages": turns, "label": label}) + "\n")
    asked = "".join(item.prompt.replace("\n", " ") + "\n" for item in items[::3])
    (tmp_path / "real.txt").write_text(asked, encoding="utf-8")
    for recipe in blocks("yaml"):
        name = re.match(r"# (\S+\.yaml)\n", recipe)
        if name is not None:
            (tmp_path / name.group(1)).write_text(recipe, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", blocks("yaml"))
def test_recipe_examples_are_valid(tmp_path: Path, example: str) -> None:
    path = tmp_path / "temper.yaml"
    if example.startswith("- "):  # steps alone
        steps = "".join(f"    {line}\n" for line in example.splitlines())
        example = f"curate:\n  sources: [rows.jsonl]\n  steps:\n{steps}"
    path.write_text(example, encoding="utf-8")
    load_recipe(path, compose())


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_run(workspace: Path, example: str) -> None:
    exec(compile(example, str(PAGE), "exec"), {})


@pytest.mark.parametrize("example", blocks("sh"))
def test_shell_examples_run(workspace: Path, example: str) -> None:
    for line in example.splitlines():
        arguments = shlex.split(line)
        assert arguments[0] == "temper"
        done = CliRunner().invoke(app, arguments[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"


@pytest.mark.parametrize("example", blocks("sh")[:1])
def test_a_shell_example_runs_as_a_process(workspace: Path, example: str) -> None:
    run_as_processes(example)


@pytest.mark.slow
@pytest.mark.parametrize("example", blocks("sh")[1:])
def test_every_shell_example_runs_as_a_process(workspace: Path, example: str) -> None:
    run_as_processes(example)


def run_as_processes(example: str) -> None:
    for line in example.splitlines():
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui", *shlex.split(line)[1:]],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.slow
def test_the_replay_set_is_made(workspace: Path) -> None:
    from curate import run

    recipe = next(example for example in blocks("yaml") if "name: general" in example)
    (workspace / "general.yaml").write_text(recipe, encoding="utf-8")
    (workspace / "general").mkdir()
    lines = (workspace / "rows.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for name, part in (("a", lines[:120]), ("b", lines[120:])):
        (workspace / "general" / f"{name}.jsonl").write_text("".join(part), encoding="utf-8")
    result = run("general.yaml")
    assert result.ledger.rows_kept == 60
    assert result.ledger.tokens_by is not None
