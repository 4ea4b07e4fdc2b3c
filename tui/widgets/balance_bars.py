"""Bars of one picture of a dataset, one of them selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.figures import count
from tui.glyphs import Glyphs
from tui.widgets.picking import Picking, marked
from tui.widgets.rows import Line, Part, fit, right

if TYPE_CHECKING:
    from tui.browse.balance import Bar, Picture

_NUMBER = 8
_SHARE = 6
_LONGEST_NAME = 40
_NARROW = 60


class BalanceBars(Picking):
    """One line for each bar: what its rows have in common, how many they are, and the bar."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._picture: Picture | None = None

    @property
    def selected(self) -> Bar | None:
        """The bar under the cursor."""
        bars = self._picture.bars if self._picture is not None else ()
        return bars[self.cursor] if self.cursor < len(bars) else None

    def show(self, picture: Picture | None, place: int = 0) -> None:
        """Show another picture, with the cursor on one of its bars."""
        self._picture = picture
        self.replaced(place)

    def length(self) -> int:
        """Return how many bars there are."""
        return len(self._picture.bars) if self._picture is not None else 0

    def headings(self, width: int) -> list[Line]:
        """Return the titles of the columns."""
        if self._picture is None:
            return []
        titles = (
            "  " + fit(self._picture.name, self._name_width(width), "") + right("rows", _NUMBER, "")
        )
        titles += right("%", _SHARE, "")
        if self._has_tokens(width):
            titles += right("tokens", _NUMBER, "") + right("%", _SHARE, "")
        return [((fit(titles, width, ""), "muted"),)]

    def entry(self, place: int, width: int, *, is_cursor: bool) -> Line:
        """Return the line of a bar."""
        assert self._picture is not None
        bar, more, name = self._picture.bars[place], self.glyphs.ellipsis, self._name_width(width)
        rows, tokens = self._picture.rows, self._tokens
        parts: list[Part] = [
            (f"{self.glyphs.cursor if is_cursor else ' '} ", "accent"),
            (fit(bar.name, name, more), "strong"),
            (right(count(bar.rows), _NUMBER, more), ""),
            (right(_percent(bar.rows, rows), _SHARE, more), "muted"),
        ]
        if self._has_tokens(width):
            known = bar.tokens is not None
            own = count(bar.tokens or 0) if known else ""
            share = _percent(bar.tokens or 0, tokens) if known else ""
            parts += [(right(own, _NUMBER, more), ""), (right(share, _SHARE, more), "muted")]
        room = max(0, width - sum(len(text) for text, _ in parts[2:]) - name - 5)
        largest = max(one.rows for one in self._picture.bars)
        parts += [("  ", ""), (self._drawn(bar.rows / max(1, largest), room), "curve")]
        return marked(tuple(parts), is_cursor=is_cursor)

    @property
    def _tokens(self) -> int:
        assert self._picture is not None
        return sum(bar.tokens or 0 for bar in self._picture.bars)

    def _has_tokens(self, width: int) -> bool:
        return width > _NARROW and self._tokens > 0

    def _name_width(self, width: int) -> int:
        assert self._picture is not None
        longest = max((len(bar.name) for bar in self._picture.bars), default=0)
        longest = max(longest, len(self._picture.name))
        return max(1, min(longest, _LONGEST_NAME, width // 3))

    def _drawn(self, share: float, width: int) -> str:
        """Return the bar; rows that are there at all can be seen."""
        full = self.glyphs.bars[-1] if self.glyphs.braille else "="
        cells = max(round(share * width), 1 if share > 0 else 0)
        return (full * min(cells, width)).ljust(width)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""
