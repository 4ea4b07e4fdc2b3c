"""A search through all rows: where it found something, in the order in which rows are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tui.browse.finding import Numbers


@dataclass(frozen=True)
class Found:
    """The lines at which a text is."""

    text: str
    mask: NDArray[np.bool_]
    """For each row of the table, whether it says the text."""
    lines: NDArray[np.int64]
    """Ascending; in the order in which rows are shown."""

    @classmethod
    def of(cls, text: str, mask: NDArray[np.bool_], order: Numbers | None) -> Found:
        """Return what was found, for rows in this order; None: as they are on disk."""
        shown = mask if order is None else mask[order]
        return cls(text, mask, np.flatnonzero(shown).astype(np.int64))

    def next(self, line: int, by: int) -> int | None:
        """Return the next line after `line` (or the one before it), round the end; None: none."""
        if not self.lines.size:
            return None
        side: Any = "right" if by > 0 else "left"
        place = int(np.searchsorted(self.lines, line, side=side)) + (0 if by > 0 else -1)
        return int(self.lines[place % self.lines.size])

    def place(self, line: int) -> str:
        """Return which of them `line` is, in words."""
        place = int(np.searchsorted(self.lines, line, side="right"))
        return f"{place:,} of {self.lines.size:,}"
