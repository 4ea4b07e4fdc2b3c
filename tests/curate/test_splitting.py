"""The split: groups whole, shares met, siblings together."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.api.frames import prepared
from curate.recipe import Split
from curate.splitting import SPLITS, Assignment, split_rows

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentence(rng: random.Random, words: int = 12) -> str:
    return " ".join("".join(rng.choices(LETTERS, k=6)) for _ in range(words))


def assign(rows: list[dict[str, Any]], **asked: Any) -> tuple[dict[int, str], Assignment]:
    """Return the split of each row that is not marked `gone`."""
    turns = [
        [
            {"role": "user", "content": row["ask"]},
            {"role": "assistant", "content": row.get("say", "yes")},
        ]
        for row in rows
    ]
    marks = {
        name: pl.Series([row.get(name) for row in rows], dtype=kind)
        for name, kind in (
            ("document", pl.String),
            ("conversation", pl.String),
            ("parents", pl.List(pl.String)),
            ("canary", pl.String),
        )
    }
    ids = [row.get("id", f"r{number}") for number, row in enumerate(rows)]
    context, frame = prepared(pl.DataFrame({"id": ids, "messages": turns, **marks}), loosest=0.7)
    kept = np.array([number for number, row in enumerate(rows) if not row.get("gone")])
    found = split_rows(kept, frame.filter(pl.col("_row").is_in(kept)), Split(**asked), context)
    return {int(r): SPLITS[s] for r, s in zip(kept, found.split.tolist(), strict=True)}, found


def unrelated(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"ask": sentence(rng)} for _ in range(count)]


def counts(splits: dict[int, str]) -> dict[str, int]:
    return {name: list(splits.values()).count(name) for name in SPLITS}


def test_shares_and_counts_are_met_exactly_where_groups_are_single_rows() -> None:
    splits, _ = assign(unrelated(200), validation=0.1, test=0.05)
    assert counts(splits) == {"train": 170, "validation": 20, "test": 10}
    splits, _ = assign(unrelated(200), validation=7, test=0)
    assert counts(splits) == {"train": 193, "validation": 7, "test": 0}


def test_another_seed_sets_other_rows_aside_and_the_same_seed_the_same() -> None:
    rows = unrelated(100)
    first, _ = assign(rows, test=0.2, seed=1)
    again, _ = assign(rows, test=0.2, seed=1)
    other, _ = assign(rows, test=0.2, seed=2)
    assert first == again != other


def test_shares_are_met_within_the_size_of_a_group() -> None:
    rng = random.Random(3)
    rows = []
    for number in range(60):
        size = rng.randint(1, 6)
        rows += [{"ask": sentence(rng), "document": f"d{number}"} for _ in range(size)]
    splits, found = assign(rows, validation=0.2, test=0.1)
    found_counts = counts(splits)
    assert abs(found_counts["test"] - 0.1 * len(rows)) < found.largest_group
    assert abs(found_counts["validation"] - 0.2 * len(rows)) < found.largest_group


@pytest.mark.parametrize("mark", ["document", "conversation"])
def test_rows_with_the_same_mark_stay_together(mark: str) -> None:
    rows = [{**row, mark: f"m{number // 4}"} for number, row in enumerate(unrelated(80))]
    splits, _ = assign(rows, validation=0.2, test=0.2)
    for group in range(20):
        assert len({splits[group * 4 + place] for place in range(4)}) == 1
    assert set(splits.values()) == set(SPLITS)


def test_equal_prompts_stay_together_whatever_the_answers() -> None:
    rng = random.Random(0)
    rows = []
    for _ in range(40):
        ask = sentence(rng)
        rows += [{"ask": ask, "say": sentence(rng)}, {"ask": ask.upper() + "!", "say": "no"}]
    splits, _ = assign(rows, test=0.3)
    assert all(splits[2 * pair] == splits[2 * pair + 1] for pair in range(40))
    assert counts(splits)["test"] == 24


def siblings(rng: random.Random) -> list[dict[str, Any]]:
    """Two rows too different to tie, and the one between them, which removal took away."""
    words = sentence(rng, 20).split()
    left, right = list(words), list(words)
    for place in (0, 2, 4, 6):
        left[place] = sentence(rng, 1)
    for place in (1, 3, 5, 7):
        right[place] = sentence(rng, 1)
    return [
        {"ask": " ".join(left)},
        {"ask": " ".join(words), "gone": True},
        {"ask": " ".join(right)},
    ]


def test_siblings_that_survive_removal_stay_together() -> None:
    rng = random.Random(5)
    families = [siblings(rng) for _ in range(30)]
    with_parent, _ = assign([row for family in families for row in family], test=0.5)
    assert all(with_parent[3 * n] == with_parent[3 * n + 2] for n in range(30))
    assert set(with_parent.values()) == {"train", "test"}
    # Without the row between them nothing ties them: the groups come from before the removal.
    alone, _ = assign([family[side] for family in families for side in (0, 2)], test=0.5)
    assert any(alone[2 * n] != alone[2 * n + 1] for n in range(30))


def test_made_rows_follow_their_parents_and_never_enter_test() -> None:
    rows: list[dict[str, Any]] = []
    rng = random.Random(9)
    for number in range(40):
        rows.append({"ask": sentence(rng), "id": f"parent{number}"})
        if number % 2:
            rows.append({"ask": sentence(rng), "parents": [f"parent{number}"]})
    splits, _ = assign(rows, validation=0.3, test=0.3)
    for place, row in enumerate(rows):
        if row.get("parents"):
            assert splits[place] == splits[place - 1] != "test"
    assert counts(splits)["test"] == 18


@pytest.mark.parametrize("stratify", [None, "source"])
def test_planted_strings_are_never_set_aside(stratify: str | None) -> None:
    planted = [{"ask": f"What is the code of canary {n}?", "canary": f"c{n}"} for n in range(8)]
    rows = [*planted, *unrelated(32)]
    splits, _ = assign(rows, validation=0.3, test=0.3, stratify=stratify)
    assert {splits[place] for place in range(8)} == {"train"}
    assert counts(splits)["test"] == 12


def test_two_made_rows_of_one_parent_stay_together_when_the_parent_is_gone() -> None:
    rng = random.Random(11)
    rows = []
    for number in range(20):
        rows += [{"ask": sentence(rng), "parents": [f"lost{number}"]} for _ in range(2)]
    splits, _ = assign(rows, validation=0.5)
    assert all(splits[2 * n] == splits[2 * n + 1] for n in range(20))


def test_the_check_after_the_split_joins_what_words_alone_did_not_tie() -> None:
    rng = random.Random(13)
    rows = []
    for _ in range(30):
        ask = sentence(rng, 5)
        broken = "".join(letter if place % 12 else "x" for place, letter in enumerate(ask, 1))
        rows += [{"ask": ask}, {"ask": broken}]
    splits, found = assign(rows, test=0.4)
    assert found.leaks == {"train": 0, "validation": 0}
    assert set(splits.values()) == {"train", "test"}


def test_a_planted_leak_fails_no_recipe_without_splits(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    rows = [{"prompt": row["ask"], "completion": "a"} for row in unrelated(5)]
    result = curate({"sources": [str(lines(rows))]})
    assert {name: count.rows for name, count in result.ledger.splits.items()} == {"train": 5}
