"""One row: as a conversation, as JSON, as tokens with their loss, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from tui.actions import bindings
from tui.browse.deciding import short_name
from tui.browse.table import Table
from tui.browse.telling import NOT_TRAINED, TRAINED
from tui.browse.wrapping import wrapped
from tui.glyphs import Glyphs
from tui.screens.working import Check, Tell, WorkingScreen, is_overtaken
from tui.widgets.hints import Hints
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.rows import Line, Part
from tui.widgets.said import Said
from tui.widgets.text_lines import TextLines

if TYPE_CHECKING:
    from tui.app import TemperApp

VIEWS = ("chat", "json", "tokens", "story")
MARKS = (TRAINED, NOT_TRAINED)
_FAR = 1 << 40
_ASK_SECONDS = 0.15
"""A pause after which a command is asked about the row: not while rows are leafed through."""


class RowScreen(WorkingScreen):
    """The whole of one row; leaves with the line on which its table should be."""

    CSS_PATH = "row.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("row")]

    def __init__(
        self, glyphs: Glyphs, root: Path, table: Table, order: Any, line: int, view: str
    ) -> None:
        super().__init__(glyphs, root)
        self._table, self._order, self._line, self._view = table, order, line, view
        self._known: dict[tuple[str, str], list[Part]] = {}
        """What commands said of a row in a view; asked once."""
        self._pause: Timer | None = None
        self._title = Said(glyphs, id="title")
        self._tabs = PaneTabs(glyphs, id="views")
        self._text = TextLines(glyphs, id="text")
        self._hints = Hints(glyphs, "row")

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield self._title
        yield self._tabs
        yield self._text
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to read the row."""
        self._text.focus()

    def on_text_lines_resized(self) -> None:
        """Cut the text for the new width."""
        self._read()

    @property
    def _number(self) -> int:
        return self._line if self._order is None else int(self._order[self._line])

    @property
    def _count(self) -> int:
        return self._table.count if self._order is None else len(self._order)

    def _read(self) -> None:
        row = self._table.row(self._number)
        dot = f" {self.glyphs.dot} "
        place = f"{row.source}:{row.place}" if row.place is not None else row.source
        tokens = f"{row.tokens:,} tokens" if row.tokens is not None else ""
        facts = [row.id, row.split, place, row.label, tokens]
        self._title.show(
            dot.join(one for one in facts if one), "strong", f"{self._line + 1:,}/{self._count:,}"
        )
        if self._pause is not None:
            self._pause.stop()
        self._tabs.show([(name, "") for name in VIEWS], VIEWS.index(self._view))
        if self._view in ("chat", "json"):
            self._show_own()
        else:
            self._show_told(row.id or "")

    def _show_own(self) -> None:
        table, number = self._table, self._number
        view: Literal["chat", "json"] = "json" if self._view == "json" else "chat"

        def lines(width: int) -> list[Line]:
            from tui.browse.reading import row_lines

            return row_lines(table, number, view, width)

        self._wrap(lines)

    def _wrap(self, lines: Callable[[int], list[Line]]) -> None:
        width = max(1, self._text.content_size.width)

        def work(tell: Tell, check: Check) -> None:
            found = lines(width)
            check()
            self.done(lambda: self._shown(found))

        self.later("read", work)

    def _shown(self, lines: list[Line]) -> None:
        self._text.show(lines)
        self._place()

    def _place(self) -> None:
        self.said.show(self.said.text, self.said.role, self._text.place)

    # What commands say

    def _show_told(self, row: str) -> None:
        """Show what a command says of the row; it runs in a process of its own, once."""
        view = self._view
        if not self._table.opened.is_dataset:
            said = "Only rows of a dataset that `temper curate` made have this."
            self._wrap(lambda width: wrapped([(said, "muted")], width))
            return
        known = self._known.get((view, row))
        if known is not None:
            self._wrap(lambda width: wrapped(known, width, MARKS))
            return
        self._text.show([((" Asking `temper` …", "muted"),)])
        self._pause = self.set_timer(
            _ASK_SECONDS, lambda: self.later(view, lambda tell, check: self._ask(view, row, check))
        )

    def _ask(self, view: str, row: str, check: Check) -> None:
        from tui.browse.changing import recipe_of
        from tui.browse.telling import story_command, story_lines, token_lines, tokens_command
        from tui.temper import run_temper, typed

        path = self._table.opened.path
        if view == "story":
            arguments = story_command(row, short_name(path, self.root))
        else:
            recipes = cast("TemperApp", self.app).snapshot.recipes
            arguments = tokens_command(row, recipe_of(recipes, self._table.opened.name, "train"))
        command = typed(arguments)
        self.done(lambda: self.said.show(f"{command} …", "muted"))
        outcome = run_temper(arguments, self.root, is_unwanted=lambda: is_overtaken(check))
        check()
        lines = story_lines(outcome) if view == "story" else token_lines(outcome)
        self._known[view, row] = lines

        def shown() -> None:
            if (self._view, self._table.row(self._number).id) == (view, row):
                self.said.show(command, "muted")
                self._wrap(lambda width: wrapped(lines, width, MARKS))

        self.done(shown)

    # Keys

    def action_view(self, by: int) -> None:
        """Go to the next view of the row."""
        self.action_show_pane((VIEWS.index(self._view) + by) % len(VIEWS))

    def action_show_pane(self, place: int) -> None:
        """Show a view by its place."""
        self._view = VIEWS[place]
        self.said.show("", "", "")
        self._read()

    def action_explain(self) -> None:
        """Show what became of the row."""
        self._view = "story"
        self._read()

    def action_neighbour(self, by: int) -> None:
        """Go to the next row, or the one before."""
        line = max(0, min(self._count - 1, self._line + by))
        if line != self._line:
            self._line = line
            self.said.show("", "", "")
            self._read()

    def action_refresh(self) -> None:
        """Read the row anew."""
        self._known.clear()
        self._read()

    def copy_text(self) -> str | None:
        """Copy all of the row as it is shown; what the file holds is read in a thread."""
        if self._view in ("chat", "json"):
            view: Literal["chat", "json"] = "json" if self._view == "json" else "chat"
            self.copy_row(self._table, self._number, view)
            return None
        known = self._known.get((self._view, self._table.row(self._number).id or ""), [])
        return "\n".join(text for text, _ in known)

    def action_back(self) -> None:
        """Go back to the table, at this row."""
        self.leave(self._line)

    def action_move(self, by: int) -> None:
        """Scroll by a line."""
        self._text.scroll_by_lines(by)
        self._place()

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._text.scroll_by_pages(by)
        self._place()

    def action_first(self) -> None:
        """Go to the beginning."""
        self._text.scroll_by_lines(-_FAR)
        self._place()

    def action_last(self) -> None:
        """Go to the end."""
        self._text.scroll_by_lines(_FAR)
        self._place()
