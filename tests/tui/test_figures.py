import time

import pytest

from tui.figures import count, duration, measure, moment, nice_step


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (65, "1m05s"), (7830, "2h10m"), (273600, "3d04h")],
)
def test_durations_have_two_units_at_most(seconds, text):
    assert duration(seconds) == text


def test_counts_stay_short():
    assert [count(n) for n in (0, 9999, 12_345, 3_100_000)] == ["0", "9,999", "12.3k", "3.1M"]


def test_measures_have_four_digits():
    assert [measure(x) for x in (0.52134, 12.5, float("nan"))] == ["0.5213", "12.5", "nan"]


def test_today_needs_no_date():
    now = time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))
    assert moment(now - 3600, now) == "11:00"
    assert moment(now - 86400 * 3, now).startswith("17 ")
    assert moment(1e300) == ""


@pytest.mark.parametrize(
    ("span", "most", "step"), [(3, 4, 1), (10, 4, 5), (0.7, 4, 0.2), (1, 4, 0.5), (0, 4, 1)]
)
def test_ticks_are_at_round_numbers(span, most, step):
    assert nice_step(span, most) == pytest.approx(step)
