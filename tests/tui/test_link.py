"""The line is measured, and little is sent over a slow one."""

from __future__ import annotations

import pytest

from tests.tui.terminal import Terminal
from tui.app import TemperApp
from tui.link import ASK_EVERY_SECONDS, Link
from tui.widgets.tabs import Tabs


def answer(link: Link, at: float, seconds: float) -> None:
    assert link.may_ask(at)
    assert link.answered(at + seconds)


def test_one_late_answer_is_no_slow_line_and_two_are():
    link = Link()
    assert link.told(0) == "" and not link.answered(0)
    answer(link, 0, 0.5)
    assert not link.is_slow
    answer(link, 1, 0.02)  # it asks again at once
    assert not link.may_ask(2) and not link.is_slow
    answer(link, 100, 0.5)
    answer(link, 101, 0.4)
    assert link.is_slow and link.told(102).startswith("400 ms ")
    for at in (200, 300):
        answer(link, at, 0.05)
        assert link.is_slow
    answer(link, 400, 0.2)
    answer(link, 500, 0.05)
    answer(link, 600, 0.05)
    assert link.is_slow
    answer(link, 700, 0.05)
    assert not link.is_slow


def test_an_answer_that_never_came_is_not_mixed_up_with_a_later_one():
    link = Link()
    assert link.may_ask(0) and not link.may_ask(ASK_EVERY_SECONDS - 1)
    answer(link, ASK_EVERY_SECONDS, 0.03)
    assert link.round_trip == pytest.approx(0.03)
    assert not link.answered(ASK_EVERY_SECONDS + 1)


def test_bytes_are_counted_over_the_last_seconds():
    link = Link()
    for at in range(20):
        link.wrote(1024, at)
    assert link.written == 20 * 1024
    assert link.bytes_per_second(19) == pytest.approx(1024, rel=0.2)
    assert link.bytes_per_second(100) == 0


async def test_calm_means_sixteen_colours_half_the_looks_and_says_so(made, settled, text_of):
    app = TemperApp(made.root, calm=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert text_of(app).splitlines()[0].endswith("calm ")
        assert app.theme == "ansi-dark" and app.poller.period_seconds == 2.0
        await pilot.resize_terminal(20, 8)
        await settled(pilot)
        assert app.screen.query_one(Tabs).size.height <= 1


@pytest.mark.slow
def test_over_a_slow_line_it_steps_down_by_itself_and_says_so(made):
    made.run("live", state="running", steps=100)
    screen = Terminal(made.root)
    try:
        answered = 0
        for _ in range(200):
            screen.read_for(0.4)  # what a slow line adds
            asked = screen.output.count(b"\x1b[6n")
            if asked > answered:
                answered = asked
                screen.press(b"\x1b[1;1R")
            if answered >= 2 and b"calm" in screen.output:
                break
            screen.press(b"j")
        assert b"calm" in screen.output and b" ms " in screen.output
        screen.press(b"q")
        assert screen.exit_code() == 0
    finally:
        screen.close()
