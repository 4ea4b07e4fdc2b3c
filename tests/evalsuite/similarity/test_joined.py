"""Two tables seen as one are what they are when they are joined."""

from __future__ import annotations

import numpy as np
import polars as pl

from evalsuite.similarity.shingles import unique_of, unique_per_row
from evalsuite.similarity.tokens import Joined, joined, tokenise


def test_rows_taken_of_two_tables_are_rows_of_the_joined_table() -> None:
    first = tokenise(pl.Series(["a b", "", "c d e", "f not 3"]))
    second = tokenise(pl.Series(["x", "y z", "", "4 b b"]))
    rows = np.array([3, 0, 2])
    seen = Joined(first, second, rows)
    whole = joined(first.take(rows), second.take(rows))
    assert len(seen) == 3
    assert seen.lengths.tolist() == whole.lengths.tolist()
    some = np.array([2, 0, 0])
    assert seen.take(some).hashes.tolist() == whole.take(some).hashes.tolist()
    assert seen.take(some).offsets.tolist() == whole.take(some).offsets.tolist()


def test_distinct_tokens_of_some_rows_are_those_of_the_rows_alone() -> None:
    table = tokenise(pl.Series([f"w{n % 7} w{n % 3} w{n % 7} {n}" for n in range(1500)]))
    rows = np.arange(0, 1500, 2)[::-1]
    found, alone = unique_of(table, rows), unique_per_row(table.take(rows))
    assert found.hashes.tolist() == alone.hashes.tolist()
    assert found.offsets.tolist() == alone.offsets.tolist()
    assert unique_of(table, rows[:0]).hashes.size == 0
