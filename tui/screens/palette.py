"""The command palette: whatever can be done or opened here, found by a few letters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.actions import bindings
from tui.glyphs import Glyphs
from tui.palette import Entry, matching, of_datasets
from tui.widgets.rows import fit

_KEYS = 12
_TITLE = 24


class Palette(ModalScreen[Entry | None]):
    """A line to type into and what fits it; Escape leaves it with None."""

    CSS_PATH = "palette.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("palette")]

    @dataclass
    class Found(Message):
        """More entries were read from the disk."""

        entries: list[Entry]

    def __init__(self, glyphs: Glyphs, entries: list[Entry], datasets_of: Path | None) -> None:
        """Offer `entries`, and the datasets of a workspace once they are read."""
        super().__init__()
        self._glyphs = glyphs
        self._entries = entries
        self._datasets_of = datasets_of
        self._shown: list[Entry] = []

    def compose(self) -> ComposeResult:
        """Put the line over the list."""
        with Container(id="box"):
            line = Input(placeholder="a command, a run, a dataset")
            line.cursor_blink = False
            yield line
            found = OptionList(markup=False)
            found.can_focus = False
            yield found

    def on_mount(self) -> None:
        """Show all, and read what else there is."""
        self._fill("")
        if self._datasets_of is not None:
            self.run_worker(
                partial(self._read, self._datasets_of), thread=True, exit_on_error=False
            )

    def _read(self, root: Path) -> None:
        self.post_message(self.Found(of_datasets(root)))

    def on_palette_found(self, message: Found) -> None:
        """Offer what was read too."""
        self._entries = [*self._entries, *message.entries]
        self._fill(self.query_one(Input).value)

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._fill(self.query_one(Input).value)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Show what fits."""
        self._fill(message.value)

    def on_input_submitted(self) -> None:
        """Take the one under the cursor."""
        place = self.query_one(OptionList).highlighted
        if place is not None and self._shown:
            self.dismiss(self._shown[place])

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Take the one that was clicked."""
        if self._shown:
            self.dismiss(self._shown[message.option_index])

    def _fill(self, typed: str) -> None:
        self._shown = matching(self._entries, typed)
        found = self.query_one(OptionList)
        width = max(20, found.scrollable_content_region.width or 72)
        found.clear_options()
        found.add_options([Option(self._line(entry, width)) for entry in self._shown])
        if self._shown:
            found.highlighted = 0
            return
        found.add_option(Option("Nothing is called so.", disabled=True))

    def _line(self, entry: Entry, width: int) -> Content:
        more = self._glyphs.ellipsis
        keys = f" {entry.keys}"
        title = width - cell_len(keys) if entry.kind != "action" else min(_TITLE, width // 3)
        detail = max(0, width - title - cell_len(keys))
        return Content.assemble(
            (fit(entry.title, title, more), "bold" if entry.kind == "action" else ""),
            (fit(entry.detail, detail, more), ""),
            (keys, "dim"),
        )

    def action_cancel(self) -> None:
        """Leave without taking one."""
        self.dismiss(None)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        found = self.query_one(OptionList)
        found.action_cursor_down() if by > 0 else found.action_cursor_up()

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        found = self.query_one(OptionList)
        if self._shown:
            place = (found.highlighted or 0) + by * max(1, found.size.height - 1)
            found.highlighted = min(max(0, place), len(self._shown) - 1)
