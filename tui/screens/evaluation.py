"""One evaluation: the forest of its abilities, its verdict in words, and what else it found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.evaluations.opened import Compared, Opened, open_evaluation
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import ROLES, Glyphs
from tui.poller import Update
from tui.screens.moving import MovingScreen
from tui.temper import typed
from tui.widgets.evaluation_title import EvaluationTitle, PageNames
from tui.widgets.forest import Forest
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking
from tui.widgets.reading import Reading

_PICTURE = "abilities"


class EvaluationScreen(MovingScreen):
    """Everything that one evaluation found."""

    CSS_PATH = "evaluation.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("evaluation")]

    @dataclass
    class Read(Message):
        """The evaluation was read."""

        opened: Opened

    def __init__(self, glyphs: Glyphs, root: Path, path: Path) -> None:
        super().__init__()
        self._glyphs, self._root, self.path = glyphs, root, path
        self._opened: Opened | None = None
        self._model = 0
        self._page = 0
        self._title = EvaluationTitle(glyphs)
        self._pages = PageNames(glyphs)
        self._headline = Reading(glyphs, id="headline")
        self._forest = Forest(glyphs, id="forest")
        self._detail = Reading(glyphs, id="detail")
        self._reading = Reading(glyphs, id="page")
        self._hints = Hints(glyphs, "evaluation")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet says which page is shown."""
        yield self._title
        yield self._pages
        yield self._headline
        yield self._forest
        yield self._detail
        yield self._reading
        yield self._hints

    def on_mount(self) -> None:
        """Read the evaluation in a worker."""
        self._title.show(self.path.name, "", "reading")
        self.run_worker(self._read, thread=True, group="evaluation", exit_on_error=False)

    def _read(self) -> None:
        self.post_message(self.Read(open_evaluation(self.path, self._glyphs)))

    def on_evaluation_screen_read(self, message: Read) -> None:
        """Show what was read."""
        self._opened = message.opened
        self._show_model()

    def show(self, update: Update) -> None:
        """Say so if the evaluation is gone; what was read stays on the screen."""
        known = {row.path.name for row in update.snapshot.evaluations}
        if self._opened is not None and self.path.name not in known:
            self._title.show(self.path.name, "", "deleted")

    @property
    def moved(self) -> Picking | Reading:
        """The forest, or the page that is read."""
        return self._forest if self._names[self._page] == _PICTURE else self._reading

    @property
    def _compared(self) -> Compared | None:
        found = self._opened.compared if self._opened is not None else ()
        return found[self._model] if found else None

    @property
    def _names(self) -> list[str]:
        compared = self._compared
        if compared is None:
            pages = self._opened.pages if self._opened is not None else None
            return [*pages] if pages else ["verdict"]
        return [*([_PICTURE] if compared.forests else []), *compared.pages]

    def _show_model(self) -> None:
        assert self._opened is not None
        compared = self._compared
        if compared is None:
            self._title.show(self._opened.title, "broken" if self._opened.trouble else "")
        else:
            many = len(self._opened.compared)
            which = f"model {self._model + 1}/{many}" if many > 1 else ""
            against = f"{compared.tuned} against {compared.base}"
            self._title.show(against, compared.status, which or self._opened.title)
            role = ROLES.get(compared.status, "")
            mark = self._glyphs.marks.get(compared.status, "-")
            self._headline.show((Paragraph(compared.headline, "", mark, role),))
            self._forest.show(compared.forests)
        self._page = min(self._page, len(self._names) - 1)
        self._show_page()

    def _show_page(self) -> None:
        assert self._opened is not None
        name = self._names[self._page]
        self._pages.show(self._names, self._page)
        self.set_class(name != _PICTURE, "-paged")
        compared = self._compared
        pages = compared.pages if compared is not None else self._opened.pages
        if name != _PICTURE:
            self._reading.show(self._opened.trouble or (pages or {})[name])

    def on_picking_moved(self, message: Picking.Moved) -> None:
        """Show what is known of the picked ability."""
        compared, picked = self._compared, self._forest.picked
        if compared is not None and picked is not None:
            self._detail.show(compared.details[picked.name])

    def on_picking_chosen(self) -> None:
        """Open the answers of the ability that was clicked twice."""
        self.action_open()

    def action_pane(self, by: int) -> None:
        """Show the next page."""
        if self._opened is not None:
            self._page = (self._page + by) % len(self._names)
            self._show_page()

    def action_model(self) -> None:
        """Show the next model that was compared."""
        if self._opened is not None and len(self._opened.compared) > 1:
            self._model = (self._model + 1) % len(self._opened.compared)
            self._show_model()
        else:
            self.tell("One model was compared here.")

    def action_sort(self) -> None:
        """Order the abilities otherwise."""
        self.tell(self._forest.sort())

    def action_open(self) -> None:
        """Show the answers of the picked ability."""
        picked = self._forest.picked
        self._open_answers(picked.name if picked is not None and self.moved is self._forest else "")

    def action_changed(self) -> None:
        """Show the answers that changed in all abilities."""
        self._open_answers("")

    def _open_answers(self, ability: str) -> None:
        from tui.screens.answers import AnswersScreen

        if self._compared is None:
            self.tell("No answers were compared here.")
            return
        screen = AnswersScreen(self._glyphs, self._root, self.path, self._compared, ability)
        self.app.push_screen(screen)

    def action_whole(self) -> None:
        """Show all that is known of the picked ability."""
        from tui.screens.whole import WholeScreen

        compared, picked = self._compared, self._forest.picked
        if compared is not None and picked is not None:
            found = compared.details[picked.name]
            self.app.push_screen(WholeScreen(self._glyphs, picked.name, paragraphs=found))

    def copy_text(self) -> str:
        """Return where the HTML report is; the command that draws it where it is missing."""
        report = self.path / "report.html"
        return str(report) if report.is_file() else typed(["report", self.path.name])

    def action_measure(self) -> None:
        """Evaluate the same run again, or another."""
        from tui.screens.measure import MeasureScreen

        run = self._compared.run if self._compared is not None else ""
        self.app.push_screen(MeasureScreen(self._glyphs, self._root, run=run))

    def action_trends(self) -> None:
        """Show the scores of this model over all evaluations."""
        from tui.screens.trends import TrendsScreen

        model = self._compared.tuned if self._compared is not None else ""
        picked = self._forest.picked
        make = partial(TrendsScreen, self._glyphs, self._root, model=model)
        self.app.push_screen(make(ability=picked.name if picked is not None else ""))

    def action_bless(self) -> None:
        """Give this evaluation of this model a name."""
        from tui.screens.blessing import ask_to_bless

        model = self._compared.tuned if self._compared is not None else None
        ask_to_bless(self.temper, self.path.name, model)

    def action_against(self) -> None:
        """Hold this run against a blessed evaluation."""
        from tui.screens.blessing import ask_against

        if self._compared is not None:
            ask_against(self.temper, self._glyphs, self._root, self._compared.run)
