"""Which rows share a sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.plan.packing import (
    at_once,
    best_fit_decreasing,
    fill_evenly,
    pack,
    padding,
    sequences_needed,
)
from train.plan.schedule import Schedule

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


def schedule(rows: int, batch: int) -> Schedule:
    offsets = np.array([*range(0, rows, batch), rows], dtype=np.int64)
    return Schedule(np.arange(rows, dtype=np.int64), offsets, 1)


def test_each_row_goes_to_the_fullest_sequence_with_room() -> None:
    assert best_fit_decreasing([7, 6, 4, 3, 3], 10) == [[0, 3], [1, 2], [4]]


@settings(max_examples=80, deadline=None)
@given(lengths=LENGTHS)
def test_every_row_is_packed_once_whole_and_within_the_capacity(lengths: list[int]) -> None:
    bins = best_fit_decreasing(lengths, 50)
    assert sorted(place for one in bins for place in one) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in one) <= 50 for one in bins)
    fewest = -(-sum(lengths) // 50)
    assert fewest <= len(bins) <= max(1, 2 * fewest)


@settings(max_examples=80, deadline=None)
@given(lengths=LENGTHS, more=st.integers(0, 5))
def test_filling_evenly_gives_the_asked_number_and_leaves_none_empty(
    lengths: list[int], more: int
) -> None:
    count = min(len(lengths), len(best_fit_decreasing(lengths, 50)) + more)
    bins = fill_evenly(lengths, count, 50)
    assert len(bins) == count and all(bins)
    assert sorted(place for one in bins for place in one) == list(range(len(lengths)))
    loads = [sum(lengths[place] for place in one) for one in bins]
    assert max(loads) <= 50 and loads == sorted(loads, reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 50), min_size=6, max_size=60),
    batch=st.integers(1, 12),
    wanted=st.integers(1, 5),
)
def test_steps_keep_their_rows_and_have_equally_many_sequences(
    lengths: list[int], batch: int, wanted: int
) -> None:
    tokens = np.array(lengths)
    plain = schedule(len(lengths), batch)
    needed = sequences_needed(plain, tokens, 50)
    size = at_once(needed, batch, wanted)
    packed = pack(plain, tokens, capacity=50, needed=needed, size=size)
    counts = np.diff(packed.step_sequences)
    for step in range(plain.steps):
        assert sorted(packed.batch(step)) == sorted(plain.batch(step))
        micros = list(packed.micro_batches(step))
        assert np.array_equal(np.concatenate(micros), packed.batch(step))
        assert len(micros) <= packed.accumulation
        if len(plain.batch(step)) == batch or plain.steps == 1:
            assert counts[step] == counts[0] and len(micros) == packed.accumulation
    again = pack(plain, tokens, capacity=50, needed=needed, size=size)
    assert np.array_equal(again.order, packed.order) and np.array_equal(again.packs, packed.packs)


def test_padding_is_what_the_tensors_hold_beyond_the_rows() -> None:
    tokens = np.array([10, 6, 5, 3])
    plain = Schedule(np.arange(4), np.array([0, 4]), 2)
    assert padding(plain, tokens, flat=False).tolist() == [0, 4, 0, 2]
    packed = pack(plain, tokens, capacity=13, needed=2, size=2)
    assert [one.tolist() for one in packed.sequences(0)] == [[0, 3], [1, 2]]
    assert padding(packed, tokens, flat=False).tolist() == [0, 0, 1, 1]
    assert padding(packed, tokens, flat=True).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("needed", "batch", "wanted", "expected"),
    [(7, 32, 4, 4), (9, 9, 4, 3), (5, 5, 3, 1), (1, 8, 4, 1)],
)
def test_whole_micro_batches_never_need_more_sequences_than_rows(
    needed: int, batch: int, wanted: int, expected: int
) -> None:
    found = at_once(needed, batch, wanted)
    assert found == expected and -(-needed // found) * found <= batch
