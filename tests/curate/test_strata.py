"""Stratified splits: each stratum its share, groups whole."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate as package
from curate.recipe import Split
from curate.steps.balancing.cells import Cells
from curate.strata import fill_strata, targets

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentence(rng: random.Random) -> str:
    return " ".join("".join(rng.choices(LETTERS, k=6)) for _ in range(12))


def rows(labels: list[str | None], **columns: Any) -> pl.DataFrame:
    rng = random.Random(0)
    return pl.DataFrame(
        {
            "messages": [
                [
                    {"role": "user", "content": sentence(rng)},
                    {"role": "assistant", "content": sentence(rng)},
                ]
                for _ in labels
            ],
            "user_label": pl.Series(labels, dtype=pl.String),
            **columns,
        }
    )


def counts(parts: dict[str, pl.LazyFrame]) -> dict[str, dict[str | None, int]]:
    out = {}
    for name, part in parts.items():
        labels = part.select("user_label").collect()["user_label"]
        out[name] = dict(labels.value_counts().iter_rows())
    return out


def test_every_label_has_its_share_in_every_split() -> None:
    frame = rows(["often"] * 200 + ["seldom"] * 20 + [None] * 40)
    found = counts(package.split(frame, validation=0.1, test=0.2, stratify="label"))
    assert found["test"] == {"often": 40, "seldom": 4, None: 8}
    assert found["validation"] == {"often": 20, "seldom": 2, None: 4}


def test_a_number_of_rows_is_met_exactly_and_shared_out() -> None:
    frame = rows(["a"] * 61 + ["b"] * 39)
    found = counts(package.split(frame, validation=0, test=10, stratify="label"))
    assert found["test"] == {"a": 6, "b": 4}


def test_without_stratify_a_split_is_what_it_was() -> None:
    frame = rows(["a"] * 100)
    parts = package.split(frame, test=0.2, validation=0)
    assert parts["test"].collect().height == 20


def test_groups_stay_whole_and_each_stratum_misses_by_less_than_one() -> None:
    rng = random.Random(4)
    labels, documents = [], []
    for number in range(80):
        label, size = rng.choice("aaab"), rng.randint(1, 5)
        labels += [label] * size
        documents += [f"d{number}"] * size
    frame = rows(labels, document=documents)
    parts = package.split(frame, validation=0.1, test=0.2, stratify="label")
    found = counts(parts)
    for label in "ab":
        total = labels.count(label)
        assert abs(found["test"][label] - 0.2 * total) <= 5
        assert abs(found["validation"][label] - 0.1 * total) <= 5
    held = [set(part.collect()["document"]) for part in parts.values()]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


def test_strata_that_a_split_has_none_of_are_told(curate: Any, lines: Any) -> None:
    rng = random.Random(1)
    data = [
        {"prompt": sentence(rng), "completion": "x", "category": "rare" if n < 3 else "often"}
        for n in range(100)
    ]
    split = {"test": 0.1, "stratify": "label"}
    result = curate({"sources": [str(lines(data))], "split": split})
    assert any(
        note == "test has the wanted number of rows of 2 of 2 strata, and is off by at most 0. "
        "It has none of 1: rare."
        for note in result.notes
    )
    again = curate({"sources": [str(lines(data))], "split": split})
    assert again.digest == result.digest


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.floats(0, 0.99))
def test_targets_add_up_and_none_is_off_by_a_row(sizes: list[int], share: float) -> None:
    array = np.array(sizes, np.int64)
    found = targets(array, share)
    assert found.sum() == round(share * array.sum())
    total = found.sum() / max(array.sum(), 1)
    assert (np.abs(found - array * total) < 1).all()
    assert (found <= array).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=80),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.sets(st.integers(0, 12)),
)
def test_any_groups_are_filled_within_one_group_of_each_stratum(
    members: list[tuple[int, int]], validation: float, test: float, made: set[int]
) -> None:
    names, places = np.unique([group for group, _ in members], return_inverse=True)
    of = np.array([stratum for _, stratum in members], np.int64)
    strata = Cells(("a", "b", "c", "d"), of)
    barred = np.array([name in made for name in names.tolist()])
    split = Split(validation=validation, test=test)
    order = list(range(names.size))
    assigned = fill_strata(order, places, barred, strata, split)
    assert not (assigned[barred] == 2).any()
    mixed = {g for g in order if np.unique(of[places == g]).size > 1}
    sizes = np.bincount(of, minlength=4)
    rows = assigned[places]
    for place, share in ((2, test), (1, validation)):
        got = np.bincount(of[rows == place], minlength=4)
        wanted = targets(sizes, share)
        if mixed:
            continue
        assert (got <= wanted).all()
        for group in order:
            if assigned[group] == 0 and not (place == 2 and barred[group]):
                stratum = of[places == group][0]
                assert got[stratum] + (places == group).sum() > wanted[stratum]


@pytest.mark.parametrize("by", ["answer", ["label", "source"]])
def test_other_columns_may_be_strata(by: Any) -> None:
    parts = package.split(rows(["a"] * 50), test=0.2, validation=0, stratify=by)
    assert parts["test"].collect().height == 10
