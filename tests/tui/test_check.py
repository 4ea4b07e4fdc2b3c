"""`temper check` looks at the rows themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui.check import check_recipe
from tui.doctor import Finding
from tui.schema import compose, suite_schema
from workspace.gpus import Gpu
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


@pytest.mark.parametrize(
    ("kind", "gib", "level", "said"),
    [
        ("full", 24, "fail", "full training needs about 141.3 GiB with 1 row of 2,048 tokens"),
        ("lora", 24, "ok", "lora training needs about 19.6 GiB with 2 rows"),
        ("lora", 20, "warn", "which is tight"),
    ],
)
def test_a_way_that_the_gpu_does_not_hold_is_found_before_there_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, gib: int, level: str, said: str
) -> None:
    own = Gpu(0, "GPU-1", "NVIDIA GeForce RTX 3090", gib * 2**30, gib * 2**30, 0)
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [own])
    config = {"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096}
    config |= {"intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 8}))
    recipe = tmp_path / "temper.yaml"
    recipe.write_text(
        f"name: x\nmodel: {{path: config.json}}\ntrain: {{adapter: {{kind: {kind}}}}}\n"
    )
    found = check_recipe(load_recipe(recipe, compose()))
    (finding,) = [one for one in found if one.what == "memory"]
    assert finding.level == level and said in finding.found
    assert level != "fail" or finding.cure.startswith("NVIDIA GeForce RTX 3090 does not hold full")
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [])
    found = check_recipe(load_recipe(recipe, compose()))
    assert not [one for one in found if one.what == "memory"]
