"""The dataset card: what the Hub reads of it, and what it says honestly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

Curate = Callable[..., Any]
Lines = Callable[..., Path]


def rows(count: int = 40) -> list[dict[str, str]]:
    names = [f"{a}{b}" for a in "bcdfghklmpqrsvw" for b in ("apple", "melon", "grape", "quince")]
    return [
        {"prompt": f"Where is the {name} {other} {third}?", "completion": "a"}
        for name, other, third in zip(names, names[7:], names[13:], strict=False)
    ][:count]


def card_of(result: Any) -> tuple[dict[str, Any], str]:
    text = (result.path / "README.md").read_text(encoding="utf-8")
    return YAML(typ="safe").load(text.split("---\n")[1]), text


def test_the_front_matter_names_the_splits_there_are_and_no_licence(
    curate: Curate, lines: Lines
) -> None:
    source = str(lines([*rows(), "{"]))
    result = curate(
        {"sources": [source], "split": {"test": 0.1, "similarity": 1.0}, "max_quarantine": "10%"}
    )
    front, text = card_of(result)
    assert front["configs"][0]["data_files"] == [
        {"split": "train", "path": "train.parquet"},
        {"split": "test", "path": "test.parquet"},
    ]
    assert front["size_categories"] == ["n<1K"]
    assert "license" not in front and "# license:" in text
    assert "41 rows were read; 40 were kept (97.6 % of those read) and 1 dropped" in text


def test_datasets_loads_the_directory(
    curate: Curate, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    source = str(lines([*rows(), *rows(3)]))
    steps = ["exact_duplicates", {"repair": {}}]
    result = curate({"sources": [source], "steps": steps, "split": {"test": 0.1}})
    loaded = datasets.load_dataset(str(result.path), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in loaded.items()} == {
        name: count.rows for name, count in result.ledger.splits.items()
    }


def test_what_was_not_looked_for_is_said(curate: Curate, lines: Lines) -> None:
    _, text = card_of(curate({"sources": [str(lines(rows()))]}))
    assert "The rows were not compared with any evaluation" in text
    assert "Personal data was not looked for" in text
    assert "Duplicate rows were not looked for" in text


def test_leaks_are_counted_and_later_changes_are_owned_up_to(
    curate: Curate, lines: Lines, tmp_path: Path
) -> None:
    items = lines(rows(4), "items.jsonl")
    held = rows()
    held[10]["prompt"] += " Itâ€™s late."
    steps = [
        {"decontaminate": {"files": [{"path": str(items), "field": "prompt"}]}},
        {"redact": {"kinds": ["email"]}},
        {"repair": {}},
    ]
    result = curate({"sources": [str(lines(held))], "steps": steps})
    _, text = card_of(result)
    gone = result.ledger.rows_dropped
    assert gone >= 4
    assert f"{gone} rows were dropped." in text
    assert "4 of 4 evaluation items were in the rows" in text
    assert text.count("Afterwards repair changed 1 row; that text was not checked again.") == 2
    assert "paraphrases, translations" in text
    assert "Looked for: e-mail addresses; 0 rows have placeholders" in text


def test_every_line_of_the_ledger_is_in_the_card(curate: Curate, lines: Lines) -> None:
    steps = ["exact_duplicates", "near_duplicates"]
    result = curate({"sources": [str(lines([*rows(), *rows(5)]))], "steps": steps})
    _, text = card_of(result)
    for step in result.ledger.steps:
        total = result.ledger.total(step)
        line = f"| {step} | {total.rows_in.rows:,} | {total.kept.rows:,} | {total.told} |"
        assert line in text


def test_names_of_files_cannot_mark_up_the_card(curate: Curate, lines: Lines) -> None:
    source = lines(rows(), "a](http:b)|`x`![y]<img>.jsonl")
    _, text = card_of(curate({"sources": [{"path": str(source).replace("[", "[[]")}]}))
    table = next(line for line in text.splitlines() if "jsonl" in line)
    assert table.startswith("| ``") and "\\|" in table
