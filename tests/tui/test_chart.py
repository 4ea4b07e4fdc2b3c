from pathlib import Path

import pytest

from tui import glyphs
from tui.progress import Metrics
from tui.series import Series
from tui.snapshot import RunRow
from tui.widgets.chart import Chart, widened


def series(*values: float) -> Series:
    return Series(tuple(range(len(values))), values)


def test_a_range_that_holds_the_curve_is_kept():
    assert widened((0.0, 4.0), series(3.9, 0.1)) == (0.0, 4.0)


def test_a_loss_that_falls_near_zero_has_an_axis_from_zero():
    low, high = widened(None, series(2.7, 0.2))
    assert low == 0.0
    assert high == pytest.approx(3.0)


def test_a_loss_far_from_zero_is_not_squeezed_flat():
    low, high = widened(None, series(2.0, 1.9, 1.8))
    assert 1.5 < low <= 1.8
    assert 2.0 <= high < 2.3


def test_a_range_only_ever_widens():
    known = widened(None, series(9.0, 8.9))
    for last in (8.5, 7.0, 4.0, 1.0, 0.01):
        wider = widened(known, series(9.0, last))
        assert wider[0] <= known[0]
        assert wider[1] >= known[1]
        known = wider
    assert known[0] == 0.0


def test_a_falling_loss_seldom_moves_the_axis():
    known, moves = None, 0
    values = [9.0]
    for step in range(1, 300):
        values.append(9.0 * 0.98**step)
        wider = widened(known, series(*values))
        moves += wider != known
        known = wider
    assert moves <= 8


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-9, 1e12])
def test_a_single_value_has_a_range_around_it(value):
    low, high = widened(None, series(value))
    assert low <= value <= high
    assert low < high


@pytest.mark.parametrize(
    ("steps", "labels"),
    [(1, "0 1"), (3, "0 1 2 3"), (30, "0 8 15 22 30"), (200, "0 50 100 150 200")],
)
def test_no_two_labels_of_the_steps_are_alike(steps, labels):
    row = RunRow("a", Path("a"), "finished", metrics=Metrics(step=steps, max_steps=steps))
    _, below = Chart(glyphs.UNICODE)._axis(row, 70)
    assert "".join(text for text, _ in below).split() == labels.split()
