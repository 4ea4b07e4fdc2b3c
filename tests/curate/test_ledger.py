"""The ledger finds every row that is missing or twice."""

from __future__ import annotations

import pytest

from curate.ledger import Count, Entry, Ledger, verify
from workspace.errors import WorkError


def balanced() -> Ledger:
    return Ledger(
        entries=[
            Entry("read", "a", Count(10), Count(9), {"bad_json": Count(1)}),
            Entry("read", "b", Count(5), Count(5)),
            Entry("near_duplicates", "a", Count(9, 90), Count(7, 70), {"near": Count(2, 20)}),
            Entry("near_duplicates", "b", Count(5, 50), Count(5, 50)),
        ],
        splits={"train": Count(10), "test": Count(2)},
    )


def test_a_balanced_ledger_passes() -> None:
    verify(balanced(), 3, {"train": 10, "test": 2})


def test_totals_add_rows_and_known_tokens() -> None:
    total = balanced().total("near_duplicates")
    assert (total.rows_in, total.kept) == (Count(14, 140), Count(12, 120))
    assert balanced().total("read").rows_in.tokens is None


@pytest.mark.parametrize(
    ("dropped", "rows", "says"),
    [
        (2, {"train": 10, "test": 2}, "dropped.parquet has 2 rows, not 3"),
        (3, {"train": 9, "test": 2}, "train has 9 rows, not 10"),
        (3, {"train": 10}, "test has None rows, not 2"),
    ],
)
def test_files_that_do_not_match_are_told(dropped: int, rows: dict[str, int], says: str) -> None:
    with pytest.raises(WorkError, match="does not balance") as caught:
        verify(balanced(), dropped, rows)
    assert says in caught.value.cause


def test_a_row_that_vanishes_within_a_step_is_told() -> None:
    ledger = balanced()
    ledger.entries[2].kept = Count(6)
    with pytest.raises(WorkError) as caught:
        verify(ledger, 3, {"train": 10, "test": 2})
    assert "near_duplicates of a: +1 rows" in caught.value.cause


def test_a_row_that_vanishes_between_steps_is_told() -> None:
    ledger = balanced()
    ledger.entries[3] = Entry("near_duplicates", "b", Count(4), Count(4))
    with pytest.raises(WorkError) as caught:
        verify(ledger, 3, {"train": 10, "test": 2})
    assert "read kept 14, near_duplicates was given 13" in caught.value.cause
