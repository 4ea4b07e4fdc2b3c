"""How much data there is: warnings, the task told from the rows, what a test split can show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.enough import (
    Amounts,
    Task,
    amount_notes,
    amounts,
    smallest_difference,
    split_size_notes,
)
from curate.ledger import Count
from curate.published import dataset_notes

Write = Callable[..., Path]


def rows_of(answers: list[str], **more: Any) -> pl.LazyFrame:
    turn = [{"role": "user", "content": "?"}]
    says = [[{"role": "assistant", "content": answer, "tool_calls": None}] for answer in answers]
    kinds = {"completion": pl.List(pl.Struct({
        "role": pl.String, "content": pl.String, "tool_calls": pl.List(pl.String)}))}  # fmt: skip
    return pl.LazyFrame(
        {"prompt": [turn] * len(answers), "completion": says, **more}, schema_overrides=kinds
    )


@pytest.mark.parametrize(
    ("answers", "task"),
    [
        (["spam", "ham"] * 60, Task.CLASSIFICATION),
        (['{"team": "a"}', '{"team": "b"}'] * 60, Task.EXTRACTION),
        ([f"So it is {n}.\n#### {n}" for n in range(99)], Task.REASONING),
        ([f"<think>{n}</think> It is {n}." for n in range(99)], Task.REASONING),
        ([f"I would say that number {n} is best." for n in range(99)], Task.CHAT),
    ],
)
def test_the_task_is_told_from_the_answers(answers: list[str], task: Task) -> None:
    assert amounts(rows_of(answers), "prompt_completion").task is task


def test_planted_strings_are_no_labels() -> None:
    planted = [None] * 120 + ["canary 1"] * 2
    found = amounts(
        rows_of([*["spam", "ham"] * 60, *["kwx3 8jq2"] * 2], canary=planted), "prompt_completion"
    )
    assert found.task is Task.CLASSIFICATION
    assert found.labels == {"spam": 60, "ham": 60}


def test_there_is_a_warning_below_50_and_below_500_rows() -> None:
    def first(rows: int) -> str:
        return next(amount_notes(Amounts(Task.CHAT, rows, {})))

    assert first(49).startswith("WARNING: 49 rows to train on: below 50")
    assert first(50).startswith("WARNING: 50 rows to train on: below 500")
    assert first(499).startswith("WARNING")
    assert not first(500).startswith("WARNING")
    assert "500, fewer" in first(500) and "LIMA" in first(500)


def test_labels_with_few_rows_are_named() -> None:
    notes = [*amount_notes(Amounts(Task.CLASSIFICATION, 900, {"a": 700, "b": 3, "c": 40, "d": 90}))]
    assert notes[0].startswith("WARNING: 1 of 4 labels have fewer than 5") and "'b' 3" in notes[0]
    assert notes[1].startswith("WARNING: 1 of 4 labels have fewer than 50") and "'c' 40" in notes[1]
    assert notes[2] == "1 of 4 labels have fewer than 100 rows: 'd' 90."


def test_a_small_test_split_is_told_with_what_it_can_show() -> None:
    assert smallest_difference(100) == pytest.approx(0.0886, abs=1e-4)
    assert smallest_difference(500) == pytest.approx(0.0396, abs=1e-4)
    (small,) = split_size_notes({"test": Count(100)})
    assert small.startswith("WARNING: test has 100 rows") and "8.9 points" in small
    (large,) = split_size_notes({"test": Count(500)})
    assert not large.startswith("WARNING")
    assert not [*split_size_notes({"train": Count(9)})]


def test_ledger_card_and_report_say_it(curate: Any, lines: Write) -> None:
    rows = [{"prompt": f"Is {n} odd?", "completion": "yes" if n % 2 else "no"} for n in range(120)]
    result = curate({"sources": [str(lines(rows))], "split": {"test": 0.2}})
    wanted = ("below 500", "look like classification", "WARNING: test has ")
    ledger = json.loads((result.path / "ledger.json").read_text())
    for place in (
        "\n".join(result.notes),
        "\n".join(ledger["split_notes"]),
        (result.path / "README.md").read_text(),
        (result.path / "report.html").read_text(),
    ):
        assert all(part in place for part in wanted)
    assert set(dataset_notes(result.path)) <= set(result.notes)


def test_no_row_and_one_row() -> None:
    assert amounts(rows_of([]), "prompt_completion").rows == 0
    assert next(amount_notes(amounts(rows_of(["x"]), "prompt_completion"))).startswith("WARNING")
