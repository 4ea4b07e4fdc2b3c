"""The thread that reads a log for the screen: moves, search, filter, follow, and the line count.

It does one thing after the other: what a key asks for at once, and what takes long (counting
lines, filtering) in slices between keys.
"""

from __future__ import annotations

import queue
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui.logs.file import LONGEST_SHOWN, LogFile, LogLine
from tui.logs.index import LineIndex
from tui.logs.query import Query

_SLICE = 1 << 20
"""Bytes filtered or searched between two looks at what else is asked."""
_PERIOD_SECONDS = 1.0
_SHOWN_EVERY_SECONDS = 0.5
MOST_MATCHES = 1_000_000
"""Lines that a filter keeps, the latest ones."""


@dataclass(frozen=True)
class LogView:
    """What the screen shows."""

    lines: tuple[LogLine, ...] = ()
    size: int = 0
    line_number: int | None = None
    """Of the top line; None while it is not counted yet, or among filtered lines."""
    total: int | None = None
    """Lines in all, once they are counted."""
    matches: int | None = None
    """Lines that the filter found so far."""
    is_searching: bool = False
    share_done: float = 1.0
    """Of what takes long."""
    is_following: bool = True
    said: str = ""


class LogReader(threading.Thread):
    """Reads one log. A daemon: a disk that does not answer must not hold `q`."""

    def __init__(self, path: Path, deliver: Callable[[LogView], object]) -> None:
        super().__init__(name="log-reader", daemon=True)
        self._file = LogFile(path)
        self._deliver = deliver
        self._asked: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._index = LineIndex(self._file)
        self._height = 0
        self._is_following = True
        self._top = 0
        self._query: Query | None = None
        self._older = array("q")
        """Offsets of filtered lines, the latest first."""
        self._newer = array("q")
        """Of those that were written since the filter began."""
        self._left = 0
        """Bytes from the beginning that are not filtered yet."""
        self._seen = 0
        """Size of the file when it was last looked at."""
        self._from_end = 0
        """Filtered lines below the last one shown."""
        self._said = ""
        self._last: LogView | None = None

    def ask(self, wanted: Callable[[], object]) -> None:
        """Have one of the methods below called in the thread, then deliver what is shown."""
        self._asked.put(wanted)

    def stop(self) -> None:
        """End the thread at its next turn."""
        self._asked.put(None)

    def run(self) -> None:
        """Do what is asked; between keys a slice of what takes long."""
        has_work, shown = True, 0.0
        while True:
            try:
                wanted = self._asked.get(timeout=0 if has_work else _PERIOD_SECONDS)
            except queue.Empty:
                wanted = self._look
            if wanted is None:
                return
            self._said = "" if wanted != self._look else self._said
            is_asked = wanted != self._look
            try:
                wanted()
                has_work = self._work()
            except Exception as error:  # a bug in reading must be seen, not end the thread
                self._said, has_work = f"The log cannot be read: {error!r}", False
            now = time.monotonic()
            is_due = is_asked or not has_work or now - shown > _SHOWN_EVERY_SECONDS
            if self._asked.empty() and is_due:
                shown = now
                self._show(is_searching=False)

    def resize(self, height: int) -> None:
        """Show so many lines."""
        self._height = height

    def move(self, by: int) -> None:
        """Go so many lines down, or up."""
        if self._query is not None:
            most = max(0, self._matched - self._height)
            self._from_end = max(0, min(most, self._from_end - by))
            self._is_following = self._from_end == 0
        elif by < 0:
            found = self._file.before(self._top, -by)
            self._top = found[0].offset if found else 0
            self._is_following = False
        else:
            found = self._file.after(self._top, by + self._height)
            ahead = len(found) - self._height
            self._is_following = ahead <= by
            if ahead > 0:
                self._top = found[min(by, ahead)].offset

    def first(self) -> None:
        """Go to the beginning."""
        self._top, self._is_following = 0, False
        self._from_end = max(0, self._matched - self._height)

    def follow(self) -> None:
        """Go to the end, and stay there as the log grows."""
        self._is_following, self._from_end = True, 0

    def filter(self, query: Query | None) -> None:
        """Show only lines that match; None shows all of them."""
        self._query = query if query is not None and query.tests else None
        self._older, self._newer = array("q"), array("q")
        self._seen = self._left = self._file.size()
        self.follow()

    def search(self, query: Query, by: int) -> None:
        """Go to the next line that matches, downwards or upwards."""
        if not query.tests:
            return
        found = self._search_matches(query, by) if self._query else self._search_file(query, by)
        if found is False:
            self._said = f"No line {'below' if by > 0 else 'above'} has: {query.text}"

    @property
    def _matched(self) -> int:
        return len(self._older) + len(self._newer)

    def _match(self, place: int) -> int:
        """Return the offset of a filtered line, 0 the earliest."""
        earlier = len(self._older)
        return self._older[earlier - 1 - place] if place < earlier else self._newer[place - earlier]

    def _search_matches(self, query: Query, by: int) -> bool:
        """Search among the filtered lines, until found or something else is asked."""
        shown = time.monotonic()
        place = self._matched - self._from_end - min(self._height, self._matched) + by
        while 0 <= place < self._matched:
            if any(query.matches(one.text) for one in self._file.after(self._match(place), 1)):
                self._from_end = max(0, self._matched - self._height - place)
                self._is_following = False
                return True
            place += by
            if not self._asked.empty():
                return True  # something else is wanted
            if time.monotonic() - shown > _SHOWN_EVERY_SECONDS:
                shown = time.monotonic()
                share = place / self._matched
                self._show(is_searching=True, share=share if by > 0 else 1 - share)
        return False

    def _search_file(self, query: Query, by: int) -> bool:
        """Search the whole file, by blocks, until found or something else is asked."""
        size = self._file.size()
        first = self._file.after(self._top, 1)
        at = (first[0].end if first else size) if by > 0 else self._top
        shown = time.monotonic()
        while (at < size) if by > 0 else (at > 0):
            start, end = (at, min(size, at + _SLICE)) if by > 0 else (max(0, at - _SLICE), at)
            # A line that begins in a block may go on beyond it, as far as lines are read.
            data = self._file.read(start, end - start + LONGEST_SHOWN)
            if query.may_be_in(data):
                found = self._matching(query, start, end)
                if found:
                    self._top = found[0 if by > 0 else -1]
                    self._is_following = False
                    return True
            at = end if by > 0 else start
            if not self._asked.empty():
                return True  # something else is wanted
            share = at / size if by > 0 else 1 - at / size
            if time.monotonic() - shown > _SHOWN_EVERY_SECONDS:
                shown = time.monotonic()
                self._show(is_searching=True, share=share)
        return False

    def _matching(self, query: Query, start: int, end: int) -> list[int]:
        """Return where lines begin that match and begin between two offsets."""
        start = self._file.next_line_start(start)
        found = []
        while start < end:
            chunk, _ = self._file.chunk(start)
            lines = [one for one in chunk if one.offset < end]
            if not lines:
                break
            found += [one.offset for one in lines if query.matches(one.text)]
            start = lines[-1].end
        return found

    def _look(self) -> None:
        """See whether the file has grown, or was begun anew."""
        size = self._file.size()
        if size < self._seen:
            self._index = LineIndex(self._file)
            self.filter(self._query)
            return
        if self._query is not None and size > self._seen:
            last = self._file.before(size, 1)
            whole = last[-1].offset if last and not _is_whole(self._file, size) else size
            new = self._matching(self._query, self._seen, whole)
            self._newer.extend(new)
            self._from_end += 0 if self._is_following else len(new)
            self._seen = max(self._seen, whole)
        elif self._query is None:
            self._seen = size

    def _work(self) -> bool:
        """Do a slice of what takes long; return whether there is more."""
        if self._query is not None and self._left > 0:
            start, end = max(0, self._left - _SLICE), self._left
            if self._query.may_be_in(self._file.read(start, end - start + LONGEST_SHOWN)):
                self._older.extend(reversed(self._matching(self._query, start, end)))
            self._left = start if len(self._older) < MOST_MATCHES else 0
            return True
        return self._index.extend(1)

    def _show(self, *, is_searching: bool, share: float | None = None) -> None:
        """Deliver what is to be seen, if it is not what was delivered last."""
        size = self._file.size()
        if self._query is not None:
            lines = self._filtered_lines()
        else:
            if self._is_following:
                found = self._file.before(size, self._height)
                self._top = found[0].offset if found else 0
            lines = self._file.after(self._top, self._height)
        is_counted = self._query is None and not is_searching
        left = self._left / self._seen if self._query is not None and self._seen else 0.0
        view = LogView(
            lines=tuple(lines),
            size=size,
            line_number=self._index.line_number(self._top) if is_counted else None,
            total=self._index.total() if not is_searching else None,
            matches=self._matched if self._query is not None else None,
            is_searching=is_searching or left > 0,
            share_done=share if share is not None else 1 - left,
            is_following=self._is_following,
            said=self._said,
        )
        if view != self._last:
            self._last = view
            self._deliver(view)

    def _filtered_lines(self) -> list[LogLine]:
        end = self._matched - self._from_end
        places = range(max(0, end - self._height), end)
        return [line for place in places for line in self._file.after(self._match(place), 1)]


def _is_whole(file: LogFile, size: int) -> bool:
    return file.read(size - 1, 1) in (b"\n", b"\r")
