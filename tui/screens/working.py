"""What screens of data share: work in threads that tells how far it is and can be overtaken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from textual.message import Message

from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.widgets.said import Said
from workspace.errors import TemperError, UsageError

if TYPE_CHECKING:
    from tui.app import TemperApp
    from tui.browse.table import Table

_TELL_SECONDS = 0.1
Tell = Callable[[str], None]
Check = Callable[[], None]


class Overtaken(Exception):
    """Something newer is wanted, or the screen is gone."""


def is_overtaken(check: Check) -> bool:
    """Return whether a check would end the work."""
    try:
        check()
    except Overtaken:
        return True
    return False


class WorkingScreen(LiveScreen):
    """A screen whose threads post what they found, and never touch a widget."""

    @dataclass
    class Done(Message):
        """A thread has something to show."""

        then: Callable[[], None]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.root = root
        self.said = Said(glyphs)
        self._requests: dict[str, int] = {}
        self._is_left = False

    def show(self, update: Update) -> None:
        """Nothing here changes by itself."""

    def later(self, group: str, work: Callable[[Tell, Check], None]) -> None:
        """Do something in a thread; a newer request of the same group ends it.

        Args:
            group: what it is about.
            work: is given what tells how far it is, and what ends it when it is overtaken.
        """
        request = self._requests[group] = self._requests.get(group, 0) + 1
        told = 0.0

        def check() -> None:
            if self._requests[group] != request or self._is_left:
                raise Overtaken

        def tell(text: str) -> None:
            nonlocal told
            check()
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                self.done(lambda: self.said.show(text, "muted"))

        def run() -> None:
            try:
                work(tell, check)
            except Overtaken:
                pass
            except TemperError as error:
                told_error = str(error)
                self.done(lambda: self.said.show(told_error, "bad"))
            except Exception as error:  # else the screen would say for ever that it works
                what = f"{type(error).__name__}: {error}".strip()
                self.done(lambda: self.said.show(f"This failed by a fault: {what}", "bad"))

        self.run_worker(run, thread=True, group=group, exit_on_error=False)

    def done(self, then: Callable[[], None]) -> None:
        """Have something done in the app's own thread; called from another."""
        self.post_message(self.Done(then))

    def on_working_screen_done(self, message: Done) -> None:
        """Show what a thread found."""
        if not self._is_left:
            message.then()

    def copy_row(self, table: Table, number: int, view: Literal["chat", "json"]) -> None:
        """Read a row in a thread, and copy all of it when it is there."""

        def work(tell: Tell, check: Check) -> None:
            from tui.browse.reading import row_text

            text = row_text(table, number, view)
            check()
            self.done(lambda: cast("TemperApp", self.app).copy_to_clipboard(text))

        self.later("copy", work)

    def recipe_of(self, dataset: str) -> list[str] | None:
        """Return what names the recipe of a dataset in a command; None where that is not known."""
        from tui.browse.changing import recipe_of

        try:
            return recipe_of(cast("TemperApp", self.app).snapshot.recipes, dataset, "curate")
        except UsageError as error:
            self.said.show(str(error), "bad")
            return None

    def on_unmount(self) -> None:
        """Let what is under way end, also where the app does."""
        self._is_left = True

    def leave(self, answer: object = None) -> None:
        """Close the screen; what is under way for it ends."""
        self._is_left = True
        self.dismiss(answer)  # type: ignore[arg-type]
