"""Which rows of a table are shown and in which order, from what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.browse.index import Check, _go_on

if TYPE_CHECKING:
    from tui.browse.finding import Numbers
    from tui.browse.table import Table


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    sort: tuple[str, bool] | None = None
    """A column, and whether the largest come first; None: as they are on disk."""
    filter: str = ""
    """An expression of SQL; empty: none."""
    only: str = ""
    """A further one, which comes from where the rows were opened from."""

    @property
    def is_plain(self) -> bool:
        """Whether all rows are wanted as they are."""
        return self == Wish()


def only_dropped(step: str, reason: str = "") -> str:
    """Return the filter for the rows that a step dropped, perhaps for one reason alone."""
    parts = [f"step = {quoted(step)}"] + ([f"reason = {quoted(reason)}"] if reason else [])
    return " AND ".join(parts)


def all_of(*filters: str) -> str:
    """Return the filter that all of these together are; empty ones say nothing.

    >>> all_of("", "a = 1 OR b = 2", "c = 3")
    '(a = 1 OR b = 2) AND (c = 3)'
    >>> all_of("", "a = 1")
    'a = 1'
    """
    said = [one for one in filters if one]
    return said[0] if len(said) == 1 else " AND ".join(f"({one})" for one in said)


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def arrange(
    table: Table, wish: Wish, tell: Callable[[int], None], check: Check = _go_on
) -> Numbers | None:
    """Return the numbers of the rows to show; None: all as they are.

    Raises:
        UsageError: a filter cannot be used.
        DataError: the rows cannot be read.
    """
    if wish.is_plain:
        return None
    import numpy as np

    from tui.browse.finding import filtered_mask, sorted_numbers

    mask = np.ones(table.count, dtype=np.bool_)
    for text in (wish.only, wish.filter):
        if text:
            mask &= filtered_mask(table, text, tell, check)
    check()
    if wish.sort is None:
        return np.flatnonzero(mask).astype(np.int64)
    ordered = sorted_numbers(table, wish.sort[0], descending=wish.sort[1])
    return ordered[mask[ordered]]
