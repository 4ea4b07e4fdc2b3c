import math

from tui.series import MOST_POINTS, Pace, SeriesBuilder


def test_points_come_back_in_the_order_of_steps():
    builder = SeriesBuilder()
    for step in (1, 2, 5):
        builder.add(step, step / 10)
    assert builder.freeze().steps == (1, 2, 5)
    assert builder.freeze().values == (0.1, 0.2, 0.5)


def test_nothing_new_gives_the_same_object():
    builder = SeriesBuilder()
    builder.add(1, 1.0)
    assert builder.freeze() is builder.freeze()


def test_a_resumed_run_replaces_the_steps_after_its_checkpoint():
    builder = SeriesBuilder()
    for step in range(1, 11):
        builder.add(step, 1.0)
    builder.add(6, 0.5)
    assert builder.freeze().steps == (1, 2, 3, 4, 5, 6)
    assert builder.freeze().values[-1] == 0.5


def test_a_loss_that_is_not_finite_is_no_point_but_still_rewinds():
    builder = SeriesBuilder()
    for step in (1, 2, 3):
        builder.add(step, 1.0)
    builder.add(2, math.nan)
    assert builder.freeze().steps == (1,)


def test_a_very_long_curve_is_thinned_and_keeps_its_spike():
    builder = SeriesBuilder()
    for step in range(100_000):
        builder.add(step, 99.0 if step == 12_345 else 1.0)
    series = builder.freeze()
    assert len(series) <= MOST_POINTS + 1
    assert max(series.values) == 99.0
    assert list(series.steps) == sorted(series.steps)


def test_the_remaining_time_is_not_upset_by_one_slow_step():
    pace = Pace()
    times = [0.0, 1.0, 2.0, 60.0, 61.0, 62.0]
    for step, time in enumerate(times):
        pace.add(time, step)
    assert pace.remaining_seconds(15) == 10.0


def test_the_remaining_time_is_unknown_before_two_steps():
    pace = Pace()
    assert pace.remaining_seconds(10) is None
    pace.add(0.0, 1)
    assert pace.remaining_seconds(10) is None


def test_the_remaining_time_begins_anew_with_another_attempt():
    pace = Pace()
    for step in range(10):
        pace.add(step * 1.0, step)
    pace.add(1000.0, 5)
    pace.add(1002.0, 6)
    assert pace.remaining_seconds(10) == 8.0
