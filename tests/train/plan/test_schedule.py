"""The order of rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.plan.schedule import Schedule, make_schedule


def schedule(**changes: Any) -> Schedule:
    options: dict[str, Any] = {
        "train_rows": 50,
        "replay_rows": 30,
        "replay_share": 0.0,
        "lengths": list(range(80)),
        "batch_size": 8,
        "micro_batch_size": 4,
        "steps": 10,
        "epochs": None,
        "seed": 0,
    }
    return make_schedule(**{**options, **changes})


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    assert np.array_equal(schedule().order, schedule().order)
    assert not np.array_equal(schedule().order, schedule(seed=1).order)


def test_an_epoch_sees_every_row_once_in_an_order_of_its_own() -> None:
    made = schedule(steps=None, epochs=2)
    first, second = made.order[:50], made.order[50:]
    assert Counter(made.order.tolist()) == {row: 2 for row in range(50)}
    assert not np.array_equal(first, second)
    assert made.steps == 13
    assert [len(made.batch(step)) for step in range(13)] == [8] * 12 + [4]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("batch_size", [8, 32])
def test_the_replay_share_is_exact(share: float, batch_size: int) -> None:
    made = schedule(replay_share=share, batch_size=batch_size, steps=40)
    counts = [int((made.batch(step) >= 50).sum()) for step in range(40)]
    assert sum(counts) == int(40 * batch_size * share + 1e-9)
    assert max(counts) - min(counts) <= 1
    if (batch_size * share) % 1 == 0:
        assert set(counts) == {round(batch_size * share)}


def test_a_last_smaller_step_keeps_the_share_and_every_row_of_the_dataset() -> None:
    made = schedule(replay_share=0.5, steps=None, epochs=1)
    train = [row for row in made.order.tolist() if row < 50]
    assert sorted(train) == list(range(50))
    assert len(made.order) == 100
    assert len(made.batch(made.steps - 1)) == 4


def test_the_longest_rows_of_a_batch_come_first_so_that_micro_batches_pad_little() -> None:
    made = schedule()
    for step in range(made.steps):
        batch = made.batch(step).tolist()
        assert batch == sorted(batch, reverse=True)


def test_micro_batches_are_the_batch() -> None:
    made = schedule(batch_size=6, micro_batch_size=2)
    for step in range(made.steps):
        parts = list(made.micro_batches(step))
        assert [len(part) for part in parts] == [2, 2, 2]
        assert np.array_equal(np.concatenate(parts), made.batch(step))


@settings(max_examples=60, deadline=None)
@given(
    train_rows=st.integers(1, 40),
    replay_rows=st.integers(0, 40),
    share=st.floats(0.05, 0.95).map(lambda value: round(value, 2)),
    batch_size=st.integers(1, 16),
    epochs=st.floats(0.1, 3.0),
)
def test_epochs_are_kept_to_the_row(
    train_rows: int, replay_rows: int, share: float, batch_size: int, epochs: float
) -> None:
    made = schedule(
        train_rows=train_rows,
        replay_rows=replay_rows,
        replay_share=share,
        batch_size=batch_size,
        micro_batch_size=1,
        lengths=[5] * (train_rows + replay_rows),
        steps=None,
        epochs=epochs,
    )
    wanted = max(1, round(epochs * train_rows))
    assert int((made.order < train_rows).sum()) == wanted
    assert all(0 < len(made.batch(step)) <= batch_size for step in range(made.steps))
