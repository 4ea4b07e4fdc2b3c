"""`temper check` looks at the rows themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.check import check_recipe
from tui.doctor import Finding
from tui.schema import compose, suite_schema
from workspace.recipe import load_recipe


def sources(tmp_path: Path, text: str, name: str = "rows.csv", more: str = "") -> list[Finding]:
    (tmp_path / name).write_text(text)
    recipe = tmp_path / "temper.yaml"
    recipe.write_text(f"name: x\ncurate:\n  sources: [{{path: {name}{more}}}]\n")
    found = check_recipe(load_recipe(recipe, compose()))
    return [finding for finding in found if finding.what == "source"]


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ("question,answer\na,b\n", "ok", "1 file, 0.0 MB, question_answer"),
        ("question;answer\na;b, c\n", "ok", "question_answer"),
        ("body,team\na,b\n", "fail", "1 of the first 1 rows cannot be used: rows.csv:2"),
        ("question,answer\na,b\na,b,c\n", "warn", "1 of the first 2 rows"),
    ],
)
def test_the_first_rows_are_read(tmp_path: Path, text: str, level: str, said: str) -> None:
    (finding,) = sources(tmp_path, text)
    assert finding.level == level and said in finding.found
    assert level == "ok" or "columns: {prompt: YOURS, completion: YOURS}" in finding.cure


def test_named_columns_are_minded(tmp_path: Path) -> None:
    more = ", columns: {prompt: body, completion: team}"
    assert sources(tmp_path, "body,team\na,b\n", more=more)[0].level == "ok"


def test_rows_that_fit_two_formats_are_told_with_their_columns(tmp_path: Path) -> None:
    text = "instruction,output,prompt,completion\na,b,c,d\n,,c,d\n"
    first, *_ = sources(tmp_path, text)
    assert first.level == "warn"
    assert "2 of the first 2 rows, such as row 1, are read as alpaca" in first.found
    assert "by instruction, output, and fit prompt_completion too" in first.found
    more = ", columns: {prompt: prompt, completion: completion}"
    assert [one.level for one in sources(tmp_path, text, more=more)] == ["ok"]


def test_hub_datasets_are_named_and_folders_looked_at(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "train.jsonl").write_text('{"text": "a"}\n')
    recipe = tmp_path / "temper.yaml"
    recipe.write_text("name: x\ncurate:\n  sources: ['hub:a/b', saved]\n")
    found = check_recipe(load_recipe(recipe, compose()))
    said = [finding.found for finding in found if finding.what == "source"]
    assert said == ["hub:a/b, looked at by `temper curate`", "saved: a folder, text"]


def test_every_key_of_a_suite_is_in_its_schema() -> None:
    assert {"min_items", "margin", "tasks"} <= set(suite_schema()["properties"])
