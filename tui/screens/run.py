"""One run: its curves, its facts, its abilities and the end of its log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Log

from tui.actions import bindings
from tui.curves.choice import Choice
from tui.curves.record import RunCurves
from tui.glyphs import Glyphs
from tui.logs.folding import folded
from tui.poller import Update
from tui.screens.run_commanding import RunCommanding
from tui.snapshot import RunRow, Snapshot
from tui.widgets.abilities import Abilities
from tui.widgets.curve_pane import CurvePane, Shown
from tui.widgets.details import Details
from tui.widgets.hints import Hints
from tui.widgets.title import Title
from workspace.text import plain

_MOST_LOG_LINES = 200
_LEAP = 10
"""Parts of a chart in a leap of the cursor."""


class RunScreen(RunCommanding):
    """Everything there is on one run."""

    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("run")]
    follows_log = True

    def __init__(self, glyphs: Glyphs, snapshot: Snapshot, row: RunRow) -> None:
        super().__init__()
        self._glyphs = glyphs
        self.row = row
        self._rows = snapshot.runs
        self._shown: tuple[Shown, ...] = (Shown(row.label, RunCurves(row.job)),)
        self._choice = Choice()
        self._was_covered = False
        self._title = Title(glyphs)
        self._panes = (
            CurvePane(glyphs, id="curve", metric="loss"),
            CurvePane(glyphs, id="curve2", metric="grad_norm"),
        )
        self._panes[0].is_current = True
        self._details = Details(glyphs, snapshot.root, id="details")
        self._abilities = Abilities(glyphs, id="abilities")
        self._log = Log(id="log", max_lines=_MOST_LOG_LINES)
        self._log.can_focus = False
        self._hints = Hints(glyphs, "run")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._title
        with Container(id="curves"):
            yield from self._panes
        with Container(id="facts"):
            yield self._details
            yield self._abilities
        yield self._log
        yield self._hints

    def on_mount(self) -> None:
        """Show the run as it was when it was opened."""
        self._read_shown()
        self._show_row(self.row)

    def on_screen_suspend(self) -> None:
        """Remember that lines of the log may be missed."""
        self._was_covered = True

    def on_screen_resume(self) -> None:
        """Read the end of the log again after another screen was above."""
        if not self.is_current:  # closed with those above it
            return
        self._read_shown()
        if self._was_covered and self.row.job is not None:
            self._was_covered = False
            self._log.clear()
            self.temper.poller.follow(self.row.job / "log.txt")

    def on_unmount(self) -> None:
        """Read its curves no longer."""
        self.temper.poller.read_no_more(tuple(shown.curves for shown in self._shown))

    @property
    def _log_path(self) -> Path | None:
        return self.row.job / "log.txt" if self.row.job is not None else None

    @property
    def _curves(self) -> RunCurves:
        """Those of the run itself."""
        return self._shown[0].curves

    @property
    def _pane(self) -> CurvePane:
        """The one that keys go to."""
        return next(pane for pane in self._panes if pane.is_current)

    def show(self, update: Update) -> None:
        """Show what is new of this run; one that was deleted stays as it was last seen."""
        self._rows = update.snapshot.runs or self._rows
        row = next((row for row in update.snapshot.runs if row.id == self.row.id), None)
        if row is None:
            self._title.show(self.row, is_gone=True)
        elif row is not self.row:
            self._show_row(row)
        self._draw()
        if update.log_lines and update.log == self._log_path:
            lines = folded(map(_end, update.log_lines), "in the whole log")
            self._log.write_lines(lines)
            self.call_after_refresh(self._log.scroll_end, animate=False)

    def _show_row(self, row: RunRow) -> None:
        if row.job is not None and self.row.job is None:  # its record was unreadable before
            self._shown = (Shown(row.label, RunCurves(row.job)), *self._shown[1:])
            self._read_shown()
        self.row = row
        self.set_class(row.state == "finished", "-finished")
        self._title.show(row)
        self._details.show(row)
        self._abilities.show(row)
        self._draw()

    def _read_shown(self) -> None:
        self.temper.poller.read_too(tuple(shown.curves for shown in self._shown))

    def _draw(self) -> None:
        for pane in self._panes:
            pane.show(self._shown, self._choice)

    def action_back(self) -> None:
        """Go back to all runs."""
        self.dismiss(None)

    def action_open(self) -> None:
        """Show the rows of the step under the cursor, or of the latest one."""
        from tui.screens.batch import BatchScreen

        at = self._choice.cursor
        with self._curves.lock:
            tracks = self._curves.tracks
            track = tracks.get(self._pane.metric) or tracks.get("loss")
            step = at if at is not None else (track.last_step if track is not None else 0)
        if step < 1 or self.row.state == "broken":
            self.notify("There is no step here yet.", timeout=2)
            return
        self.app.push_screen(BatchScreen(self._glyphs, self.row, step))

    def action_probes(self) -> None:
        """Show what was learnt against what was forgotten, and what went wrong."""
        from tui.screens.probes import ProbesScreen

        self.app.push_screen(ProbesScreen(self._glyphs, self.row, self._curves))

    def action_log(self) -> None:
        """Show the log at full size."""
        from tui.screens.log import LogScreen

        log = self._log_path
        if log is None:
            self.notify("This run has no job, and so no log.", timeout=2)
            return
        self.app.push_screen(LogScreen(self._glyphs, self.row, log))

    def action_pane(self) -> None:
        """Send keys to the other chart, where two are shown."""
        if self._panes[1].display and self._panes[1].size.width:
            for pane in self._panes:
                pane.is_current = not pane.is_current
            self._draw()

    def action_move(self, by: int) -> None:
        """Show another metric."""
        names = list(
            dict.fromkeys(name for one in self._shown for name in one.curves.locked_names())
        )
        if not names:
            return
        place = names.index(self._pane.metric) if self._pane.metric in names else -by
        self._pane.metric = names[(place + by) % len(names)]
        self._draw()

    def action_cursor(self, by: int) -> None:
        """Move the cursor by a point, or by a column where there are many points in one."""
        end = self._pane.last_step
        per_column = self._choice.shown(end).width / (2 * self._pane.plot_columns)
        self._move_cursor(by, max(1, round(per_column)))

    def action_page(self, by: int) -> None:
        """Move the cursor by a part of what is shown."""
        width = self._choice.shown(self._pane.last_step).width
        self._move_cursor(by, max(1, round(width / _LEAP)))

    def _move_cursor(self, by: int, steps: int) -> None:
        """Move the cursor by at least a point; it begins at the latest one."""
        cursor = self._choice.cursor
        if cursor is None:
            self.action_last()
            return
        target = cursor + by * steps
        with self._curves.lock:  # a resume may take points away
            track = self._curves.tracks.get(self._pane.metric)
            place = track.nearest(target) if track is not None else None
            near = track.steps[place] if track is not None and place is not None else target
        target = near if (near - cursor) * by > 0 else target
        self._choose(self._choice.moved(target, self._pane.last_step))

    def action_first(self) -> None:
        """Put the cursor on the first step."""
        with self._curves.lock:
            track = self._curves.tracks.get(self._pane.metric)
            first = track.steps[0] if track is not None and len(track) else 0
        self._choose(self._choice.moved(first, self._pane.last_step))

    def action_last(self) -> None:
        """Put the cursor on the latest step."""
        with self._curves.lock:
            track = self._curves.tracks.get(self._pane.metric)
            last = track.last_step if track is not None else 0
        self._choose(self._choice.moved(last, self._pane.last_step))

    def action_mark(self, by: int) -> None:
        """Put the cursor on the next step at which something was wrong."""
        curves = self._curves
        with curves.lock:
            track = curves.tracks.get(self._pane.metric)
            steps = {alarm.step for alarm in curves.alarms if alarm.step is not None}
            steps |= set(track.odd_steps) if track is not None else set()
        at = self._choice.cursor if self._choice.cursor is not None else (-1 if by > 0 else 1 << 62)
        ahead = [step for step in steps if (step - at) * by > 0]
        if not ahead:
            self.notify("Nothing was wrong there.", timeout=2)
            return
        target = min(ahead) if by > 0 else max(ahead)
        self._choose(self._choice.moved(target, self._pane.last_step))

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more steps."""
        self._choose(self._choice.zoomed(factor, self._pane.last_step))

    def action_pan(self, share: float) -> None:
        """Show later or earlier steps."""
        self._choose(self._choice.panned(share, self._pane.last_step))

    def action_whole(self) -> None:
        """Show all steps, and no cursor."""
        self._choose(replace(self._choice, window=None, cursor=None))

    def action_scale(self) -> None:
        """Change between an even and a logarithmic axis."""
        self._pane.is_log = not self._pane.is_log
        self._draw()

    def action_smooth(self) -> None:
        """Average over more points, or not at all."""
        self._choice = self._choice.smoother()
        for shown in self._shown:
            shown.curves.smooth(self._choice.smooth)
        self._read_shown()  # the averages are made where the events are read
        self._draw()

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        self._draw()

    def action_overlay(self) -> None:
        """Choose other runs to lay over this one."""
        from tui.screens.overlay import Overlay

        others = [row for row in self._rows if row.id != self.row.id and row.job is not None]
        if not others:
            self.notify("There is no other run here.", timeout=2)
            return
        marked = [shown.run for shown in self._shown[1:]]
        self.app.push_screen(Overlay(self._glyphs, others, marked), self._lay_over)

    def _lay_over(self, marked: tuple[str, ...] | None) -> None:
        if marked is None:
            return
        known = {shown.run: shown for shown in self._shown[1:]}
        rows = {row.id: row for row in self._rows}
        others = [
            known.get(run) or Shown(rows[run].label, RunCurves(rows[run].job), run)
            for run in marked
            if run in rows
        ]
        self._shown = (self._shown[0], *others)
        for shown in self._shown:
            shown.curves.smooth(self._choice.smooth)
        self._read_shown()
        self._draw()


def _end(line: str) -> str:
    """Return what a terminal would show of a line: what stands behind its last return."""
    return plain(line.rstrip("\r").rsplit("\r", 1)[-1], limit=2000)
