"""Groups, shares and choices by a score."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate as package
from curate.steps.balancing.cells import cells_of
from curate.steps.base import StepContext
from workspace.errors import DataError


def scored(values: list[float | None], name: str = "ifd", **more: list[float]) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "text": [f"row number {n} says something of its own" for n in range(len(values))],
            "id": [f"r{n}" for n in range(len(values))],
            name: pl.Series(values, dtype=pl.Float64),
            **more,
        }
    )
    return frame.with_columns(pl.struct(name, *more).alias("scores")).drop(name, *more)


def groups(frame: pl.DataFrame, name: str, rows: list[int] | None = None) -> list[str | None]:
    context = _context(frame)
    places = np.arange(frame.height) if rows is None else np.array(rows)
    cells = cells_of(places.astype(np.int64), [name], context)
    return [None if one < 0 else cells.names[one] for one in cells.of.tolist()]


def _context(frame: pl.DataFrame) -> StepContext:
    from curate.api.frames import prepared

    return prepared(frame)[0]


def test_thirds_are_easy_medium_and_hard() -> None:
    frame = scored([0.9, 0.1, 0.5, 0.2, 0.8, 0.6])
    expected = ["hard", "easy", "medium", "easy", "hard", "medium"]
    assert groups(frame, "difficulty") == expected
    assert groups(frame, "difficulty:ifd") == expected


def test_thirds_are_of_the_rows_that_are_still_there() -> None:
    frame = scored([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert groups(frame, "difficulty", [3, 4, 5]) == ["easy", "medium", "hard"]


def test_a_row_without_a_score_is_in_no_group() -> None:
    assert groups(scored([0.1, None, 0.5, 0.9]), "difficulty") == ["easy", None, "medium", "hard"]
    assert groups(scored([None, None]), "difficulty") == [None, None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=40))
def test_groups_follow_the_score(values: list[float | None]) -> None:
    found = groups(scored(values), "difficulty")
    order = {"easy": 0, "medium": 1, "hard": 2}
    known = sorted(
        (value, order[group])
        for value, group in zip(values, found, strict=True)
        if value is not None and group is not None
    )
    assert [group for _, group in known] == sorted(group for _, group in known)
    assert len(known) == sum(value is not None for value in values)
    by_value: dict[float, set[int]] = {}
    for value, group in known:
        by_value.setdefault(value, set()).add(group)
    assert all(len(some) == 1 for some in by_value.values())
    if len(by_value) == len(known) and len(known) >= 3:
        sizes = Counter(group for _, group in known).values()
        assert max(sizes) - min(sizes) <= 1


def test_grades_of_a_judge_are_groups_and_other_scores_are_thirds() -> None:
    grades = scored([5.0, 1.0, 5.0, None], "judge")
    assert groups(grades, "judge") == ["judge 5", "judge 1", "judge 5", None]
    rewards = scored([float(n) for n in range(12)], "reward")
    assert groups(rewards, "reward") == ["low"] * 4 + ["middle"] * 4 + ["high"] * 4


def test_difficulty_without_a_score_says_what_to_do() -> None:
    with pytest.raises(DataError, match="ifd or perplexity") as error:
        groups(scored([1.0], "judge"), "difficulty")
    assert "judge" in error.value.cause
    with pytest.raises(DataError, match="polish"):
        groups(scored([1.0]), "difficulty:polish")


def test_balance_and_split_by_difficulty() -> None:
    frame = scored([float(n) for n in range(90)])
    balanced = package.balance(frame, "difficulty", cap=10, count="rows")
    kept = balanced.kept.collect()
    assert kept.height == 30
    assert (
        groups(kept.drop("_row"), "difficulty:ifd")
        == ["easy"] * 10 + ["medium"] * 10 + ["hard"] * 10
    )
    target = package.balance(
        frame, "difficulty", target={"easy": 0.2, "*": 0.8}, count="rows", size="down"
    )
    values = target.kept.collect()["scores"].struct.field("ifd")
    assert (values < 30).sum() / len(values) == pytest.approx(0.2, abs=0.03)
    parts = package.split(frame, validation=0, test=0.3, stratify="difficulty", similarity=1.0)
    test = parts["test"].collect()["scores"].struct.field("ifd").to_list()
    assert [sum(low <= value < low + 30 for value in test) for low in (0, 30, 60)] == [9, 9, 9]


def test_copies_keep_the_score_of_what_they_copy() -> None:
    frame = scored([1.0, 2.0, 3.0], "judge")
    outcome = package.balance(frame, "judge", upsample=3, count="rows")
    rows = outcome.kept.collect()
    assert rows.height == 9
    assert Counter(rows["scores"].struct.field("judge")) == {1.0: 3, 2.0: 3, 3.0: 3}


def test_select_takes_a_score_as_quality_and_a_hyphen_turns_it_round() -> None:
    frame = scored([3.0, 1.0, 2.0, None], "perplexity")

    def best(quality: str) -> list[str]:
        outcome = package.select(frame, 2, method="mmr", quality=quality, quality_share=1.0)
        return sorted(outcome.kept.collect()["id"].to_list())

    assert best("perplexity") == ["r0", "r2"]
    assert best("-perplexity") == ["r1", "r2"]
    with pytest.raises(DataError, match="scores are"):
        best("beauty")
