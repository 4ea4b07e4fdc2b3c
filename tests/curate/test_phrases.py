"""Sentences about rows, in lazy frames of several chunks."""

from __future__ import annotations

import polars as pl
import pytest

from curate.phrases import phrase


def test_values_of_any_type_stand_in_their_places() -> None:
    rows = pl.DataFrame({"step": ["near", None], "row": [3, 4]})
    said = rows.select(phrase("{} at {}!", "step", pl.col("row") + 1)).to_series()
    assert said.to_list() == ["near at 4!", None]
    assert rows.select(phrase("only {}", "row")).to_series().to_list() == ["only 3", "only 4"]


def test_rows_of_a_later_chunk_alone_are_told() -> None:
    chunks = [
        pl.DataFrame({"row": list(range(a, b)), "split": ["train"] * (b - a)})
        for a, b in ((0, 28), (28, 45))
    ]
    rows = pl.concat(chunks, rechunk=False).lazy()
    chosen = rows.filter(pl.col("row").is_in([40, 41, 42, 44]))
    assert (
        chosen.select(phrase("kept in {}", "split")).collect().to_series().to_list()
        == ["kept in train"] * 4
    )


def test_places_and_values_are_as_many() -> None:
    with pytest.raises(ValueError, match="2 places for 1 values"):
        phrase("{}:{}", "row")
