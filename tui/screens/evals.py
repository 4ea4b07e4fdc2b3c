"""Eval: all evaluations, with the verdict of the picked one in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from tui.actions import bindings
from tui.evaluations.rows import EvaluationRow
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import ROLES, Glyphs
from tui.poller import Update
from tui.screens.moving import MovingScreen
from tui.snapshot import unstamped
from tui.temper import typed
from tui.verdicts import Verdict
from tui.widgets.evaluation_table import EvaluationTable
from tui.widgets.header import Header
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking
from tui.widgets.reading import Reading


class EvalsScreen(MovingScreen):
    """The list of evaluations beside the picked one."""

    CSS_PATH = "evals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("eval")]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._glyphs, self._root = glyphs, root
        self._header = Header(glyphs)
        self._table = EvaluationTable(glyphs, id="table")
        self._preview = Reading(glyphs, id="preview")
        self._hints = Hints(glyphs, "eval")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._header
        with Container(id="body"):
            yield self._table
            yield self._preview
        yield self._hints

    @property
    def moved(self) -> Picking:
        """The list."""
        return self._table

    def show(self, update: Update) -> None:
        """Show what is new."""
        self._header.show(update.snapshot)
        self._table.show(update.snapshot.evaluations)

    def on_picking_moved(self, message: Picking.Moved) -> None:
        """Show the picked evaluation in words."""
        self._preview.show(tuple(self._words(self._table.picked)))

    def on_picking_chosen(self) -> None:
        """Open the evaluation that was clicked twice."""
        self.action_open()

    def _words(self, row: EvaluationRow | None) -> Iterator[Paragraph]:
        glyphs = self._glyphs
        if row is None:
            wanted = self._table.wanted
            none = "There is no evaluation yet. e chooses a run and suites, and starts one."
            told = f"No evaluation has {wanted!r}." if wanted else none
            yield Paragraph(told, "strong")
            yield Paragraph("temper eval --detach", "accent", glyphs.prompt, "accent")
            return
        mark = glyphs.marks.get(row.state, "-")
        yield Paragraph(row.headline or row.state, "strong", mark, ROLES.get(row.state, "muted"))
        for model, verdict in zip(row.models, row.verdicts, strict=False):
            yield from self._not_passed(f"{model}: " if len(row.verdicts) > 1 else "", verdict)
        if row.state not in ("broken", "dial"):
            command = typed(["logs" if row.is_job else "report", unstamped(row.id)])
            yield Paragraph(command, "accent", glyphs.prompt, "accent")
        is_inside = row.path.is_relative_to(self._root)
        path = row.path.relative_to(self._root) if is_inside else row.path
        yield Paragraph(str(path), "muted")

    def _not_passed(self, model: str, verdict: Verdict) -> Iterator[Paragraph]:
        """Yield the abilities that did not pass, those of one verdict on a line."""
        marks = self._glyphs.marks
        for word, said in (("fail", "failed"), ("inconclusive", "undecided")):
            found = [
                f"{one.name} {100 * one.difference:+.1f}"
                for one in verdict.abilities
                if one.verdict == word and one.difference is not None
            ]
            if found:
                told = f"{model}{said} {', '.join(found)}"
                yield Paragraph(told, "", marks[word], ROLES[word], indent=2)

    def action_open(self) -> None:
        """Open the picked evaluation, or follow the job that makes it."""
        row = self._table.picked
        if row is None:
            return
        if row.is_job:
            from tui.screens.measuring import MeasuringScreen

            self.app.push_screen(MeasuringScreen(self._glyphs, self._root, row.id))
        else:
            from tui.screens.evaluation import EvaluationScreen

            self.app.push_screen(EvaluationScreen(self._glyphs, self._root, row.path))

    def action_sort(self) -> None:
        """Go to the next order."""
        self._table.sort()

    def action_filter(self) -> None:
        """Ask for a text that evaluations must have."""
        from tui.screens.dialog import Ask

        def answered(text: str | None) -> None:
            if text is not None:
                self._table.filter(text.strip())

        question = "Show evaluations with (empty: all)"
        self.app.push_screen(Ask(question, self._table.wanted), answered)

    def action_whole(self) -> None:
        """Show all that is said of the picked one."""
        from tui.screens.whole import WholeScreen

        row = self._table.picked
        if row is not None:
            self.app.push_screen(WholeScreen(self._glyphs, row.id, paragraphs=[*self._words(row)]))

    def copy_text(self) -> str:
        """Return where the report is; of a job, its directory."""
        row = self._table.picked
        if row is None:
            return ""
        return str(row.path if row.is_job else row.path / "report.html")

    def action_measure(self) -> None:
        """Choose what to evaluate."""
        from tui.screens.measure import MeasureScreen

        self.app.push_screen(MeasureScreen(self._glyphs, self._root))

    def action_trends(self) -> None:
        """Show scores over all evaluations."""
        from tui.screens.trends import TrendsScreen

        self.app.push_screen(TrendsScreen(self._glyphs, self._root))

    def action_bless(self) -> None:
        """Give the picked evaluation a name."""
        from tui.screens.blessing import ask_to_bless

        row = self._table.picked
        if row is not None and not row.is_job:
            ask_to_bless(self.temper, row.path.name, None)

    def action_against(self) -> None:
        """Hold the run of the picked evaluation against a blessed one."""
        from tui.screens.blessing import ask_against

        row = self._table.picked
        if row is not None and row.verdicts:
            ask_against(self.temper, self._glyphs, self._root, unstamped(row.verdicts[0].run))
