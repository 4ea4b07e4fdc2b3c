"""The rows of a dataset or a file: any number of them, sorted, filtered, searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer

from tui.actions import Scope, bindings
from tui.browse.arranging import Wish, arrange
from tui.browse.opening import View
from tui.browse.table import Table, open_table
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.entering import EnteringScreen, found_in, line_of
from tui.screens.working import Check, Tell
from tui.widgets.hints import Hints
from tui.widgets.row_table import RowTable
from tui.widgets.rows import Line
from tui.widgets.said import Said
from tui.widgets.text_lines import TextLines

_FAR = 1 << 40
_PREVIEW_SECONDS = 0.08


class RowsScreen(EnteringScreen):
    """A table of rows, with the selected one beside it where there is room."""

    CSS_PATH = "rows.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("rows")]
    SCOPE: ClassVar[Scope] = "rows"

    def __init__(
        self,
        glyphs: Glyphs,
        root: Path,
        path: Path,
        view: View = "kept",
        only: str = "",
        title: str = "",
    ) -> None:
        super().__init__(glyphs, root)
        self.begin_deciding()
        self.begin_entering()
        self.path, self.view = path, view
        self._is_dropped_view = view == "dropped"
        self._what = title
        self.empty = "There are no rows here."
        self._wish = Wish(only=only)
        self._order: Any = None
        self._preview_timer: Timer | None = None
        self.table: Table | None = None
        self._title = Said(glyphs, id="title")
        self.rows = RowTable(glyphs, id="rows")
        self._preview = TextLines(glyphs, id="preview")
        self._preview.can_focus = False
        self._hints = Hints(glyphs, self.SCOPE)

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._title
        with Container(id="body"):
            yield self.rows
            yield self._preview
        yield self._entry
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to open the rows."""
        self._entry.display = False
        self.rows.focus()
        self._show_title()
        self._open()

    def on_text_lines_resized(self) -> None:
        """Cut the preview for its width, which is none before the first layout."""
        self._read_preview()

    def show(self, update: Update) -> None:
        """Look whether anything was decided elsewhere."""
        self.look_decided()

    # Opening and arranging

    def _open(self) -> None:
        self.said.show("opening …", "muted")
        self.rows.show(None)

        def work(tell: Tell, check: Check) -> None:
            def told(what: str, done: int, total: int) -> None:
                of = f" of {total:,}" if total else ""
                tell(f"{what}: {done:,}{of} rows (once for each file)")

            table = open_table(self.path, self.view, self.root, told, check)
            if self._wish.is_plain:
                self.done(lambda: self._opened(table, None))
                return
            order = arrange(table, self._wish, lambda done: check(), check)
            self.done(lambda: self._opened(table, order))

        self.later("open", work)

    def _opened(self, table: Table, order: Any) -> None:
        self.table = table
        unusable = table.opened.unusable
        self.said.show(
            f"{unusable:,} records could not be read as rows." if unusable else "",
            "warn" if unusable else "",
        )
        self._arranged(order, 0)
        self.look_decided()

    def rearrange(self, wish: Wish) -> None:
        """Show other rows, or the same in another order."""
        table, found = self.table, self._found
        if table is None:
            return
        kept = self.rows.number
        self.said.show("sorting …" if wish.sort != self._wish.sort else "filtering …", "muted")

        def work(tell: Tell, check: Check) -> None:
            told = lambda done: tell(f"filtering: {done:,} of {table.count:,} rows")  # noqa: E731
            order = arrange(table, wish, told, check)
            line = line_of(order, kept) or 0
            again = found_in(found, order)
            check()

            def shown() -> None:
                newest = self._found  # a search may have ended meanwhile
                self._found = again if newest is found else found_in(newest, order)
                self._wish = wish
                self._close_entry()
                self.said.show("")
                self._arranged(order, line)

            self.done(shown)

        self.later("arrange", work)

    def _arranged(self, order: Any, line: int) -> None:
        self._order = order
        empty = "No row fits the filter." if self._wish.filter else self.empty
        self.rows.show(
            self.table,
            order,
            sorted_by=self._wish.sort,
            empty=empty,
            dropped=self.view == "dropped",
            cursor=line,
        )
        self._show_title()

    def _show_title(self) -> None:
        dot = f" {self.glyphs.dot} "
        opening = "/".join(self.path.parts[-2:])  # of a dataset its name and version
        name = self.table.opened.name if self.table is not None else opening
        facts = [name, self._what or ("dropped rows" if self.view == "dropped" else "")]
        if self._wish.filter:
            facts.append(self._wish.filter)
        count = ""
        if self.table is not None:
            of = f" of {self.table.count:,}" if self._order is not None else ""
            count = f"{self.rows.count:,}{of} rows"
        self._title.show(dot.join(filter(None, facts)), "strong", count)

    # The selected row

    def on_row_table_moved(self) -> None:
        """Show the selected row beside the table, once the cursor rests."""
        if self._preview_timer is not None:
            self._preview_timer.stop()
        if self.table is not None:
            self._preview_timer = self.set_timer(_PREVIEW_SECONDS, self._read_preview)

    def _read_preview(self) -> None:
        table, number, width = self.table, self.rows.number, self._preview.size.width
        if table is None or number is None or not width:
            self._preview.show([])
            return

        def work(tell: Tell, check: Check) -> None:
            lines = self.preview_lines(table, number, width)
            check()
            self.done(lambda: self._preview.show(lines))

        self.later("preview", work)

    def preview_lines(self, table: Table, number: int, width: int) -> list[Line]:
        """Return what is shown beside the table of the selected row; called in a thread."""
        from tui.browse.reading import row_lines

        return row_lines(table, number, "chat", width)

    def on_row_table_opened(self) -> None:
        """Open the row that was clicked twice."""
        self.action_open()

    def action_open(self, view: str = "chat") -> None:
        """Show the selected row on a screen of its own."""
        from tui.screens.row import RowScreen

        if self.table is not None and self.rows.number is not None:
            screen = RowScreen(
                self.glyphs, self.root, self.table, self._order, self.rows.cursor, view
            )
            self.app.push_screen(screen, self._back_at)

    def _back_at(self, line: int | None) -> None:
        if line is not None:
            self.rows.move_to(line)

    # Keys

    def action_explain(self) -> None:
        """Show what became of the selected row."""
        self.action_open("story")

    def action_sort(self) -> None:
        """Ask for the column to sort by."""
        from tui.screens.dialog import Choose
        from tui.widgets.row_table import SORTS

        names = SORTS[self.view]
        before = self._wish.sort

        def chosen(place: int | None) -> None:
            if place is None:
                return
            name = names[place - 1] if place else None
            descending = not before[1] if before and before[0] == name else name in _LARGEST_FIRST
            self.rearrange(replace(self._wish, sort=(name, descending) if name else None))

        selected = names.index(before[0]) + 1 if before and before[0] in names else 0
        options = ["as they are on disk", *names]
        self.app.push_screen(Choose("Sort by (again: the other way)", options, selected), chosen)

    def action_dropped(self) -> None:
        """Show what became of the rows, step by step."""
        from tui.screens.funnel import FunnelScreen

        if self.table is not None and self.table.opened.is_dataset:
            self.app.push_screen(FunnelScreen(self.glyphs, self.root, self.table.opened.path))
        else:
            self.said.show("Only a dataset that `temper curate` made has a funnel.", "muted")

    def action_balance(self) -> None:
        """Show what the rows that are shown here are made of."""
        from tui.screens.balance import BalanceScreen

        if self.table is not None:
            screen = BalanceScreen(self.glyphs, self.root, self.path, self.view, self._wish)
            self.app.push_screen(screen)

    def action_made(self) -> None:
        """Show the rows that were made from others beside those."""
        from tui.screens.made import MadeScreen

        self.app.push_screen(MadeScreen(self.glyphs, self.root, self.path))

    def action_whole(self) -> None:
        """Show everything that the file holds of the selected row."""
        self.action_open("json")

    def copy_text(self) -> str | None:
        """Read the selected row in a thread and copy all that it says."""
        table, number = self.table, self.rows.number
        if table is None or number is None:
            return ""
        self.copy_row(table, number, "chat")
        return None

    def action_back(self) -> None:
        """Leave what is typed, then the filter, then the screen."""
        if self._entry.display:
            self._close_entry()
        elif self._wish.filter:
            self.rearrange(replace(self._wish, filter=""))
        else:
            self.leave()

    def action_refresh(self) -> None:
        """Open the rows anew."""
        self._order = self._found = self.table = None
        self._open()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.rows.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self.rows.move_page(by)

    def action_first(self) -> None:
        """Go to the first row."""
        self.rows.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last row."""
        self.rows.move(_FAR)


_LARGEST_FIRST = ("tokens", "characters", "turns")
