"""What a dataset is made of: its rows by label, source, split and length, as bars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.actions import bindings
from tui.browse.arranging import Wish, all_of
from tui.browse.opening import View
from tui.browse.table import open_table
from tui.glyphs import Glyphs
from tui.screens.working import Check, Tell, WorkingScreen
from tui.widgets.balance_bars import BalanceBars
from tui.widgets.hints import Hints
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.picking import FAR, Picking
from tui.widgets.rows import Part
from tui.widgets.said import Said

if TYPE_CHECKING:
    from tui.browse.balance import Picture


class BalanceScreen(WorkingScreen):
    """One picture at a time; Enter on a bar shows exactly its rows."""

    CSS_PATH = "balance.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("balance")]

    def __init__(
        self, glyphs: Glyphs, root: Path, path: Path, view: View = "kept", wish: Wish | None = None
    ) -> None:
        super().__init__(glyphs, root)
        self._path, self._view = path, view
        self._wish = Wish(only=all_of(wish.only, wish.filter)) if wish is not None else Wish()
        self._pictures: tuple[Picture, ...] = ()
        self._active = 0
        self._places: dict[int, int] = {}
        """Picture → the bar that was selected in it."""
        self._title = Said(glyphs, id="title")
        self._tabs = PaneTabs(glyphs, id="pictures")
        self._bars = BalanceBars(glyphs, id="bars")
        self._hints = Hints(glyphs, "balance")

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield self._title
        yield self._tabs
        yield self._bars
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to count."""
        self._bars.focus()
        self._title.show(self._path.name, "strong")
        self.action_refresh()

    def action_refresh(self) -> None:
        """Count anew."""
        self.said.show("counting …", "muted")

        def work(tell: Tell, check: Check) -> None:
            from tui.browse.balance import pictures

            def told(what: str, done: int, total: int) -> None:
                of = f" of {total:,}" if total else ""
                tell(f"{what}: {done:,}{of} rows (once for each file)")

            table = open_table(self._path, self._view, self.root, told, check)
            filtering = lambda done: tell(f"filtering: {done:,} of {table.count:,} rows")  # noqa: E731
            found = pictures(table, self._wish, filtering, check)
            check()
            self.done(lambda: self._counted(table.opened.name, found))

        self.later("count", work)

    def _counted(self, name: str, found: tuple[Picture, ...]) -> None:
        self._pictures = found
        self._active = min(self._active, max(0, len(found) - 1))
        dot = f" {self.glyphs.dot} "
        what = "dropped rows" if self._view == "dropped" else ""
        rows = found[0].rows if found else 0
        facts = [name, what, self._wish.only, "balance"]
        self._title.show(dot.join(filter(None, facts)), "strong", f"{rows:,} rows")
        self._show_picture()

    def _show_picture(self) -> None:
        tabs = [(one.name, f"{len(one.bars):,}") for one in self._pictures]
        self._tabs.show(tabs, self._active)
        picture = self._pictures[self._active] if self._pictures else None
        self._bars.show(picture, self._places.get(self._active, 0))
        self.said.show(picture.told if picture is not None else "There are no rows here.", "muted")

    def on_picking_moved(self, message: Picking.Moved) -> None:
        """Remember the bar for when its picture is shown again."""
        self._places[self._active] = message.place

    def on_picking_chosen(self) -> None:
        """Open the bar that was clicked twice."""
        self.action_open()

    # Keys

    def action_open(self) -> None:
        """Show the rows of the selected bar."""
        from tui.screens.rows import RowsScreen

        bar = self._bars.selected
        if bar is None:
            return
        if not bar.rows:
            self.said.show("No row is as long as this.", "muted")
            return
        wish = replace(self._wish, only=all_of(self._wish.only, bar.filter))
        title = f"{self._pictures[self._active].name} {bar.name}"
        self.app.push_screen(
            RowsScreen(self.glyphs, self.root, self._path, self._view, wish.only, title)
        )

    def action_pane(self, by: int) -> None:
        """Go to the next picture, or the one before."""
        if self._pictures:
            self.action_show_pane((self._active + by) % len(self._pictures))

    def action_show_pane(self, place: int) -> None:
        """Show a picture by its place."""
        self._active = place
        self._show_picture()

    def action_whole(self) -> None:
        """Show the whole name of the selected bar, and its filter."""
        from tui.screens.whole import WholeScreen

        bar = self._bars.selected
        if bar is None:
            return
        parts: list[Part] = [(f"{bar.name}\n\n", ""), (f"{bar.filter}\n", "muted")]
        heading = f"{self._pictures[self._active].name} {self.glyphs.dot} {bar.rows:,} rows"
        self.app.push_screen(WholeScreen(self.glyphs, heading, parts=parts))

    def copy_text(self) -> str:
        """Return the filter of the selected bar, to be pasted wherever one is asked for."""
        bar = self._bars.selected
        return all_of(self._wish.only, bar.filter) if bar is not None else ""

    def action_back(self) -> None:
        """Go back."""
        self.leave()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._bars.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._bars.move_page(by)

    def action_first(self) -> None:
        """Go to the first bar."""
        self._bars.move(-FAR)

    def action_last(self) -> None:
        """Go to the last bar."""
        self._bars.move(FAR)
