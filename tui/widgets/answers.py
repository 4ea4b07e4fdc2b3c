"""What one model has said, question by question; follows the end while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tui.chat.talk import Answer, Marks, Turn
from tui.chat.wrapping import Wrapped
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit

_ENDS = {
    "length": "cut at the most tokens",
    "stopped": "stopped",
    "lost": "lost: the process ended",
}
_FAR = 1 << 40


class Answers(Rows):
    """The answers of one side under a title."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--differs"}

    def __init__(self, glyphs: Glyphs, side: int, *, id: str, blind: bool = False) -> None:
        """`blind`: lengths and speeds, which tell who is who, are not shown."""
        super().__init__(glyphs, id=id)
        self._side = side
        self._is_blind = blind
        self._model = ""
        self._turns: Sequence[Turn] = ()
        self._marked = True
        self._is_current = False
        self._from_end = 0
        self._questions: dict[int, Wrapped] = {}

    def show(
        self, name: str, turns: Sequence[Turn], *, marked: bool = True, is_current: bool = False
    ) -> None:
        """Show these turns, differing words underlined where `marked`."""
        if turns is not self._turns or len(turns) < len(self._questions):
            self._questions.clear()
        self._model, self._turns, self._marked = name, turns, marked
        self._is_current = is_current
        self.redraw()

    def show_one(self, name: str, answer: Answer | None, *, is_current: bool) -> None:
        """Show a single answer without its question, from its beginning."""
        if answer is None:
            self.show(name, (), is_current=is_current)
            return
        known = self._turns[0].answers[self._side] if self._turns else None
        if known is not answer:
            self._turns = (Turn("", (answer, answer)),)
            self._from_end = _FAR
        self.show(name, self._turns, is_current=is_current)

    def scroll(self, by: int) -> None:
        """Move by lines; at the end it follows what is written."""
        self._from_end = max(0, self._from_end - by)
        self.redraw()

    def scroll_page(self, by: int) -> None:
        """Move by pages."""
        self.scroll(by * max(1, self.size.height - 2))

    def scroll_far(self, by: int) -> None:
        """Go to the first line, or to the last."""
        self.scroll(_FAR if by > 0 else -_FAR)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the title and what of the answers there is room for."""
        room = max(0, height - 1)
        whole = self._whole(max(1, width - 2))
        self._from_end = min(self._from_end, max(0, len(whole) - room))
        end = len(whole) - self._from_end
        shown = whole[max(0, end - room) : end]
        return [self._title(width), *(((" ", ""), *line) for line in shown)]

    def _title(self, width: int) -> Line:
        mark = self.glyphs.cursor if self._is_current else " "
        last = self._turns[-1].answers[self._side] if self._turns else None
        facts = "" if last is None or self._is_blind else _facts(last, self.glyphs.dot)
        more = f"{self._from_end} more below" if self._from_end else ""
        tail = "  ".join(part for part in (more, facts) if part)
        name = fit(self._model, max(0, width - len(tail) - 2), self.glyphs.ellipsis)
        return ((mark, "accent"), (name, "strong"), (tail + " ", "muted"))

    def _whole(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for number, turn in enumerate(self._turns):
            if number:
                lines.append(())
            lines += self._question(number, turn, width)
            lines += self._answer(turn.answers[self._side], width)
        return lines

    def _question(self, number: int, turn: Turn, width: int) -> list[Line]:
        if self._is_blind:
            return []
        asked = self._questions.setdefault(number, Wrapped(turn.question))
        head = f"{self.glyphs.prompt} "
        return [
            ((head if y == 0 else "  ", "accent"), (asked.text[a:b], "accent"))
            for y, (a, b) in enumerate(asked.spans(max(1, width - 2)))
        ]

    def _answer(self, answer: Answer, width: int) -> list[Line]:
        text, marks = answer.shown.text, answer.marks if self._marked else ()
        lines: list[Line] = [
            tuple(_parts(text, a, b, marks)) for a, b in answer.shown.spans(width) if text
        ]
        if answer.shown.hidden:
            said = f"{answer.shown.hidden:,} more characters are kept, not shown"
            lines.append(((fit(said, width, self.glyphs.ellipsis), "muted"),))
        if answer.finish and not text:
            lines.append((("(nothing)", "muted"),))
        if answer.finish in _ENDS:
            said = f"{self.glyphs.ellipsis} {_ENDS[answer.finish]}"
            lines.append(((fit(said, width, self.glyphs.ellipsis), "warn"),))
        return lines


def _facts(answer: Answer, dot: str) -> str:
    if not answer.finish:
        return "writing" if answer.raw else "waits"
    if not answer.tokens:
        return ""
    speed = f" {dot} {answer.tokens / answer.seconds:.0f}/s" if answer.seconds > 0 else ""
    return f"{answer.tokens} {'token' if answer.tokens == 1 else 'tokens'}{speed}"


def _parts(text: str, start: int, end: int, marks: Marks) -> list[Part]:
    """Return a line in parts, those that differ with a role of their own."""
    parts: list[Part] = []
    for first, last in marks:
        a, b = max(first, start), min(last, end)
        if a >= b:
            continue
        if a > start:
            parts.append((text[start:a], ""))
        parts.append((text[a:b], "differs"))
        start = b
    if start < end or not parts:
        parts.append((text[start:end], ""))
    return parts
