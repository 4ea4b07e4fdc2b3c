"""Curves of runs: all points kept, drawn from blocks, averaged, on axes that seldom move."""

import json
import math
import time

import pytest

from tui.curves.axis import Scale, widened_decades
from tui.curves.choice import Choice
from tui.curves.plot import STYLES, Window, draw, extremes
from tui.curves.record import RunCurves
from tui.curves.smoothing import Smoothed
from tui.curves.track import BLOCK, Track
from tui.glyphs import ASCII, UNICODE


def track_of(values, first=1):
    track = Track()
    for step, value in enumerate(values, first):
        track.add(step, value)
    return track


def curves_of(directory, events, torn=""):
    directory.mkdir(exist_ok=True)
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (directory / "events.jsonl").write_text(lines + torn)
    curves = RunCurves(directory)
    while curves.pending:
        curves.read(1 << 20)
    return curves


def metrics(step, **fields):
    return {"kind": "metrics", "time": 1000.0 + step, "step": step, "max_steps": 100, **fields}


@pytest.mark.parametrize("start", [0, 1, 63, 64, 100, 1000])
@pytest.mark.parametrize("end", [1001, 1024, 4999, 5000])
def test_a_span_has_the_extremes_of_its_points(start, end):
    values = [math.sin(place * 1.7) * place for place in range(5000)]
    track = track_of(values)
    span = track.span(start, end)
    # a wide span is made of whole blocks, so that its ends may be off by less than one
    near = values[max(0, start - BLOCK) : end + BLOCK]
    assert min(near) <= span.low <= min(values[start:end])
    assert max(values[start:end]) <= span.high <= max(near)


def test_a_spike_of_one_step_is_drawn_among_a_million():
    track = track_of([1.0] * 300_000 + [9.0] + [1.0] * 699_999)
    window, scale = Window(0, 1_000_000), Scale(0.0, 10.0)
    cells = draw([(track, STYLES[0])], window, scale, 160, 20, UNICODE)
    upper = ["".join(cell for cell, _ in row) for row in cells[:8]]
    assert [row.index(next(c for c in row if c != " ")) for row in upper if row.strip()] == [
        48
    ] * sum(bool(row.strip()) for row in upper)
    assert sum(bool(row.strip()) for row in upper) >= 6


def test_a_million_points_are_drawn_in_milliseconds():
    track = track_of([math.sin(place / 1e4) for place in range(1_000_000)])
    window, scale = Window(0, 1_000_000), Scale(-1.0, 1.0)
    took = []
    for _ in range(3):
        began = time.process_time()
        draw([(track, STYLES[0])], window, scale, 160, 40, UNICODE)
        extremes([track], window, is_log=False)
        took.append(time.process_time() - began)
    assert min(took) < 0.05


def test_what_is_not_finite_is_a_gap_and_takes_no_part_in_the_axis():
    track = track_of([1.0, 1.0, math.nan, math.inf, 1.0, 1.0])
    assert list(track.steps) == [1, 2, 5, 6]
    assert list(track.odd_steps) == [3, 4]
    assert extremes([track], Window(0, 6), is_log=False) == (1.0, 1.0)
    assert math.isnan(track.value_at(3))
    (row,) = draw([(track, STYLES[0])], Window(1, 6), Scale(0, 2), 26, 1, UNICODE)
    text = "".join(cell for cell, _ in row)
    assert text[:5].strip() and text[-5:].strip()
    assert text[8:18].strip() == ""
    whole = track_of([1.0] * 6)
    (row,) = draw([(whole, STYLES[0])], Window(1, 6), Scale(0, 2), 26, 1, UNICODE)
    assert " " not in "".join(cell for cell, _ in row)


def test_a_resume_replaces_what_came_after_its_checkpoint_in_the_average_too():
    track = track_of([1.0] * 200)
    smoothed = Smoothed(track, 10)
    smoothed.extend()
    for step in range(100, 201):
        track.add(step, 3.0)
    smoothed.extend()
    assert len(track) == len(smoothed.track) == 200
    assert track.span(0, 200).high == 3.0
    assert smoothed.track.values[98] == pytest.approx(1.0)
    assert smoothed.track.values[-1] == pytest.approx(3.0, abs=1e-6)


def test_an_average_grows_point_by_point_as_it_would_at_once():
    values = [math.cos(place) for place in range(300)]
    track, grown = Track(), None
    grown = Smoothed(track, 50)
    for step, value in enumerate(values, 1):
        track.add(step, math.nan if step == 77 else value)
        grown.extend()
    whole = Smoothed(track, 50)
    whole.extend()
    assert list(grown.track.values) == list(whole.track.values)
    mean, weight = values[0], 2 / 51
    for value in values[1:10]:
        mean += weight * (value - mean)
    assert grown.track.values[9] == pytest.approx(mean)


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show():
    track = track_of([0.0, -1.0, 0.003, 40.0])
    assert extremes([track], Window(0, 4), is_log=True) == (0.003, 40.0)
    assert widened_decades(None, 0.003, 40.0) == (0.002, 50.0)
    assert extremes([track_of([0.0, -1.0])], Window(0, 4), is_log=True) is None
    ticks = Scale(0.002, 50.0, is_log=True).ticks(20, 6)
    assert set(ticks.values()) <= {"0.01", "0.1", "1", "10"} and len(ticks) >= 3


def test_a_positive_spike_beside_what_is_shown_does_not_break_a_logarithmic_axis():
    track = track_of([5.0] + [-1.0] * 999, first=0)
    assert extremes([track], Window(1, 999), is_log=True) is None
    track = track_of([5.0] + [-1.0] * 500 + [2.0] + [-1.0] * 498, first=0)
    assert extremes([track], Window(1, 999), is_log=True) == (2.0, 2.0)


def test_runs_over_each_other_differ_without_colour():
    tracks = [track_of([float(height)] * 100, 0) for height in (1, 2, 3, 4)]
    drawn = list(zip(tracks, STYLES, strict=True))
    for glyphs in (UNICODE, ASCII):
        cells = draw(drawn, Window(0, 99), Scale(0, 5), 60, 24, glyphs)
        rows = {"".join(cell for cell, _ in row) for row in cells}
        assert len({row for row in rows if row.strip()}) == 4
        roles = {role for row in cells for _, role in row if role}
        assert roles == {style.role for style in STYLES}


def test_events_become_metrics_probes_alarms_and_pace(tmp_path):
    events = [
        {"kind": "start", "from_step": 0, "max_steps": 100},
        {"kind": "rehearsal", "measured": {"peak_bytes": 12345}},
        {"kind": "probe", "step": 0, "scores": {"t/a": 0.1, "r/b": 0.9}},
        metrics(1, loss=2.0, grad_norm="nan", values={"reward": 0.5, "kl": 0.01}),
        metrics(2, loss=1.5, grad_norm="inf", values={"reward": 0.6, "kl": 0.02}),
        {"kind": "probe", "step": 2, "scores": {"t/a": 0.6, "r/b": 0.7}, "target": 0.6,
         "beyond": ["r/b"], "best": 2},
        {"kind": "alarm", "step": 2, "alarm": "forgetting", "what": "fell"},
        ["not", "an", "event"],
        {"kind": "metrics", "step": "two", "loss": 1},
        {"kind": "metrics", "step": -4, "loss": 1},
        {"kind": "metrics", "step": 10**30, "loss": 1},
        {"kind": "probe", "step": 3, "scores": "none"},
        {"kind": "alarm", "what": {"deep": 1}},
        {"kind": "probe", "step": 2**63, "scores": {"t/a": 0.1}},
        {"kind": "alarm", "step": 2**63, "what": "late"},
    ]  # fmt: skip
    curves = curves_of(tmp_path / "job", events, torn='{"kind": "metrics", "step": 3, "lo')
    assert curves.names == [
        "loss", "grad_norm", "step_seconds", "kl", "reward", "probe r/b", "probe t/a",
        "probe target",
    ]  # fmt: skip
    assert list(curves.tracks["loss"].values) == [2.0, 1.5]
    assert list(curves.tracks["grad_norm"].odd_steps) == [1, 2]
    assert list(curves.tracks["step_seconds"].values) == [1.0]
    assert curves.peak_bytes == 12345
    assert [alarm.name for alarm in curves.alarms] == ["forgetting", "alarm", "alarm"]
    assert [alarm.step for alarm in curves.alarms] == [2, None, None]
    assert [probe.step for probe in curves.probes] == [0, 2]
    assert curves.probes[1].beyond == ("r/b",)
    assert curves.pace.remaining_seconds(100) == 98.0


def test_a_later_attempt_takes_back_what_it_does_again(tmp_path):
    events = [metrics(step, loss=1.0) for step in range(1, 21)]
    events += [{"kind": "start", "from_step": 10, "max_steps": 100, "attempt": 2}]
    curves = curves_of(tmp_path / "job", events)
    assert curves.tracks["loss"].last_step == 10
    with (tmp_path / "job" / "events.jsonl").open("a") as stream:
        stream.write(json.dumps(metrics(11, loss=0.5)) + "\n")
    curves.read(1 << 20)
    assert list(curves.tracks["loss"].steps) == list(range(1, 12))
    assert curves.tracks["loss"].values[-1] == 0.5


def test_zooming_keeps_the_cursor_in_view_and_stays_within_the_run():
    choice = Choice(cursor=10)
    for _ in range(20):
        choice = choice.zoomed(0.5, 1000)
    window = choice.shown(1000)
    assert window.width == pytest.approx(4) and window.first <= 10 <= window.last
    assert choice.moved(900, 1000).shown(1000).last == pytest.approx(900)
    assert choice.panned(-1e9, 1000).shown(1000).first == 0
    for _ in range(20):
        choice = choice.zoomed(2.0, 1000)
    assert choice.window is None
