"""A run's own lines of a log; what libraries logged between them is counted, not shown."""

from __future__ import annotations

from collections.abc import Iterable

from tui.logs.query import Query
from workspace.job_log import begins_note, is_note


def folded(lines: Iterable[str], where: str) -> list[str]:
    """Return the lines with one in place of all that libraries logged between two of them.

    Args:
        lines: of the log, as they came.
        where: how the rest is seen, in a few words.
    """
    out: list[str] = []
    notes, is_inside = 0, False
    for line in lines:
        if is_note(line):
            # Lines may begin within a note whose first line came before.
            notes += begins_note(line) or not is_inside
            is_inside = True
            continue
        if is_inside:
            out.append(_told(notes, where))
        notes, is_inside = 0, False
        out.append(line)
    return [*out, _told(notes, where)] if is_inside else out


def _told(notes: int, where: str) -> str:
    return f"- {notes:,} {'message' if notes == 1 else 'messages'} of libraries, {where}"


def own_lines(query: Query | None) -> Query:
    """Return what wants only lines that `query` wants, and none of those that libraries logged."""
    query = query or Query("")
    return Query(query.text, (_is_own, *query.tests), query.needed)


def _is_own(line: str) -> bool:
    return not is_note(line)
