"""The data screens on terminals without colours, with their own colours, and with ASCII alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.tui.data_rows import says, until
from tui import glyphs
from tui.app import TemperApp
from tui.screens.balance import BalanceScreen
from tui.screens.funnel import FunnelScreen
from tui.screens.pairs import PairsScreen
from tui.screens.row import RowScreen
from tui.screens.trying import TryScreen

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def walk(pilot: Pilot[None], seen: Callable[[str], object]) -> None:
    """Go through every data screen; `seen` is given what each shows."""
    app = pilot.app
    assert isinstance(app, TemperApp)
    await pilot.press("2")
    seen(await says(pilot, "near_duplicate"))
    await pilot.press("enter")
    await says(pilot, "41 rows")
    seen(await says(pilot, "chars  text"))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, RowScreen))
    seen(await says(pilot, "assistant"))
    await pilot.press("escape", "d")
    await until(pilot, lambda: isinstance(app.screen, FunnelScreen))
    text = await says(pilot, "exact_duplicates")
    seen(text)
    await pilot.press(*["j"] * _line_of(text, "near_duplicates"), "p")
    await until(pilot, lambda: isinstance(app.screen, PairsScreen))
    text = await says(pilot, "[+please+]")
    assert "[-" in text and "goes, if one goes" in text
    seen(text)
    await pilot.press("escape", "c")
    await until(pilot, lambda: isinstance(app.screen, TryScreen))
    await pilot.press("plus")
    seen(await says(pilot, "changed"))
    await pilot.press("escape", "escape", "v")
    await until(pilot, lambda: isinstance(app.screen, BalanceScreen))
    seen(await says(pilot, "times the rows of the smallest"))


def _line_of(text: str, step: str) -> int:
    lines = text.split("\n")
    titles = next(place for place, line in enumerate(lines) if "dropped and why" in line)
    found = next(place for place, line in enumerate(lines) if line.split()[:1] == [step])
    return found - titles - 1


@pytest.mark.parametrize(
    "theme", ["temper-dark", "ansi-dark", pytest.param("ansi-light", marks=pytest.mark.slow)]
)
async def test_without_colours_all_that_matters_is_a_character(root, monkeypatch, theme):
    monkeypatch.setenv("NO_COLOR", "1")
    app = TemperApp(root, theme=theme)
    assert app.no_color
    texts: list[str] = []
    async with app.run_test(size=(100, 36)) as pilot:
        await walk(pilot, texts.append)
    datasets, rows, row, funnel, _pairs, trying, balance = texts
    for text in (datasets, rows, funnel, trying, balance):
        body = text.split("\n")[1:]  # above is the line of modes
        if text is not datasets:
            assert "▌" in "\n".join(body), text
    assert "[chat]" in row and "[label" in balance
    assert not any(_CONTROLS.search(text) for text in texts)


async def test_with_the_terminals_own_colours_the_cursor_is_seen(root):
    app = TemperApp(root, theme="ansi-dark")
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.press("2")
        await says(pilot, "near_duplicate")
        await pilot.press("enter")
        await says(pilot, "rows.jsonl:2 ")
        lines = app.screen._compositor.render_strips()
        marked = [line for line in lines if any(one.style and one.style.reverse for one in line)]
        assert any("rows.jsonl:2 " in line.text for line in marked)


@pytest.mark.parametrize("size", [(80, 24), pytest.param((132, 36), marks=pytest.mark.slow)])
async def test_where_only_ascii_can_be_drawn_nothing_else_is(root, size):
    app = TemperApp(root, glyph_set=glyphs.ASCII, theme="ansi-dark")

    def is_ascii(text: str) -> None:
        # what the data says is not ours: the last rows hold other letters
        own = "\n".join(line for line in text.split("\n") if "\\x1b" not in line)
        assert own.isascii(), sorted({one for one in own if not one.isascii()})

    async with app.run_test(size=size) as pilot:
        await walk(pilot, is_ascii)
