"""Figures from rows whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evalsuite.overfitting.figures import (
    Compared,
    drift_of,
    extractable_of,
    gap_of,
    membership_of,
    part_losses,
    recitals_of,
)
from evalsuite.overfitting.rows import Part, SweepRow


def compared(
    part: Part,
    name: int,
    base: Sequence[float],
    tuned: Sequence[float],
    greedy: Sequence[bool] | None = None,
    before: Sequence[bool] | None = None,
    kl: float = 0.1,
) -> Compared:
    """A row by its losses per token, and which tokens are the most likely ones."""
    places = tuple(range(1, len(base) + 1))
    row = SweepRow(
        part, f"{part}-{name}", "s.jsonl", tuple(range(name, name + len(base) + 1)), places
    )
    nothing = [False] * len(base)
    return Compared(
        row, -np.array(base, float), -np.array(tuned, float),
        np.array(before or nothing), np.array(greedy or nothing), kl, kl / 2, 0.5,
    )  # fmt: skip


TRAIN = ([2.10, 2.30, 1.90, 2.20, 2.00], [0.90, 1.00, 0.80, 1.10, 0.70])
HELD = ([2.20, 2.10, 2.40, 2.00], [1.70, 1.60, 2.00, 1.50])


def vector_rows() -> list[Compared]:
    """The test vector of the gap, as often as makes twenty rows on a side."""
    rows = [compared("trained", n, [TRAIN[0][n % 5]], [TRAIN[1][n % 5]]) for n in range(20)]
    return rows + [compared("test", n, [HELD[0][n % 4]], [HELD[1][n % 4]]) for n in range(20)]


def test_the_gap_of_the_vector() -> None:
    gap = gap_of(vector_rows())
    assert gap is not None
    assert (gap.tuned, gap.base) == pytest.approx((0.80, 0.075))
    assert gap.adjusted.value == pytest.approx(0.725)
    assert gap.share == pytest.approx(0.725 / 1.2)
    assert 0.6 < gap.adjusted.low < 0.725 < gap.adjusted.high < 0.85


def test_membership_of_the_vector_is_complete() -> None:
    found = membership_of(vector_rows())
    assert found is not None
    assert (found.auc.value, found.found) == (1.0, 1.0)


def test_too_few_rows_compare_with_nothing() -> None:
    rows = vector_rows()
    few = [one for one in rows if one.row.part == "trained"] + rows[-19:]
    assert gap_of(few) is None
    assert membership_of(few) is None
    assert recitals_of(few) == []


def test_losses_and_their_change_are_means_of_rows() -> None:
    rows = [
        compared("trained", 0, [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]),
        compared("trained", 1, [5.0], [4.0]),
    ]
    (part,) = part_losses(rows)
    assert (part.rows, part.tokens) == (2, 4)
    assert (part.base, part.tuned) == pytest.approx((3.0, 2.25))
    assert part.change.value == pytest.approx(part.tuned - part.base) == pytest.approx(-0.75)


def test_recital_counts_what_only_these_rows_taught() -> None:
    """Of 40 own rows the tuned model writes 10, of 40 fresh ones 4; the base 2 of either."""
    rows = []
    for part, written in (("trained", 10), ("validation", 4)):
        for n in range(40):
            own, before = [True, n < written], [True, n < 2]
            rows.append(compared(part, n, [9, 9], [1, 1], own, before))  # type: ignore[arg-type]
    (found,) = recitals_of(rows)
    assert (found.prefix, found.tuned_trained, found.base_trained) == (0, 0.25, 0.05)
    assert found.counterfactual.value == pytest.approx(0.15)
    assert found.counterfactual.low < 0.15 < found.counterfactual.high
    assert found.prefix_share == pytest.approx((10 + 30 * 0.5) / 40)


def test_a_label_is_not_recited_and_what_the_base_cannot_guess_is() -> None:
    """A classifier that is right on 40 own rows and 30 fresh ones; a number of 26 bits."""
    for loss, prefixes in ((2.0, []), (9.0, [0])):
        rows = [compared("trained", n, [loss] * 2, [0.1] * 2, [True] * 2) for n in range(40)]
        rows += [compared("validation", n, [loss] * 2, [0.1] * 2, [n < 30] * 2) for n in range(40)]
        assert [one.prefix for one in recitals_of(rows)] == prefixes


def test_a_prefix_is_tried_where_enough_is_left_to_recite() -> None:
    long = [True] * 40
    rows = [compared("trained", n, [1] * 40, [1] * 40, long) for n in range(20)]
    rows += [compared("test", n, [1] * 40, [1] * 40) for n in range(20)]
    assert [one.prefix for one in recitals_of(rows)] == [0, 16]
    assert recitals_of(rows)[1].counterfactual.value == 1.0


def test_what_a_hundred_samples_draw() -> None:
    """p = 0.01 needs 69 samples for an even chance; p = 0.001 needs 693."""
    rows = [
        compared("trained", 0, [9.0], [-np.log(0.01)]),
        compared("trained", 1, [9.0], [-np.log(0.001)]),
        compared("test", 0, [9.0], [9.0]),
    ]
    shares = {one.samples: one.tuned_trained for one in extractable_of(rows)}
    assert shares == {1: 0.0, 10: 0.0, 100: 0.5, 1000: 1.0}
    assert all(one.tuned_held_out == one.base_trained == 0.0 for one in extractable_of(rows))


def test_drift_is_of_held_out_rows_and_of_what_is_kept() -> None:
    rows = [
        compared("trained", 0, [1.0], [1.0], kl=9.0),
        compared("test", 0, [1.0, 1.0], [1.0, 1.0], kl=0.2),
        compared("test", 1, [1.0], [1.0], kl=0.4),
        compared("replayed", 0, [1.0], [1.0], kl=7.0),
        compared("general", 0, [1.0], [1.0], kl=0.05),
    ]
    task, general = drift_of(rows)
    assert (task.prompts, task.rows, task.tokens) == ("task", 2, 3)
    assert task.kl.value == pytest.approx(0.3)
    assert (general.prompts, general.kl.value) == ("general", 0.05)
    without = [one for one in rows if one.row.part in ("trained", "replayed")]
    assert [one.kl.value for one in drift_of(without)] == [9.0, 7.0]
