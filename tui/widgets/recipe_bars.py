"""The title of the Train screen, and the command that would be run."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tui.form.state import RecipeState
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain


class RecipeTitle(Rows):
    """Which recipe, what is not saved, how much is wrong."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="title")
        self._name = ""
        self._notes: tuple[Part, ...] = ()

    def show(
        self, path: Path | None, state: RecipeState, *, is_changed: bool, is_behind: bool
    ) -> None:
        """Show another state."""
        marks = self.glyphs.marks
        reading = state.reading
        name = reading.name if reading is not None else ""
        self._name = (
            f"{path.name} {self.glyphs.dot} {name}" if path and name else path.name if path else ""
        )
        notes: list[Part] = []
        if is_behind:
            notes.append((f"{marks['invalid']} changed on disk ", "warn"))
        if reading is not None and reading.faults:
            count = len(reading.faults)
            notes.append((f"{marks['fail']} {count} problem{'s' if count > 1 else ''} ", "bad"))
        if is_changed:
            notes.append((f"{marks['running']} not saved ", "accent"))
        elif state.reading is not None:
            notes.append((f"{marks['pass']} saved ", "good"))
        self._notes = tuple(notes)
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        used = sum(len(text) for text, _ in self._notes)
        name = fit(f" {self._name}", max(0, width - used), self.glyphs.ellipsis)
        return [((name, "strong"), *self._notes)]


class CommandLine(Rows):
    """The exact command that starting would run, to be copied."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="command")
        self._command: Part = ("", "")

    def show(self, command: str, *, is_possible: bool) -> None:
        """Show another command, or why there is none."""
        self._command = (command, "accent" if is_possible else "warn")
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the command on as many lines as there are."""
        text, role = self._command
        prompt = f" {self.glyphs.prompt} "
        room = max(8, width - len(prompt))
        wrapped = textwrap.wrap(plain(text), room) or [""]
        if len(wrapped) > height > 0:
            wrapped = [*wrapped[: height - 1], " ".join(wrapped[height - 1 :])]
        return [
            (
                (prompt if y == 0 else " " * len(prompt), "muted"),
                (fit(line, room, self.glyphs.ellipsis), role),
            )
            for y, line in enumerate(wrapped)
        ]
