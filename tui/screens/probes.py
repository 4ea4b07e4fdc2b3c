"""Learnt against forgotten while a run trains and after a dial; what went wrong; what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message

from tui.actions import bindings
from tui.answers import answer_lines
from tui.curves.frontier import Standing, dialled, probed
from tui.curves.record import RunCurves
from tui.evaluations.rows import EvaluationRow
from tui.figures import duration, moment
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow
from tui.widgets.frontier import Frontier, Standings
from tui.widgets.hints import Hints
from tui.widgets.pages import Pages
from tui.widgets.rows import Line
from tui.widgets.title import Title
from workspace.text import plain

_FAR = 1 << 40


class ProbesScreen(LiveScreen):
    """What a run's probes found, beside the points of its dial."""

    CSS_PATH = "probes.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("probes")]

    @dataclass
    class Dialled(Message):
        """The points of the newest dial were read."""

        standings: list[Standing]

    def __init__(self, glyphs: Glyphs, row: RunRow, curves: RunCurves) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._row, self._curves = row, curves
        self._evals: tuple[EvaluationRow, ...] = ()
        self._dials: tuple[EvaluationRow, ...] = ()
        self._dialled: list[Standing] = []
        self._at, self._count = _FAR, 0
        self._shows_answers = False
        self._title = Title(glyphs)
        self._frontier = Frontier(glyphs, id="frontier")
        self._table = Standings(glyphs, id="standings")
        self._alarms = Pages(glyphs, id="alarms")
        self._hints = Hints(glyphs, "probes")

    def compose(self) -> ComposeResult:
        """Put the picture beside the table, and what went wrong below."""
        yield self._title
        with Container(id="points"):
            yield self._frontier
            yield self._table
        yield self._alarms
        yield self._hints

    def on_mount(self) -> None:
        """Show what is known; dials come with the first update."""
        self._title.show(self._row)
        self._draw()

    def _look_for_dials(self, evals: tuple[EvaluationRow, ...]) -> None:
        """Read the newest dial of the run, where there is another than before."""
        if evals is self._evals:
            return
        self._evals, before = evals, self._dials
        self._dials = tuple(
            row for row in evals if row.record is not None and row.record.dialled == self._row.id
        )
        if self._dials == before:
            return
        places = [row.path for row in self._dials]

        def read() -> None:
            self.post_message(self.Dialled(dialled(places)))

        self.run_worker(read, thread=True, exclusive=True, group="dial", exit_on_error=False)

    def on_probes_screen_dialled(self, message: Dialled) -> None:
        """Show its points behind the probes."""
        if message.standings != self._dialled:
            self._dialled = message.standings
            self._draw()

    def show(self, update: Update) -> None:
        """Show what is new of this run."""
        row = next((row for row in update.snapshot.runs if row.id == self._row.id), None)
        self._row = row or self._row
        self._title.show(self._row, is_gone=row is None)
        self._draw()
        self._look_for_dials(update.snapshot.evals)

    def _draw(self) -> None:
        with self._curves.lock:
            standings = [*probed(self._curves), *self._dialled]
            at = max(0, min(self._at, len(standings) - 1))
            step = standings[at].step if standings else None
            width = max(20, self._alarms.size.width)
            if self._shows_answers:
                lines = answer_lines(self._curves, step, width, self._glyphs)
            else:
                lines = self._told()
        self._frontier.show(standings, at)
        self._table.show(standings, at)
        self._alarms.show(lines)
        self._count = len(standings)

    def _told(self) -> list[Line]:
        """Return what a step costs, and the alarms, the latest first."""
        lines: list[Line] = [(("  ".join(self._costs()) or "Nothing was measured yet.", "muted"),)]
        if not self._curves.alarms:
            return [*lines, (("No alarm.", "muted"),)]
        for alarm in reversed(self._curves.alarms):
            step = "" if alarm.step is None else f"step {alarm.step}"
            when = moment(alarm.time) if alarm.time is not None else ""
            role = "muted" if alarm.name.endswith(" over") else "warn"
            what = f"{alarm.name}: {alarm.what}" if alarm.what else alarm.name
            lines.append(
                ((f"{step:<12}", "strong"), (f"{when}  ", "muted"), (plain(what, 400), role))
            )
        return lines

    def _costs(self) -> list[str]:
        curves, facts = self._curves, []
        forms = {"step_seconds": "{:.3g} s a step", "tokens_per_second": "{:,.0f} tokens/s"}
        for name, form in forms.items():
            track = curves.tracks.get(name)
            if track is not None and len(track):
                facts.append(form.format(track.values[-1]))
        left = curves.pace.remaining_seconds(curves.max_steps) if curves.max_steps else None
        if left is not None and self._row.state == "running":
            facts.append(f"{duration(left)} left")
        if curves.peak_bytes is not None:
            facts.append(f"{curves.peak_bytes / (1 << 30):.2f} GiB at the rehearsed peak")
        return facts

    def action_answers(self) -> None:
        """Show what the selected step said, or the alarms again."""
        self._shows_answers = not self._shows_answers
        self._alarms.go(0)
        self._draw()

    def action_back(self) -> None:
        """Go back to the alarms, then to the curves."""
        if self._shows_answers:
            self.action_answers()
        else:
            self.dismiss(None)

    def action_move(self, by: int) -> None:
        """Go to another point."""
        self._at = max(0, min(min(self._at, self._count - 1) + by, self._count - 1))
        self._draw()

    def action_page(self, by: int) -> None:
        """Go a page of points on."""
        self.action_move(by * max(1, self._table.size.height - 2))

    def action_first(self) -> None:
        """Go to the first point."""
        self.action_move(-_FAR)

    def action_last(self) -> None:
        """Go to the latest point."""
        self.action_move(_FAR)
