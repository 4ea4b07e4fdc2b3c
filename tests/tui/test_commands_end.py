"""What becomes of commands when the app or their screen ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from tests.tui.data_rows import until
from tui.app import TemperApp
from tui.browse.table import Row
from tui.screens.row import RowScreen
from tui.screens.working import WorkingScreen
from tui.temper import Outcome


def _wait(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


async def test_leaving_waits_for_no_command_and_ends_those_that_only_answer(made, monkeypatch):
    began: dict[str, bool] = {}
    ended: dict[str, bool] = {}
    is_released = threading.Event()

    def run(arguments, root, *, is_unwanted):
        began[arguments[0]] = threading.current_thread().daemon
        _wait(lambda: is_unwanted() or is_released.is_set())
        ended[arguments[0]] = is_unwanted()
        return Outcome(tuple(arguments), 0, "", "")

    monkeypatch.setattr("tui.temper.run_temper", run)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = WorkingScreen(app.glyphs, made.root)
        await app.push_screen(screen)
        app.run_temper(["batch", "--json"])
        await until(pilot, lambda: began)
        screen.leave()
        await until(pilot, lambda: ended == {"batch": True})
        app.run_temper(["preview", "--json"])
        app.run_temper(["stop", "a-job"])
        await until(pilot, lambda: len(began) == 3)
    _wait(lambda: ended == {"batch": True, "preview": True})
    assert began["stop"]
    is_released.set()
    _wait(lambda: ended.get("stop") is False)


async def test_leafing_through_rows_asks_about_the_last_one_only(made, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(RowScreen, "_ask", lambda screen, view, row, check: asked.append(row))
    opened = SimpleNamespace(is_dataset=True, path=made.root / "datasets/a/1", name="a")
    more = {name: None for name in Row.__slots__}
    table = SimpleNamespace(opened=opened, count=9, row=lambda n: Row(**{**more, "id": f"row-{n}"}))
    app = TemperApp(made.root)
    screen = RowScreen(app.glyphs, made.root, cast("Any", table), None, 0, "story")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        for _ in range(5):
            screen.action_neighbour(1)
        await until(pilot, lambda: "row-5" in asked)
        assert set(asked) <= {"row-0", "row-5"}
