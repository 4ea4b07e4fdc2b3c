import random
from itertools import pairwise

from tui.glyphs import ASCII, UNICODE
from tui.series import Series
from tui.widgets.dots import columns, curve, dots, small_curve


def drawn(values, **options):
    series = Series(tuple(range(len(values))), tuple(values))
    size = {"width": 10, "height": 3, "last_step": len(values) - 1, "low": 0.0, "high": 1.0}
    return curve(series, **{**size, **options})


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right():
    rows = drawn([0.0, 1.0], glyphs=UNICODE)
    assert rows[0][-1] != " "
    assert rows[2][0] != " "


def test_a_line_has_no_gaps():
    series = Series((0, 3, 40, 100), (0.0, 1.0, 0.1, 0.9))
    spans = columns(series, width=60, height=40, last_step=100, low=0.0, high=1.0)
    bits = dots(spans, 40)
    assert all(bits)
    for left, right in pairwise(bits):
        reach = left | left << 1 | left >> 1
        assert reach & right


def test_a_spike_of_one_step_is_seen_however_long_the_run():
    values = [0.1] * 100_000
    values[33_333] = 1.0
    rows = drawn(values, glyphs=UNICODE)
    assert rows[0].strip()


def test_a_column_shows_the_first_lowest_highest_and_last_of_what_falls_into_it():
    chosen = random.Random(7)
    for _ in range(50):
        steps = tuple(sorted(chosen.sample(range(400), chosen.randrange(1, 200))))
        values = tuple(chosen.uniform(-1, 1) for _ in steps)
        spans = columns(Series(steps, values), width=30, height=9, last_step=350, low=-1, high=1)
        rows: dict[int, list[int]] = {}
        for step, value in zip(steps, values, strict=True):
            rows.setdefault(min(29, round(step * 29 / 350)), []).append(round((value + 1) * 4))
        assert {x: span for x, span in enumerate(spans) if span is not None} == {
            x: (seen[0], min(seen), max(seen), seen[-1]) for x, seen in rows.items()
        }


def test_a_value_outside_the_range_stays_inside_the_picture():
    rows = drawn([-5.0, 7.0], glyphs=UNICODE)
    assert len(rows) == 3
    assert all(len(row) == 10 for row in rows)


def test_without_braille_a_curve_is_ascii():
    rows = drawn([1.0, 0.5, 0.0], glyphs=ASCII)
    assert "".join(rows).isascii()
    assert rows[0].strip()
    assert rows[-1].strip()


def test_a_small_curve_fills_its_width_and_no_more():
    series = Series(tuple(range(100)), tuple(1 / (step + 1) for step in range(100)))
    for glyphs in (UNICODE, ASCII):
        text = small_curve(series, width=10, last_step=99, glyphs=glyphs)
        assert len(text) == 10
        assert text.strip()


def test_half_a_run_fills_half_of_its_small_curve():
    series = Series(tuple(range(50)), tuple(float(step) for step in range(50)))
    text = small_curve(series, width=10, last_step=99, glyphs=UNICODE)
    assert text[:5].strip()
    assert not text[6:].strip()


def test_a_constant_loss_is_a_line_and_nothing_is_blank():
    flat = Series((0, 1, 2), (0.5, 0.5, 0.5))
    assert small_curve(flat, width=4, last_step=2, glyphs=UNICODE).strip()
    assert small_curve(Series(), width=4, last_step=2, glyphs=UNICODE) == "    "
