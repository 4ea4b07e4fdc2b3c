"""The examples of docs/curate.md run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars
import pytest
from typer.testing import CliRunner

import curate
from curate.cli import app as curate_app
from curate.steps.registry import STEPS
from curate.synth.generators.configs import GeneratorConfig
from evalsuite.builtin.general import general_items
from tests.curate.synth.conftest import Served
from tests.curate.synth.conftest import served as served  # a fixture
from tui.command_line import app
from tui.schema import compose
from workspace.recipe import load_recipe

PAGE = Path(__file__).parents[2] / "docs" / "curate.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def commands(example: str) -> list[str]:
    return example.replace("\\\n", " ").splitlines()


def scripted(pairs: list[tuple[str, str]]) -> Callable[[dict[str, Any]], str]:
    """Answer what generators and judges ask, in the form that they ask for."""
    known = dict(pairs)

    def answer(body: dict[str, Any]) -> str:
        text, code = body["messages"][-1]["content"], body["seed"]
        new = f"zq{code % 997} vx{code % 883} wk{code % 787} or jm{code % 1009}?"
        if '{"better"' in text:
            first, second = (part.split("====")[1] for part in text.split("==== ANSWER ")[1:])
            return json.dumps({"better": 1 if len(first) < len(second) else 2})
        if '{"pairs"' in text:
            quote = text.split("----")[1].strip().splitlines()[0]
            one = {"question": f"Who does {new}", "answer": "The keeper", "quote": quote}
            return json.dumps({"pairs": [one]})
        if '{"question"' in text:
            return json.dumps({"question": f"Say {new}", "answer": f"zq{code % 997}"})
        return f"It is {known.get(text, new)}." if code % 2 else "That is more than I can say."

    return answer


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served) -> Path:
    rng = Random(0)
    items = list(general_items(5, 200))
    pairs = [(item.prompt, item.answer) for item in items]
    longest = max(pairs, key=lambda pair: len(pair[0]))
    pairs.append((f"{longest[0]} Please.", longest[1]))  # a near-duplicate
    served.script.answer = scripted(pairs)
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for prompt, answer in pairs:
            turns = [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": answer},
            ]
            label = rng.choice(["short", "long"])
            file.write(json.dumps({"messages": turns, "label": label}) + "\n")
    labelled = "".join(f'ham\t{item.prompt.splitlines()[0]} "ok\n' for item in items)
    (tmp_path / "SMSSpamCollection").write_text(labelled, encoding="utf-8")
    asked = "".join(item.prompt.replace("\n", " ") + "\n" for item in items[::3])
    (tmp_path / "real.txt").write_text(asked, encoding="utf-8")
    for recipe in blocks("yaml"):
        name = re.match(r"# (\S+\.yaml)\n", recipe)
        if name is not None:
            told = recipe.replace("http://127.0.0.1:8000/v1", served.url)
            (tmp_path / name.group(1)).write_text(told, encoding="utf-8")
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
    for line in commands(example):
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
    for line in commands(example):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui", *shlex.split(line)[1:]],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_every_generator_has_an_example_that_makes_rows(workspace: Path) -> None:
    made = set()
    (workspace / "pages.jsonl").write_text(json.dumps({"text": "A keeper lights it at dusk."}))
    for name in ("questions", "pairs", "judged", "handbook", "noise"):
        path = curate.augment(f"{name}.yaml").path
        assert path is not None
        made |= {*polars.read_parquet(path / "made.parquet").filter("accepted")["generator"]}
    assert made == {*GeneratorConfig.model_fields}


def test_every_step_and_command_has_an_example() -> None:
    shown = {kind: "\n".join(blocks(kind)) for kind in ("sh", "yaml", "python")}
    for name in {*STEPS} - {"exact_duplicates"}:  # `dedupe` begins with it
        found = [kind for kind, text in shown.items() if re.search(rf"\b{name}\b", text)]
        assert len(found) >= 2, name
    for command in curate_app.registered_commands:
        # `run` is what `temper curate RECIPE` means.
        words = "" if command.name == "run" else command.name
        if words == "undecide":  # by an id that nobody knows before: in Python
            assert "curate.undecide(" in shown["python"]
            continue
        assert re.search(rf"temper curate {words}\b", shown["sh"]), command.name


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
