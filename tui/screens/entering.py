"""What is typed at a table of rows: a text to search, a filter, the number or id of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from tui.screens.deciding import DecidingScreen
from tui.screens.working import Check, Tell

if TYPE_CHECKING:
    from tui.browse.arranging import Wish
    from tui.browse.table import Table

_HINTS = {
    "search": "a text that rows say; small letters find capitals too",
    "filter": "tokens > 512 AND label = 'billing' AND text LIKE '%refund%'",
    "jump": "a number, or an id or its beginning",
}


class EnteringScreen(DecidingScreen):
    """A table of rows with one line to type in, which is there only while something is asked."""

    _wish: Wish
    _order: Any
    """The numbers of the rows in the order they are shown in; None: all, as they are on disk."""

    def begin_entering(self) -> None:
        """Begin with nothing asked and nothing searched for."""
        self._found: Any = None
        self._entry_for = ""
        self._entry = Input(id="entry", select_on_focus=False)
        self._entry.cursor_blink = False

    def rearrange(self, wish: Wish) -> None:
        """Show other rows, or the same in another order."""
        raise NotImplementedError

    def action_search(self) -> None:
        """Ask for a text to search."""
        self._ask("search")

    def action_filter(self) -> None:
        """Ask for an expression that rows must fit."""
        self._ask("filter", self._wish.filter)

    def action_jump(self) -> None:
        """Ask for a row's number or id."""
        self._ask("jump")

    def _ask(self, what: str, value: str = "") -> None:
        if self.table is None:
            return
        self._entry_for = what
        self._entry.placeholder = f"{what}: {_HINTS[what]}"
        self._entry.value = value
        self._entry.cursor_position = len(value)
        self._entry.display = True
        self._entry.focus()

    def _close_entry(self) -> None:
        self._entry.display = False
        self.rows.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Do what was typed."""
        text = message.value.strip()
        if self._entry_for == "filter":
            self.rearrange(replace(self._wish, filter=text))
        elif not text:
            self._close_entry()
            self._found = None if self._entry_for == "search" else self._found
        elif self._entry_for == "search":
            self._search(text)
        else:
            self._jump(text)

    def _search(self, text: str) -> None:
        table, order = self.table, self._order
        assert table is not None
        self._close_entry()
        self.said.show("searching …", "muted")

        def work(tell: Tell, check: Check) -> None:
            from tui.browse.finding import searched_mask
            from tui.browse.searching import Found

            told = lambda done: tell(f"searching: {done:,} of {table.count:,} rows")  # noqa: E731
            found = Found.of(text, searched_mask(table, text, told, check), order)
            check()
            self.done(lambda: self._searched(table, found, order))

        self.later("search", work)

    def _searched(self, table: Table, found: Any, order: Any) -> None:
        if table is not self.table:
            return  # the rows were opened anew meanwhile
        self._found = found if order is self._order else found_in(found, self._order)
        found = self._found
        if not found.lines.size:
            self.said.show(f"No row says {found.text!r}.", "warn")
            return
        self._go_found(found.next(self.rows.cursor - 1, 1))

    def action_next(self, by: int) -> None:
        """Go to the next row that was found, or the one before."""
        if self._found is None:
            self.said.show("Nothing was searched for yet: / searches.", "muted")
        elif self._found.lines.size:
            self._go_found(self._found.next(self.rows.cursor, by))

    def _go_found(self, line: int) -> None:
        self.rows.move_to(line)
        self.said.show(f"{self._found.place(line)} rows that say {self._found.text!r}", "accent")

    def _jump(self, text: str) -> None:
        table, order = self.table, self._order
        assert table is not None

        def work(tell: Tell, check: Check) -> None:
            numbers = _wanted_rows(table, text)
            shown = (line_of(order, number) for number in numbers)
            line = next((one for one in shown if one is not None), None)
            self.done(lambda: self._jumped(text, line, is_there=bool(numbers)))

        self.later("jump", work)

    def _jumped(self, text: str, line: int | None, *, is_there: bool) -> None:
        if line is None:
            told = f"No row shown here has the number or id {text!r}."
            hidden = f"The row {text!r} is not among those shown here."
            self.said.show(hidden if is_there else told, "bad")
            return
        self._close_entry()
        self.rows.move_to(line)


def _wanted_rows(table: Table, text: str) -> list[int]:
    """Return the row of this number, or else those whose id begins so."""
    from tui.browse.finding import numbers_of

    digits = text.replace(",", "")
    if digits.isdecimal() and 0 < int(digits) <= table.count:
        return [int(digits) - 1]
    return [int(number) for number in numbers_of(table, text)]


def found_in(found: Any, order: Any) -> Any:
    """Return the lines of a search for rows in another order."""
    from tui.browse.searching import Found

    return None if found is None else Found.of(found.text, found.mask, order)


def line_of(order: Any, number: int | None) -> int | None:
    """Return the line at which a row is shown; None where it is not."""
    if number is None or order is None:
        return number
    import numpy as np

    found = np.flatnonzero(order == number)
    return int(found[0]) if found.size else None
