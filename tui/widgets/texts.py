"""Sentences with roles, wrapped; as high as they need to be where the style sheet says `auto`."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.chat.wrapping import Wrapped
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows

_MOST_CHARACTERS = 4_000


class Texts(Rows):
    """Paragraphs, each with its role."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._parts: Sequence[Part] = ()

    def show(self, parts: Sequence[Part]) -> None:
        """Show these."""
        self._parts = [(text[:_MOST_CHARACTERS], role) for text, role in parts]
        self.refresh(layout=True)
        self.redraw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are."""
        return max(1, len(self._whole(width)))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the first lines."""
        return self._whole(width)[:height]

    def _whole(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for text, role in self._parts:
            wrapped = Wrapped(text)
            lines += [((wrapped.text[a:b], role),) for a, b in wrapped.spans(max(1, width))]
        return lines
