"""Numbers of a step that can be changed, and what it would keep with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit, right

if TYPE_CHECKING:
    from curate.trying import Tried

_NAME = 28
_WORD = 10


class WhatIf(Rows, can_focus=True):
    """Settings above; below what was kept before, what would be on a sample, and exactly."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self.values: dict[str, float | int] = {}
        self._before: dict[str, float | int] = {}
        self._cursor = 0
        self._results: dict[str, tuple[int, Mapping[str, int], str]] = {}
        self._sample = ""

    @property
    def selected(self) -> tuple[str, float | int] | None:
        """The number under the cursor."""
        return [*self.values.items()][self._cursor] if self.values else None

    @property
    def changed(self) -> dict[str, float | int]:
        """The numbers that are others than in the dataset's recipe."""
        return {key: value for key, value in self.values.items() if value != self._before[key]}

    def open(self, values: Mapping[str, float | int], before: Tried, rows: int, total: int) -> None:
        """Show the numbers as they are, and what they keep of the rows that are tried."""
        self.values, self._before = dict(values), dict(values)
        whole = "all" if rows == total else f"{rows:,} of the"
        self._sample = f"of {whole} {total:,} rows that reached this step"
        self._results = {"as it is": (before.kept, before.dropped, "")}
        self.redraw()

    def set(self, key: str, value: float | int) -> None:
        """Show another number; what was counted exactly is of the one before."""
        self.values[key] = value
        self._results.pop("exactly", None)
        self.redraw()

    def keep(self, key: str) -> None:
        """Take a number as the recipe's own: it was written there."""
        self._before[key] = self.values[key]
        self.redraw()

    def show_tried(self, tried: Tried) -> None:
        """Show what the sample says."""
        told = f"{tried.seconds * 1000:,.0f} ms"
        self._results["changed"] = (tried.kept, tried.dropped, told)
        self.redraw()

    def show_exact(self, kept: int, dropped: Mapping[str, int], rows: int) -> None:
        """Show what a whole curation says."""
        self._results["exactly"] = (kept, dropped, f"dataset of {rows:,}")
        self.redraw()

    def move(self, by: int) -> None:
        """Select another number."""
        self._cursor = max(0, min(len(self.values) - 1, self._cursor + by))
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the numbers and the results."""
        if not self._results:
            return []
        room = max(1, height - 8)
        top = max(0, self._cursor - room + 1)
        keys = [*self.values][top : top + room]
        lines = [self._number(key, width) for key in keys]
        lines += [(), ((fit(f"  What it keeps {self._sample}", width, ""), "muted"),)]
        most = max(kept + sum(dropped.values()) for kept, dropped, _ in self._results.values())
        for name, (kept, dropped, told) in self._results.items():
            lines += self._result(name, kept, dropped, told, max(1, most), width)
        return lines

    def _number(self, key: str, width: int) -> Line:
        is_cursor = self.selected is not None and key == self.selected[0]
        value, before = self.values[key], self._before[key]
        more = self.glyphs.ellipsis
        told = f"was {before:g}" if value != before else ""
        parts = (
            (f"{self.glyphs.cursor if is_cursor else ' '} ", "accent"),
            (fit(key, min(_NAME, width - 14), more), "strong" if is_cursor else ""),
            (right(f"{value:g}", 10, more), "warn" if told else ""),
            (fit(f"  {told}", max(0, width - min(_NAME, width - 14) - 12), more), "muted"),
        )
        return (
            tuple((text, f"{role} cursor".strip()) for text, role in parts) if is_cursor else parts
        )

    def _result(
        self, name: str, kept: int, dropped: Mapping[str, int], told: str, most: int, width: int
    ) -> list[Line]:
        more = self.glyphs.ellipsis
        bar = max(4, min(40, width - _WORD - 32))
        full = self.glyphs.bars[-1] if self.glyphs.braille else "="
        filled = round(kept / most * bar)
        why = ", ".join(f"{rows:,} {reason}" for reason, rows in dropped.items()) or "none"
        return [
            (
                (f"  {fit(name, _WORD, more)}", "strong"),
                (right(f"{kept:,}", 10, more), "good"),
                ("  ", ""),
                ((full * filled).ljust(bar), "curve"),
                (fit(f"  {told}", max(0, width - bar - _WORD - 14), more), "muted"),
            ),
            ((fit(f"  {' ' * _WORD}  dropped: {why}", width, more), "muted"),),
        ]
