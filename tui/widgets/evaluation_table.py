"""The list of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.evaluations.rows import EvaluationRow
from tui.figures import count, moment
from tui.glyphs import ROLES, Glyphs
from tui.snapshot import unstamped
from tui.widgets.picking import Picking, marked
from tui.widgets.rows import Line, Part, fit
from workspace.text import plain

ORDERS = ("newest first", "worst first", "by model")
_WORST = ("broken", "invalid", "fail", "failed", "lost", "inconclusive")
_VERDICT, _WHEN, _ID = 16, 14, 24
_LONGEST_NAMES = 24
_WIDE = 110
_WORDS = {"inconclusive": "undecided"}


class EvaluationTable(Picking):
    """Evaluations, one a line, with one of them picked."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._all: Sequence[EvaluationRow] | None = None
        self._rows: Sequence[EvaluationRow] = ()
        self._names_width = 0
        self.order = 0
        self.wanted = ""
        """Only rows with this text are shown."""

    @property
    def picked(self) -> EvaluationRow | None:
        """The evaluation under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    def length(self) -> int:
        """Return how many are shown."""
        return len(self._rows)

    def show(self, rows: Sequence[EvaluationRow]) -> None:
        """Show `rows`; the cursor stays on its evaluation while that is there."""
        if rows is not self._all:
            self._all = rows
            self._refill()

    def sort(self) -> str:
        """Go to the next order and return its name."""
        self.order = (self.order + 1) % len(ORDERS)
        self._refill()
        return ORDERS[self.order]

    def filter(self, text: str) -> None:
        """Show only rows with `text` in their id, models, verdict or headline."""
        self.wanted = text
        self._refill()

    def _refill(self) -> None:
        before = self.picked
        text = self.wanted.lower()
        kept = [row for row in self._all or () if not text or text in _searched(row)]
        keys: dict[int, Callable[[EvaluationRow], object]] = {
            1: lambda row: _WORST.index(row.state) if row.state in _WORST else len(_WORST),
            2: lambda row: row.models,
        }
        if self.order in keys:
            kept.sort(key=keys[self.order])  # type: ignore[arg-type]
        self._rows = kept
        longest = max((len(_names(row)) for row in kept), default=0)
        self._names_width = min(longest, _LONGEST_NAMES)
        ids = [row.id for row in kept]
        self.replaced(ids.index(before.id) if before is not None and before.id in ids else None)

    def headings(self, width: int) -> list[Line]:
        """Return the titles of the columns."""
        place = f"{self.cursor + 1}/{count(len(self._rows))}" if self._rows else "0"
        only = f" with {plain(self.wanted, 40)!r}" if self.wanted else ""
        told = f"{ORDERS[self.order]}{only}, {place}"
        text = "   " + fit("verdict", _VERDICT, "") + fit("when", _WHEN, "")
        if width >= _WIDE:
            text += fit("evaluation", _ID, "")
        room = max(0, width - len(text))
        about = (
            fit("model", room - len(told) - 2, "") + f" {told} " if room > len(told) + 8 else told
        )
        return [((text, "muted"), (fit(about, room, self.glyphs.ellipsis), "muted"))]

    def entry(self, place: int, width: int, *, is_cursor: bool) -> Line:
        """Return the line of one evaluation."""
        row = self._rows[place]
        role = ROLES.get(row.state, "muted")
        more = self.glyphs.ellipsis
        mark = self.glyphs.marks.get(row.state, "-")
        when = moment(row.created) if row.created is not None else row.id[:8]
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f" {mark}", role),
            (fit(f" {_WORDS.get(row.state, row.state)}", _VERDICT, more), role),
            (fit(when, _WHEN, more), "muted"),
        ]
        used = 3 + _VERDICT + _WHEN
        if width >= _WIDE:
            parts.append((fit(unstamped(row.id), _ID - 1, more) + " ", ""))
            used += _ID
        told = _names(row)
        if width >= _WIDE:
            told = f"{fit(told, self._names_width, more)}  {row.headline}"
        parts.append((fit(told, max(0, width - used), more), "strong" if is_cursor else ""))
        return marked(tuple(parts), is_cursor=is_cursor)


def _names(row: EvaluationRow) -> str:
    return row.title or ", ".join(row.models) or unstamped(row.id)


def _searched(row: EvaluationRow) -> str:
    return " ".join((row.id, row.title, *row.models, row.state, row.headline)).lower()
