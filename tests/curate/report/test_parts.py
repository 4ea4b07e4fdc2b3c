"""The parts of a report: differences of words, distributions, the river, the nearest pairs."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ledger import Count, Entry, Ledger
from curate.report.closest import chosen_pairs
from curate.report.excerpt import excerpt
from curate.report.flow import river
from curate.report.histogram import HEIGHT, histogram
from curate.report.room import Room
from curate.report.shares import shares
from curate.report.splits import splits_of
from curate.report.words import compare_words
from curate.steps.nearness import EACH_SIDE, Judged
from evalsuite.similarity.index import build_index
from evalsuite.similarity.tokens import tokenise


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_pieces_of_a_comparison_are_the_texts(first: str, second: str) -> None:
    compared = compare_words(first, second)
    assert compared.texts == (first, second)
    assert compared.same == (first == second)


def test_words_that_differ_are_marked_and_the_rest_is_not() -> None:
    compared = compare_words("pay by card now", "pay by cash now")
    assert [piece.text for piece in compared.first if piece.differs] == ["card"]
    assert [piece.text for piece in compared.second if piece.differs] == ["cash"]


def test_long_texts_are_shown_from_just_before_their_first_difference() -> None:
    compared = compare_words("same " * 1000 + "left end", "same " * 1000 + "right end", limit=200)
    first, second = compared.texts
    assert first.endswith("left end") and second.endswith("right end")
    assert re.match(r"\(4,9\d\d equal characters\) … ", first)
    assert len(first) < 300


def test_a_difference_beyond_what_is_shown_is_no_crash() -> None:
    compared = compare_words("a" * 50_000, "b" * 50_000, limit=100)
    assert "49,900 more characters" in compared.texts[0]


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=60),
    st.lists(st.integers(0, 10**7), max_size=60),
)
def test_a_histogram_holds_every_row_once(before: list[int], after: list[int]) -> None:
    made = histogram("x", "X", "characters", pl.Series(before), pl.Series(after, dtype=pl.Int64))
    assert made is not None
    assert sum(bin.before for bin in made.bins) == len(before)
    assert sum(bin.after for bin in made.bins) == len(after)
    assert all(0 <= bin.before_height <= HEIGHT and bin.width > 0 for bin in made.bins)
    assert all(bin.x >= 3 and bin.x + bin.width <= 97.02 for bin in made.bins)
    assert made.before is not None and made.before.most == max(before)


def test_bins_are_labelled_by_the_numbers_in_them() -> None:
    made = histogram("x", "X", "turns", None, pl.Series([1, 2, 2, 5]))
    assert made is not None and made.before is None
    assert [(bin.label, bin.after) for bin in made.bins if bin.after] == [
        ("1", 1), ("2", 2), ("5", 1),
    ]  # fmt: skip


def test_few_kept_rows_are_drawn_as_shares() -> None:
    made = histogram("x", "X", "turns", pl.Series([1] * 100), pl.Series([1]))
    assert made is not None and "shares" in made.hint
    assert made.bins[0].before_height == made.bins[0].after_height == HEIGHT


def test_shares_are_of_each_side_and_the_small_groups_are_summed_up() -> None:
    before = pl.Series(["a"] * 60 + [f"l{n:02}" for n in range(40)])
    made = shares("label", "Label", before, pl.Series(["a"] * 30 + ["l00"] * 10))
    assert made is not None and made.others is not None
    assert made.shown[0].name == "a" and made.shown[0].before_share == pytest.approx(60)
    assert made.shown[0].after_share == pytest.approx(75)
    assert made.hidden == 41 - len(made.shown) and made.lost == 39
    total = sum(one.after for one in made.shown) + made.others.after
    assert total == 40
    assert made.after.ratio == pytest.approx(3)


def test_four_equal_groups_are_as_even_as_four() -> None:
    made = shares("label", "Label", None, pl.Series(["a", "b", "c", "d"] * 5))
    assert made is not None and made.after.effective == pytest.approx(4)
    assert made.before is None


def test_the_banks_of_the_river_are_where_the_rows_are() -> None:
    ledger = Ledger()
    ledger.entries += [
        Entry("read", "a", Count(60), Count(60)),
        Entry("read", "b", Count(40), Count(40)),
        Entry("cut", "a", Count(60), Count(30), {"near_duplicate": Count(30)}),
        Entry("cut", "b", Count(40), Count(40)),
    ]
    drawn = river(ledger)
    assert drawn.legend == (("source-0", "a"), ("source-1", "b"))
    cut = drawn.reaches[1]
    assert cut.dropped == 30
    ends = [float(re.search(r"H([\d.]+)C", band.path)[1]) for band in cut.bands]  # type: ignore[index]
    assert ends == pytest.approx([29.7, 69.3, 99.0])
    assert [band.tone for band in cut.bands] == ["source-0", "source-1", "gone"]


def test_many_sources_share_the_last_colour() -> None:
    ledger = Ledger()
    ledger.entries += [Entry("read", f"s{n}", Count(n), Count(n)) for n in range(1, 30)]
    drawn = river(ledger)
    assert drawn.legend[-1] == ("source-5", "24 other sources")


def test_room_is_kept() -> None:
    room = Room(1_500)
    assert room.takes("a" * 100)
    assert not room.takes("<" * 300)
    assert room.takes("a")


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert excerpt("x" * 30, 10) == "x" * 10 + " … (20 more characters)"
    assert "at least" in excerpt("x" * 20_000, 10)


def test_the_nearest_pairs_lie_on_their_sides_of_the_threshold() -> None:
    rng = np.random.default_rng(0)
    words = [f"{a}{b}{c}" for a in "bcdfghkl" for b in "aeiou" for c in "mnprstvwxz"]
    texts = []
    for _ in range(60):
        base = list(rng.choice(words, 20))
        texts.append(" ".join(base))
        for edits in (2, 4, 6):
            other = list(base)
            for place in range(edits):
                other[place] = str(rng.choice(words))
            texts.append(" ".join(other))
    table = tokenise([pl.Series(texts)])
    index = build_index(table, tokenise([pl.Series([""] * len(texts))]), loosest=0.5)
    rows = np.arange(len(texts))
    partner, score = index.near_duplicates(rows, rows, 0.75)
    judged = Judged("near", 0.75, rows, partner, score)
    ids = pl.Series([str(row) for row in rows])
    pairs = judged.nearest(index, ids)
    gone, kept = pairs.filter("dropped"), pairs.filter(~pl.col("dropped"))
    assert gone.height == EACH_SIDE and 0 < kept.height <= EACH_SIDE
    assert gone["similarity"].is_sorted() and gone["similarity"].min() >= 0.75
    assert kept["similarity"].is_sorted(descending=True) and kept["similarity"].max() < 0.75
    dropped = {str(row) for row in rows[partner >= 0]}
    assert set(gone["row"]) <= dropped and not set(gone["partner"]) & dropped
    assert not (set(kept["row"]) | set(kept["partner"])) & dropped
    counts = judged.similarities(index, 0.5)
    assert counts["pairs"].sum() == index.score.size
    assert counts["duplicates"].sum() == int(index.duplicate.sum())
    chosen = chosen_pairs(pairs)
    assert chosen.height == 20 and chosen["dropped"].sum() >= 10


def test_strata_are_per_cent_of_each_split() -> None:
    ledger = Ledger(splits={"train": Count(8), "test": Count(2)})
    rows = pl.DataFrame(
        {
            "split": ["train"] * 8 + ["test"] * 2,
            "group": [*"aabbccdd", "e", "f"],
            "label": ["x"] * 6 + ["y"] * 2 + ["x", "z"],
            "source": ["s"] * 10,
        }
    )
    found = splits_of(ledger, rows)
    assert found.largest_group == 2 and found.groups == 6
    assert {one.name: one.shares for one in found.strata[0].rows} == {
        "x": (75.0, 50.0), "y": (25.0, 0.0), "z": (0.0, 50.0),
    }  # fmt: skip
    assert len(found.strata) == 1


def test_a_split_without_any_labelled_row_has_shares_of_none() -> None:
    ledger = Ledger(splits={"train": Count(3), "test": Count(1)})
    rows = pl.DataFrame(
        {
            "split": ["train"] * 3 + ["test"],
            "group": list("abcd"),
            "label": ["x", "y", "x", None],
            "source": ["s"] * 4,
        }
    )
    found = splits_of(ledger, rows).strata[0]
    assert {one.name: one.rows for one in found.rows} == {"x": (2, 0), "y": (1, 0)}
    assert all(one.shares[1] == 0.0 for one in found.rows)
