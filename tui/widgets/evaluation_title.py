"""One line: what is open, its verdict, and which of its pages is shown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.glyphs import ROLES, Glyphs
from tui.widgets.rows import Line, Part, Rows, fit


class EvaluationTitle(Rows):
    """The model, its verdict, and the evaluation's id."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="title")
        self._heading, self._status, self._note = "", "", ""

    def show(self, name: str, status: str, note: str = "") -> None:
        """Show what is open."""
        self._heading, self._status, self._note = name, status, note
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        word = {"inconclusive": "undecided"}.get(self._status, self._status)
        mark = f" {self.glyphs.marks.get(self._status, '-')} {word} " if word else " "
        note = f" {self._note} " if self._note and cell_len(self._note) < width // 2 else ""
        room = max(0, width - cell_len(mark) - cell_len(note))
        return [
            (
                (mark, ROLES.get(self._status, "muted")),
                (fit(self._heading, room, self.glyphs.ellipsis), "strong"),
                (note, "muted"),
            )
        ]


class PageNames(Rows):
    """Names of pages, the shown one in brackets, so that no colour is needed to tell it."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="pages")
        self._names: Sequence[str] = ()
        self._shown = 0

    def show(self, names: Sequence[str], shown: int) -> None:
        """Show other pages, or another of them as the shown one."""
        self._names, self._shown = names, shown
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        parts: list[Part] = []
        for number, name in enumerate(self._names):
            is_shown = number == self._shown
            parts.append((f"[{name}]", "strong cursor") if is_shown else (f" {name} ", "muted"))
        return [tuple(parts)]
