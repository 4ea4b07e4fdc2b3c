"""The rows of a plain file: found, gone to and searched, whatever else happens meanwhile."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import numpy as np
from rich.cells import cell_len

from tests.tui.data_rows import says, until
from tui.app import TemperApp
from tui.browse.searching import Found
from tui.screens.rows import RowsScreen
from tui.screens.trying import TryScreen
from tui.temper import Outcome


@asynccontextmanager
async def opened(root):
    """Show five rows."""
    ids = "abcde"
    told = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "say"}]
    lines = [json.dumps({"id": one, "messages": told}) for one in ids]
    (root / "rows.jsonl").write_text("\n".join(lines) + "\n")
    app = TemperApp(root)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_dataset(root / "rows.jsonl")
        await says(pilot, "5 rows")
        screen = app.screen
        assert isinstance(screen, RowsScreen)
        await until(pilot, lambda: screen.table is not None)  # while it is read, 5 rows are told
        yield pilot, screen


async def test_digits_are_a_number_first_and_a_hidden_row_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tui.browse.finding.numbers_of", lambda *_: np.array([4]))
    async with opened(tmp_path) as (pilot, screen):
        screen._jump("2")
        await until(pilot, lambda: screen.rows.cursor == 1)
        screen._arranged(np.array([4, 3]), 0)
        screen._jump("2")
        await says(pilot, "not among those shown")
        assert screen.rows.cursor == 0
        screen._jump("4")
        await until(pilot, lambda: screen.rows.cursor == 1)


async def test_a_search_that_ends_after_a_filter_finds_the_lines_shown_now(tmp_path):
    async with opened(tmp_path) as (_, screen):
        found = Found.of("say", np.array([False, False, False, True, False]), None)
        screen._arranged(np.array([4, 3]), 0)
        screen._searched(screen.table, found, None)
        assert screen._found.lines.tolist() == [1]
        assert screen.rows.cursor == 1


async def test_a_fault_in_a_thread_is_told(tmp_path):
    async with opened(tmp_path) as (pilot, screen):

        def work(tell, check):
            raise ValueError("what nobody thought of")

        screen.later("arrange", work)
        await says(pilot, "ValueError: what nobody thought of")


def test_what_was_counted_for_older_numbers_is_not_shown(tmp_path):
    screen = TryScreen(None, tmp_path, tmp_path, "tickets", "a step")
    told = []
    screen.said.show = lambda text, *_: told.append(text)
    screen._view.values = {"threshold": 0.8}
    screen._is_counting = True
    screen._counted(Outcome((), 0, "{}", ""), {"threshold": 0.7})
    assert not screen._is_counting
    assert "others now" in told[0]


async def test_a_megabyte_in_one_cell_is_browsed_opened_and_searched(tmp_path, text_of):
    long = "\u202e" + "word " * 220_000 + "needle"
    assert len(long.encode()) > 1 << 20
    path = tmp_path / "long.jsonl"
    rows = [{"text": long}, {"text": "שלום עולם 👩‍👩‍👧 short"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = TemperApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.open_dataset(path)
        text = await says(pilot, "short")
        assert "\u202e" not in text and "שלום" in text
        for line in text.split("\n"):
            assert cell_len(line) <= 80
        await pilot.press("slash", *"needle", "enter")
        await says(pilot, "needle")
        await pilot.press("g", "enter")
        await says(pilot, "word word")
        await pilot.press("G")
        text = await says(pilot, "needle")
        assert "\u202e" not in text
        await pilot.resize_terminal(20, 5)
        await pilot.press("g", "tab", "tab", "escape")
        await pilot.pause()
        assert len(text_of(app).split("\n")) == 5
