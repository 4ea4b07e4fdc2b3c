"""`temper init`: what it writes is read back as what was meant, whatever the names are."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalsuite.tasks.suites import find_suite, read_suite
from tui.command_line import app
from tui.init import TASKS, make_recipe, make_workspace
from tui.schema import compose
from workspace.errors import UsageError
from workspace.layout import Workspace
from workspace.recipe import load_recipe
from workspace.yaml import load_yaml


@pytest.mark.parametrize("task", sorted(TASKS))
def test_each_task_gives_a_recipe_and_a_suite_that_load(tmp_path: Path, task: str) -> None:
    make_workspace(tmp_path / "triage", task=task, data=[], model="builtin")
    recipe = load_recipe(tmp_path / "triage" / "temper.yaml", compose())
    assert recipe.name == "triage"
    suite = read_suite(tmp_path / "triage" / "suites" / "target.yaml")
    assert [one.name for one in suite.tasks] == ["triage"]


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("2024", "2024"),
        ("yes", "yes"),
        ("My Project", "my-project"),
        ("1e3", "1e3"),
        ("é", "recipe"),
    ],
)
def test_names_that_yaml_would_take_for_something_else(
    tmp_path: Path, directory: str, name: str
) -> None:
    make_workspace(tmp_path / directory, task="chat", data=[], model="builtin")
    assert load_yaml(tmp_path / directory / "temper.yaml").data["name"] == name
    assert read_suite(tmp_path / directory / "suites" / "target.yaml").tasks[0].ability == name


@pytest.mark.parametrize("file", ["a: b.jsonl", "x #1.jsonl", "- y.jsonl", "'q\".jsonl", "é.jsonl"])
def test_paths_with_yaml_s_own_signs(tmp_path: Path, file: str) -> None:
    data = tmp_path / file
    data.write_text("{}\n", encoding="utf-8")
    make_workspace(tmp_path / "w", task="chat", data=[data], model="builtin")
    sources = load_yaml(tmp_path / "w" / "temper.yaml").data["curate"]["sources"]
    assert sources == [{"path": f"../{file}"}]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    make_workspace(tmp_path, task="chat", data=[], model="builtin", name="one")
    with pytest.raises(UsageError, match="there is a recipe already"):
        make_workspace(tmp_path, task="chat", data=[], model="builtin", name="two")
    assert load_recipe(tmp_path / "temper.yaml", compose()).name == "one"


@pytest.mark.parametrize(
    ("rows", "said", "usable"),
    [
        (
            '{"a": 1}\n' * 3,
            "3 of the first 3 rows cannot be used: ../rows.jsonl:1: its keys are a",
            0,
        ),
        ('{"\\u001b[31m": 1}\n', "its keys are \\x1b[31m", 0),
        ("", "this file is empty", 0),
        ('{"prompt": "a", "completion": "b"}\n', "1 file, 0.0 MB, prompt_completion", 1),
        ('{"text": "a", "category": "b"}\n', "columns: {prompt: text, completion: category}", 1),
    ],
)
def test_what_the_rows_are_is_told_at_once(
    tmp_path: Path, rows: str, said: str, usable: bool
) -> None:
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    arguments = ["init", str(tmp_path / "w"), "--data", str(tmp_path / "rows.jsonl")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and (tmp_path / "w" / "temper.yaml").is_file()
    assert said in done.stderr and "\x1b" not in done.stderr
    assert ("Nothing can be curated until this is mended" in done.stderr) == (not usable)


def test_a_missing_file_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        make_workspace(tmp_path / "w", task="chat", data=[tmp_path / "no.jsonl"], model="builtin")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("model", "retention"),
    [("builtin", "builtin:retention"), ("Qwen/Qwen3-0.6B", "builtin:general")],
)
def test_every_model_gets_a_retention_suite_that_it_can_answer(
    tmp_path: Path, model: str, retention: str
) -> None:
    make_workspace(tmp_path, task="chat", data=[], model=model)
    data = load_yaml(tmp_path / "temper.yaml").data
    assert data["evaluate"]["suites"] == ["target", retention]
    assert {"decontaminate": {"suites": [retention]}} in data["curate"]["steps"]
    suite = read_suite(find_suite(retention, Workspace(tmp_path)))
    assert suite.purpose == "retention"


@pytest.mark.parametrize(
    ("kind", "method"),
    [("messages", "sft"), ("text", "sft"), ("preference", "dpo"), ("unpaired_preference", "kto")],
)
def test_a_recipe_for_a_dataset_loads_and_takes_its_type(
    tmp_path: Path, kind: str, method: str
) -> None:
    workspace = Workspace(tmp_path)
    dataset = workspace.datasets / "pairs" / "1a2b3c4d"
    dataset.mkdir(parents=True)
    (dataset / "ledger.json").write_text(f'{{"schema_version": 1, "type": "{kind}"}}')
    (dataset.parent / "current").symlink_to("1a2b3c4d")
    path = make_recipe(workspace, dataset="pairs", model="builtin", name="2024")
    recipe = load_recipe(path, compose())
    assert (path.name, recipe.name) == ("2024.yaml", "2024")
    section = recipe.sections["train"]
    assert (section.method.kind, section.dataset) == (method, "pairs")  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="already"):
        make_recipe(workspace, dataset="pairs", model="builtin", name="2024")
    with pytest.raises(UsageError):
        make_recipe(workspace, dataset="none", model="builtin")
