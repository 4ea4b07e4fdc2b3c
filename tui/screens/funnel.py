"""The funnel of a dataset: every step with what it kept and dropped, and why."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.actions import bindings
from tui.browse.arranging import only_dropped
from tui.browse.datasets import Funnel, read_funnel, step_text
from tui.browse.deciding import short_name
from tui.glyphs import Glyphs
from tui.screens.dropped import DroppedScreen
from tui.screens.working import Check, Tell, WorkingScreen
from tui.widgets.funnel_rows import FunnelRows
from tui.widgets.hints import Hints
from tui.widgets.said import Said

_FAR = 1 << 40
_NOT_STEPS = ("read", "normalise", "decisions", "edits", "mix")


class FunnelScreen(WorkingScreen):
    """Steps and reasons; the rows of each are one key away."""

    CSS_PATH = "funnel.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("funnel")]

    def __init__(self, glyphs: Glyphs, root: Path, path: Path) -> None:
        super().__init__(glyphs, root)
        self._path = path
        self._title = Said(glyphs, id="title")
        self._funnel = FunnelRows(glyphs, id="funnel")
        self._hints = Hints(glyphs, "funnel")

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield self._title
        yield self._funnel
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to read the account."""
        self._funnel.focus()
        self._title.show(f"{short_name(self._path, self.root)} {self.glyphs.dot} funnel", "strong")
        self.action_refresh()

    def action_refresh(self) -> None:
        """Read the account anew."""

        def work(tell: Tell, check: Check) -> None:
            found = read_funnel(self._path)
            self.done(lambda: self._read(found))

        self.later("read", work)

    def _read(self, funnel: Funnel) -> None:
        self._funnel.show(funnel)
        kept = sum(rows for _, rows in funnel.splits)
        if funnel.steps:
            self._title.show(self._title.text, "strong", f"{funnel.rows_in:,} in, {kept:,} kept")

    def on_funnel_rows_moved(self) -> None:
        """Say what Enter opens, or what the step has to say."""
        place = self._funnel.selected
        if place is None:
            return
        if place.reason is not None:
            count = place.reason.rows
            rows = f"{count:,} rows" if count != 1 else "row"
            self.said.show(f"enter: the {rows} dropped as this", "muted")
        elif place.step.notes:
            self.said.show(place.step.notes[0], "warn")
        else:
            self.said.show(f"{place.step.name} took {place.step.seconds:.1f} s", "muted")

    def on_funnel_rows_opened(self) -> None:
        """Open the line that was clicked twice."""
        self.action_open()

    def action_open(self) -> None:
        """Show the rows that the selected step dropped, or those of the selected reason."""
        place = self._funnel.selected
        if place is None:
            return
        if not place.step.reasons:
            self.said.show("This step dropped nothing.", "muted")
            return
        code = place.reason.code if place.reason is not None else ""
        title = f"dropped by {place.step.name}" + (f" as {code}" if code else "")
        only = only_dropped(place.step.name, code)
        screen = DroppedScreen(self.glyphs, self.root, self._path, only, title)
        self.app.push_screen(screen)

    def action_change(self) -> None:
        """Change numbers of the selected step and see what it would keep."""
        from tui.screens.trying import TryScreen

        place = self._funnel.selected
        if place is None or place.step.name in _NOT_STEPS:
            self.said.show("This is no step of the recipe.", "muted")
            return
        name = self._path.parent.name
        step = place.step.name
        self.app.push_screen(TryScreen(self.glyphs, self.root, self._path, name, step))

    def action_pairs(self) -> None:
        """Judge the pairs that the threshold of near-duplicates decided only just."""
        from tui.screens.pairs import PairsScreen

        place = self._funnel.selected
        if place is None or place.step.name.split()[0] != "near_duplicates":
            self.said.show("Only near_duplicates compares pairs.", "muted")
            return
        name, step = self._path.parent.name, place.step.name
        self.app.push_screen(PairsScreen(self.glyphs, self.root, self._path, name, step))

    def action_whole(self) -> None:
        """Show all that is known of the selected step."""
        from tui.screens.whole import WholeScreen

        text = self.copy_text()
        if text:
            title = short_name(self._path, self.root)
            self.app.push_screen(WholeScreen(self.glyphs, title, parts=[(text, "")]))

    def copy_text(self) -> str:
        """Return all that is known of the selected step."""
        place = self._funnel.selected
        return step_text(place.step) if place is not None else ""

    def action_back(self) -> None:
        """Go back."""
        self.leave()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._funnel.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._funnel.move(by * max(1, self._funnel.size.height - 2))

    def action_first(self) -> None:
        """Go to the first step."""
        self._funnel.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last line."""
        self._funnel.move(_FAR)
