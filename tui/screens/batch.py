"""The rows of one step: what was learnt from when the curve did that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.worker import get_current_worker

from tui.actions import bindings
from tui.batches import BatchRow, UnreadableBatch, lines_of, read_rows
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow
from tui.temper import Outcome, run_temper, typed
from tui.widgets.hints import Hints
from tui.widgets.pages import Pages
from tui.widgets.rows import Line, Rows, fit

if TYPE_CHECKING:
    from tui.app import TemperApp

_PAUSE_SECONDS = 0.2
"""Without another step, before one that was gone to is read."""


class BatchTitle(Rows):
    """Which step of which run, and the command that shows the same."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="title")
        self.shown = ("", "")

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        what, command = self.shown
        tail = f"{self.glyphs.prompt} {command} "
        tail = tail if len(tail) + len(what) + 2 <= width else ""
        return [
            (
                (fit(f" {what}", max(0, width - len(tail)), self.glyphs.ellipsis), "strong"),
                (tail, "accent"),
            )
        ]


class BatchScreen(LiveScreen):
    """Exactly the rows that one step was learnt from."""

    CSS_PATH = "batch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("batch")]

    @dataclass
    class Told(Message):
        """The rows of a step, as lines of a width."""

        step: int
        rows: list[BatchRow]
        width: int
        lines: list[Line]
        starts: list[int]
        """The line at which each row begins."""

    def __init__(self, glyphs: Glyphs, row: RunRow, step: int) -> None:
        super().__init__()
        self._row, self._step = row, step
        self._found: list[BatchRow] = []
        self._starts: list[int] = []
        self._at = 0
        self._title = BatchTitle(glyphs)
        self._pages = Pages(glyphs, id="pages")
        self._hints = Hints(glyphs, "batch")

    def compose(self) -> ComposeResult:
        """Put the rows below each other."""
        yield self._title
        yield self._pages
        yield self._hints

    def on_mount(self) -> None:
        """Ask for the rows."""
        self._ask()

    @property
    def _arguments(self) -> list[str]:
        return ["batch", self._row.label, str(self._step)]

    def _ask(self, wait_seconds: float = 0.0) -> None:
        """Ask for the rows of the step, once nobody has gone on to another for a moment."""
        self._found, self._at = [], 0
        self._title.shown = (f"step {self._step} of {self._row.label}", typed(self._arguments))
        self._title.redraw()
        self._pages.show([(("Reading the rows of this step.", "muted"),)])
        step, root = self._step, cast("TemperApp", self.app).snapshot.root
        arguments = ["batch", str(Path(self._row.path).resolve()), str(step), "--json"]

        def work() -> None:
            worker = get_current_worker()
            time.sleep(wait_seconds)
            if worker.is_cancelled:
                return
            outcome = run_temper(arguments, root, is_unwanted=lambda: worker.is_cancelled)
            if not worker.is_cancelled:
                self.post_message(self._read(step, outcome))

        self.run_worker(work, thread=True, exclusive=True, group="batch", exit_on_error=False)

    @property
    def _width(self) -> int:
        return max(10, self._pages.size.width)

    def _read(self, step: int, outcome: Outcome) -> Told:
        """Return the answer as lines; called in a thread."""
        try:
            if outcome.code:
                raise UnreadableBatch(outcome.said or outcome.output)
            rows = read_rows(outcome.output)
        except UnreadableBatch as error:
            told: list[Line] = [((line, "warn"),) for line in str(error).splitlines()]
            return self.Told(step, [], self._width, told, [])
        return self._wrapped(step, rows, self._width)

    def _wrapped(self, step: int, rows: list[BatchRow], width: int) -> Told:
        lines: list[Line] = []
        starts = []
        for number, row in enumerate(rows, 1):
            starts.append(len(lines))
            heading = f"row {number} of {len(rows)} · {row.heading}"
            lines.append(((fit(heading, width, "…"), "curve"),))
            if row.problem:
                lines.append(((fit(f"! {row.problem}", width, "…"), "bad"),))
            lines += [*lines_of(row, width), ()]
        return self.Told(step, rows, width, lines, starts)

    def on_batch_screen_told(self, message: Told) -> None:
        """Show the rows, if they are of the step that is looked at."""
        if message.step != self._step:
            return
        self._found, self._starts = message.rows, message.starts
        self._pages.show(message.lines)
        if message.width != self._width:
            self._wrap()

    def _wrap(self) -> None:
        """Wrap the rows for another width."""
        step, rows, width = self._step, self._found, self._width
        if rows:
            self.run_worker(
                lambda: self.post_message(self._wrapped(step, rows, width)),
                thread=True, exclusive=True, group="wrap", exit_on_error=False,
            )  # fmt: skip

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self.call_after_refresh(self._wrap)

    def show(self, update: Update) -> None:
        """Show nothing new: what was learnt from does not change."""

    def action_back(self) -> None:
        """Go back to the curves."""
        self.dismiss(None)

    def action_step(self, by: int) -> None:
        """Show the step before or behind."""
        step = self._step + by
        if 1 <= step <= (self._row.metrics.max_steps or step):
            self._step = step
            self._ask(_PAUSE_SECONDS)

    def action_next_row(self, by: int) -> None:
        """Go to the next row, or to the one before."""
        if not self._found:
            return
        top = self._pages.top
        ahead = [start for start in self._starts if (start - top) * by > 0]
        if ahead:
            self._pages.go(min(ahead) if by > 0 else max(ahead))

    def copy_text(self) -> str:
        """Return the command that prints the same."""
        return typed(self._arguments)

    def action_move(self, by: int) -> None:
        """Scroll by a line."""
        self._pages.go(self._pages.top + by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._pages.go(self._pages.top + by * max(1, self._pages.size.height - 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self._pages.go(0)

    def action_last(self) -> None:
        """Go to the end."""
        self._pages.go(1 << 40)
