"""Corpora that would ask for a comparison of all with all: the pairs compared stay few."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl
import pytest

from evalsuite.similarity import index as index_module
from evalsuite.similarity.edges import Candidates, candidates
from evalsuite.similarity.index import Index, build_index
from evalsuite.similarity.tokens import tokenise


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs each index compared."""
    sizes: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Candidates:
        found = candidates(*arguments, **options)
        sizes.append(found.size)
        return found

    monkeypatch.setattr(index_module, "candidates", counted)
    return sizes


def index_of(prompts: list[str]) -> Index:
    nothing = tokenise(pl.Series([""] * len(prompts)))
    return build_index(tokenise(pl.Series(prompts)), nothing, loosest=0.6)


def kept(index: Index, rows: int) -> list[int]:
    order = np.arange(rows)
    partner, _ = index.near_duplicates(order, order, 0.8)
    return np.flatnonzero(partner < 0).tolist()


def test_a_hundred_thousand_equal_rows_are_compared_with_none(compared: list[int]) -> None:
    index = index_of(["The same text is here again and again."] * 100_000)
    assert sum(compared) == 0
    assert kept(index, 100_000) == [0]


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_one_template_take_linear_work(compared: list[int]) -> None:
    rows = 100_000
    template = "A farmer has {} cows and buys {} more at the market; how many are there now?"
    index = index_of([template.format(n, n % 977) for n in range(rows)])
    # In each of 48 bands, with the first of its bucket and with the one before.
    assert 0 < sum(compared) < 2 * 48 * rows
    assert index.capped_rows > 0.9 * rows
    assert len(kept(index, rows)) == rows


def test_rows_of_one_character_are_one_row_each(compared: list[int]) -> None:
    index = index_of([chr(ord("a") + n % 26) for n in range(5_000)])
    assert sum(compared) == 0
    assert kept(index, 5_000) == list(range(26))


CHINESE = "今天天气很好我们一起去公园散步然后回家做饭吃了很多东西"
JAPANESE = "きょうはとてもいいてんきですからこうえんにいきましょう"
THAI = "วันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะด้วยกัน"


@pytest.mark.parametrize("letters", [CHINESE, JAPANESE, THAI])
def test_scripts_without_spaces_are_compared_by_their_characters(
    letters: str, compared: list[int]
) -> None:
    rng = random.Random(0)
    alphabet = "".join(chr(ord(min(letters)) + n) for n in range(60)) + letters
    alphabet = "".join(sign for sign in alphabet if sign.isalpha())
    rows = ["".join(rng.choices(alphabet, k=60)) for _ in range(400)]
    copies = []
    for row in rows[:100]:
        place = rng.randrange(len(row))
        copies.append(row[:place] + rng.choice(alphabet) + row[place + 1 :])
    index = index_of(rows + copies)
    found = kept(index, 500)
    assert found[:400] == list(range(400))
    assert len(found) <= 405
    assert sum(compared) < 20 * 500


def test_emoji_alone_stay_apart_and_equal_ones_go(compared: list[int]) -> None:
    signs = [chr(0x1F600 + n) for n in range(70)]
    prompts = [a + b for a in signs for b in signs] + signs
    index = index_of(prompts + prompts)
    assert sum(compared) < len(prompts)
    assert kept(index, 2 * len(prompts)) == list(range(len(prompts)))


def test_rows_that_are_empty_after_normalising_are_one_row(compared: list[int]) -> None:
    index = index_of(["", "  ", "\n\t"] * 2_000 + ["a real row of words"])
    assert sum(compared) == 0
    assert kept(index, 6_001)[-1] == 6_000
    assert len(kept(index, 6_001)) <= 4


def test_a_template_family_is_told_in_the_notes() -> None:
    import curate

    template = "A farmer has {} cows and buys {} more at the market; how many are there now?"
    frame = pl.DataFrame({"text": [template.format(n, n % 97) for n in range(2_000)]})
    outcome = curate.dedupe(frame, threshold=0.8)
    assert any("rows share phrases with more than 32 others" in note for note in outcome.notes)
