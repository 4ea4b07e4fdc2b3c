"""One row as the lines of a view; made in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tui.browse.conversation import chat_lines, raw_lines, whole_row
from tui.browse.differing import repeated_lines
from tui.browse.wrapping import Line, wrapped
from workspace.errors import TemperError

if TYPE_CHECKING:
    from tui.browse.table import Table


def row_text(table: Table, number: int, view: Literal["chat", "json"]) -> str:
    """Return all of a row as text to be copied.

    Raises:
        DataError: it cannot be read.
    """
    row = whole_row(table, number)
    lines = raw_lines(row) if view == "json" else chat_lines(row)
    return "\n".join(text for text, _ in lines).strip()


def row_lines(table: Table, number: int, view: Literal["chat", "json"], width: int) -> list[Line]:
    """Return a row as lines of `width` cells; a dropped one first beside the row it repeats.

    What cannot be read is told in the lines.
    """
    try:
        row = whole_row(table, number)
        if view == "json":
            return wrapped(raw_lines(row), width)
        lines: list[Line] = []
        if row.get("reason"):
            told = f"{row.get('step')}: {row['reason']}"
            lines += wrapped(
                [(told, "warn"), (str(row.get("detail") or ""), "muted"), ("", "")], width
            )
        again = repeated_lines(table.opened.path, row, width) if table.opened.is_dataset else []
        return [*lines, *(again or wrapped(chat_lines(row), width))]
    except TemperError as error:
        return wrapped([(str(error), "bad")], width)
