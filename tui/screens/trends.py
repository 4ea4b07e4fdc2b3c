"""Scores over all evaluations, and what is blessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.evaluations.trends import Trends, read_trends
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.screens.moving import MovingScreen
from tui.temper import typed
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking
from tui.widgets.reading import Reading
from tui.widgets.trend_chart import TrendChart
from tui.widgets.trend_list import TrendList


class TrendsScreen(MovingScreen):
    """The trend of each ability of each model; the picked one as a chart."""

    CSS_PATH = "trends.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("trends")]

    @dataclass
    class Read(Message):
        """All evaluations were read."""

        trends: Trends

    def __init__(self, glyphs: Glyphs, root: Path, *, model: str = "", ability: str = "") -> None:
        super().__init__()
        self._glyphs, self._root, self._wanted = glyphs, root, (model, ability)
        self._title = EvaluationTitle(glyphs)
        self._list = TrendList(glyphs, id="list")
        self._chart = TrendChart(glyphs, id="chart")
        self._notes = Reading(glyphs, id="notes")
        self._hints = Hints(glyphs, "trends")

    def compose(self) -> ComposeResult:
        """Put the chart between the list and what is blessed."""
        yield self._title
        yield self._list
        yield self._chart
        yield self._notes
        yield self._hints

    @property
    def moved(self) -> Picking:
        """The list."""
        return self._list

    def on_mount(self) -> None:
        """Read all evaluations in a worker."""
        self._title.show("Scores over all evaluations", "", "reading")

        def work() -> None:
            self.post_message(self.Read(read_trends(self._root)))

        self.run_worker(work, thread=True, group="trends", exit_on_error=False)

    def on_trends_screen_read(self, message: Read) -> None:
        """Show what was read."""
        trends = message.trends
        many = len({one.evaluation for line in trends.lines for one in line.points})
        self._title.show("Scores over all evaluations", "", f"{many} with scores")
        self._list.show(trends.lines, *self._wanted)
        self._notes.show(tuple(self._words(trends)))

    def _words(self, trends: Trends) -> Iterator[Paragraph]:
        if not trends.lines:
            yield Paragraph("No evaluation here has scores.", "strong")
        for name, what, why in trends.baselines:
            yield Paragraph(f"{what}{f': {why}' if why else ''}", "", f"blessed {name}", "accent")
        if not trends.baselines:
            yield Paragraph("No evaluation is blessed yet.", "muted")
            yield Paragraph("temper bless EVAL NAME", "accent", self._glyphs.prompt, "accent")
        for one in trends.troubles:
            yield Paragraph(one, "warn", "!", "warn")

    def on_picking_moved(self, message: Picking.Moved) -> None:
        """Show the picked line as a chart."""
        self._chart.show(self._list.picked)

    def on_picking_chosen(self) -> None:
        """Open the latest evaluation of the line that was clicked twice."""
        self.action_open()

    def action_open(self) -> None:
        """Open the latest evaluation of the picked line."""
        from tui.screens.evaluation import EvaluationScreen

        picked = self._list.picked
        if picked is not None:
            path = self._root / "evals" / picked.points[-1].evaluation
            self.app.push_screen(EvaluationScreen(self._glyphs, self._root, path))

    def copy_text(self) -> str:
        """Return the command that tells the same."""
        picked = self._list.picked
        if picked is None:
            return ""
        return typed(["history", picked.model, "--ability", picked.ability])
