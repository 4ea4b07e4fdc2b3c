"""The YAML of a recipe, to be edited; lines with something wrong are underlined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import TextArea

from tui.actions import bindings
from workspace.text import plain

if TYPE_CHECKING:
    from tui.screens.train import TrainScreen


class RecipeText(TextArea):
    """A text area that tells its own loading from a person's typing."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("train-yaml")]

    def __init__(self) -> None:
        super().__init__(id="yaml", soft_wrap=False, show_line_numbers=True, compact=True)
        self.cursor_blink = False
        self._faulty: frozenset[int] = frozenset()
        self._given = ""
        self._loaded = ""

    @property
    def typed(self) -> str | None:
        """The text if a person has changed it since it was shown, else None."""
        return self.text if self.text != self._loaded and not self.read_only else None

    def show(self, text: str) -> None:
        """Show a text, unless a person is typing another; the cursor stays on its line."""
        if text == self._given or self.typed is not None:
            return
        place = self.cursor_location
        lines = [plain(line, limit=len(line) + 1) for line in text.split("\n")]
        shown = "\n".join(line.removesuffix("\r") for line in text.split("\n"))
        # Text that could steer the terminal is shown made harmless, and not edited here.
        self.read_only = lines != shown.split("\n")
        self.load_text("\n".join(lines) if self.read_only else text)
        self._given, self._loaded = text, self.text
        self.move_cursor(place)

    def take(self) -> str | None:
        """Return what was typed since the last call, if anything was."""
        typed = self.typed
        if typed is not None:
            self._given = self._loaded = typed
        return typed

    def mark(self, lines: Iterable[int]) -> None:
        """Underline lines, counted from 1, that have something wrong."""
        faulty = frozenset(line - 1 for line in lines)
        if faulty != self._faulty:
            self._faulty = faulty
            self._line_cache.clear()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        """Return a line as it is drawn."""
        line = super().get_line(line_index)
        if line_index in self._faulty:
            line.stylize("underline")
        return line

    def action_save(self) -> None:
        """Save the recipe."""
        cast("TrainScreen", self.screen).action_save()

    def action_leave_yaml(self) -> None:
        """Go back to the form."""
        cast("TrainScreen", self.screen).action_pane()
