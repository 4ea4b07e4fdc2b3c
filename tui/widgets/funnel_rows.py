"""The steps of a curation as a funnel: what came in, what is left, and why the rest is gone."""

from __future__ import annotations

from dataclasses import dataclass

from textual.events import Click
from textual.message import Message

from tui.browse.datasets import Funnel, FunnelStep, Reason
from tui.figures import count
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit, right

_NAME = 24
_NUMBER = 8


@dataclass(frozen=True)
class Place:
    """A line of the funnel: a step, or one of its reasons."""

    step: FunnelStep
    reason: Reason | None = None


class FunnelRows(Rows, can_focus=True):
    """One line a step, one line below it for each reason."""

    class Moved(Message):
        """Another line is selected."""

    class Opened(Message):
        """The selected line was clicked once more."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None, selects: bool = True) -> None:
        super().__init__(glyphs, id=id)
        self.can_focus = selects
        self._selects = selects
        self._funnel = Funnel()
        self._places: list[Place] = []
        self._cursor = 0
        self._top = 0

    @property
    def selected(self) -> Place | None:
        """The line under the cursor."""
        return self._places[self._cursor] if self._places else None

    def show(self, funnel: Funnel) -> None:
        """Show another funnel."""
        self._funnel = funnel
        self._places = []
        for step in funnel.steps:
            self._places.append(Place(step))
            self._places += [Place(step, reason) for reason in step.reasons]
        self.move_to(self._cursor)

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        self.move_to(self._cursor + by)

    def move_to(self, line: int) -> None:
        """Move the cursor to a line."""
        self._cursor = max(0, min(len(self._places) - 1, line))
        self.redraw()
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        """Select the clicked line; open it if it was selected already."""
        line = self._top + event.y - 1
        if self._selects and event.y >= 1 and line < len(self._places):
            if line == self._cursor:
                self.post_message(self.Opened())
            self.move_to(line)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the steps with their bars, then the splits."""
        if self._funnel.trouble:
            return [((fit(f" {self._funnel.trouble}", width, self.glyphs.ellipsis), "bad"),)]
        if not self._places:
            return []
        room = max(1, height - 2)
        self._top = max(min(self._top, self._cursor), self._cursor - room + 1, 0)
        name = min(_NAME, max(10, width - 2 * _NUMBER - 6))
        titles = (
            "  " + fit("step", name, "") + right("in", _NUMBER, "") + right("kept", _NUMBER, "")
        )
        shown = self._places[self._top : self._top + room]
        lines: list[Line] = [((fit(titles + "  dropped and why", width, ""), "muted"),)]
        lines += [self._line(self._top + y, one, name, width) for y, one in enumerate(shown)]
        if len(self._places) <= room:
            lines.append(((fit(self._end(), width, self.glyphs.ellipsis), "muted"),))
        return lines

    def _end(self) -> str:
        dot = f" {self.glyphs.dot} "
        return "  " + dot.join(f"{name} {rows:,}" for name, rows in self._funnel.splits)

    def _line(self, line: int, place: Place, name: int, width: int) -> Line:
        is_cursor = self._selects and line == self._cursor
        rest = max(0, width - name - 2 * _NUMBER - 4)
        parts: list[Part] = [(f"{self.glyphs.cursor if is_cursor else ' '} ", "accent")]
        parts += self._reason(place, name, rest) if place.reason else self._step(place, name, rest)
        if is_cursor:
            return tuple((text, f"{role} cursor".strip()) for text, role in parts)
        return tuple(parts)

    def _step(self, place: Place, name: int, rest: int) -> list[Part]:
        step, more = place.step, self.glyphs.ellipsis
        total = max(1, self._funnel.rows_in)
        told = []
        if step.changed:
            told.append(f"{step.changed:,} changed")
        if step.made:
            told.append(f"{step.made:,} made")
        words = "  " + ", ".join(told) if told else ""
        bar = min(max(0, rest - len(words) - 2), 40)
        return [
            (fit(step.name, name, more), "strong"),
            (right(count(step.rows_in), _NUMBER, more), ""),
            (right(count(step.kept), _NUMBER, more), "good"),
            ("  ", ""),
            (self._bar(step.kept / total, bar), "curve"),
            (fit(words, max(0, rest - bar), more), "muted"),
        ]

    def _reason(self, place: Place, name: int, rest: int) -> list[Part]:
        assert place.reason is not None
        more = self.glyphs.ellipsis
        return [
            (fit(f"  {place.reason.code}", name, more), "warn"),
            (" " * _NUMBER, ""),
            (right(f"-{count(place.reason.rows)}", _NUMBER, more), "bad"),
            ("  ", ""),
            (fit(place.reason.words, rest, more), "muted"),
        ]

    def _bar(self, share: float, width: int) -> str:
        full = self.glyphs.bars[-1] if self.glyphs.braille else "="
        return (full * round(max(0.0, min(1.0, share)) * width)).ljust(width)
