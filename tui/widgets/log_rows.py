"""The lines of a log that are seen, those that a search wants marked."""

from __future__ import annotations

from rich.cells import cell_len

from tui.glyphs import Glyphs
from tui.logs.query import Query
from tui.logs.reader import LogView
from tui.widgets.rows import Line, Rows, fit
from workspace.text import plain


class LogRows(Rows):
    """A part of a log, and a line that says which."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._view: LogView | None = None
        self._query: Query | None = None
        self._filter: Query | None = None
        self._is_own = False
        self._shift = 0

    def show(self, view: LogView) -> None:
        """Show other lines."""
        self._view = view
        self.redraw()

    def look_for(self, search: Query | None, kept: Query | None, *, is_own: bool) -> None:
        """Mark the lines that a search wants, and say what is searched and filtered.

        Args:
            search: what is looked for.
            kept: what lines are shown for.
            is_own: whether what libraries log is left out.
        """
        self._query, self._filter, self._is_own = search, kept, is_own
        self.redraw()

    def shift(self, by: int) -> None:
        """Show long lines from further right, or left."""
        self._shift = max(0, self._shift + by)
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines, and what is known of them on the last one."""
        view = self._view
        if view is None:
            return []
        found = [self._line(one.text, width) for one in view.lines[: height - 1]]
        if not view.lines:
            why = "No line matches." if view.matches is not None else "The log is empty, or gone."
            found = [(("", ""), (fit(f"  {why}", width, self.glyphs.ellipsis), "muted"))]
        found += [()] * (height - 1 - len(found))
        return [*found, self._status(view, width)]

    def _line(self, text: str, width: int) -> Line:
        is_wanted = self._query is not None and self._query.matches(text)
        mark = self.glyphs.cursor if is_wanted else " "
        shown = plain(text.replace("\t", "    "), limit=self._shift + width * 4)
        return (
            (f"{mark} ", "accent"),
            (fit(shown[self._shift :], max(0, width - 2), self.glyphs.ellipsis),
             "strong" if is_wanted else ""),
        )  # fmt: skip

    def _status(self, view: LogView, width: int) -> Line:
        facts = []
        if view.said:
            facts.append(view.said)
        if self._filter is not None or self._is_own:
            only = self._filter.text if self._filter is not None else ""
            own = "without libraries" if self._is_own else ""
            told = ", ".join(filter(None, (own, only and f"only: {only}")))
            lines = f"{view.matches or 0:,} line{'s' if view.matches != 1 else ''}"
            facts.append(f"{told} ({lines})")
        if self._query is not None:
            facts.append(f"search: {self._query.text}")
        if view.is_searching:
            facts.append(f"looked through {view.share_done:.0%}")
        facts.append("following" if view.is_following else "not following")
        where = _size(view.size)
        if view.line_number is not None:
            of = f" of {view.total:,}" if view.total is not None else ""
            where = f"line {view.line_number:,}{of}, {where}"
        dot = f" {self.glyphs.dot} "
        text = dot.join(facts)
        tail = f" {where} "
        room = max(0, width - cell_len(tail))
        role = "warn" if view.said else "accent"
        return ((fit(f" {text}", room, self.glyphs.ellipsis), role), (tail, "muted"))


def _size(size: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
