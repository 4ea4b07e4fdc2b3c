"""One line that says what is going on, or what went wrong and the way out."""

from __future__ import annotations

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit


class Said(Rows):
    """A line of text with a role; empty at first."""

    def __init__(self, glyphs: Glyphs, *, id: str = "said") -> None:
        super().__init__(glyphs, id=id)
        self._left: tuple[str, str] = ("", "")
        self._right = ""

    @property
    def text(self) -> str:
        """What it says."""
        return self._left[0]

    @property
    def role(self) -> str:
        """In which role."""
        return self._left[1]

    def show(self, text: str, role: str = "", right: str | None = None) -> None:
        """Show another text.

        Args:
            text: from anywhere; made plain when it is drawn.
            role: its role.
            right: what to show at the right end; None leaves what is there.
        """
        self._left = (text, role)
        self._right = self._right if right is None else right
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        more = self.glyphs.ellipsis
        end = f" {self._right} " if self._right and len(self._right) + 12 < width else ""
        text, role = self._left
        return [((fit(f" {text}", max(0, width - len(end)), more), role), (end, "muted"))]
