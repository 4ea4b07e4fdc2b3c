"""One item: what was asked, what was wanted, and both answers beside each other with a diff."""

from __future__ import annotations

from collections.abc import Sequence

from tui.evaluations.pairing import Pair, scored
from tui.evaluations.wrapping import Paragraph, laid_out, wrapped
from tui.glyphs import Glyphs
from tui.widgets.differing import Differing
from tui.widgets.rows import Line, Part, fit

_BESIDE = 56
"""From this width on answers stand beside each other."""
_LABEL = 8


class AnswerPair(Differing):
    """One pair of answers, and the training rows nearest to it once they are known."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._pair: Pair | None = None
        self._names = ("base", "tuned")
        self._nearest: Sequence[Paragraph] = ()
        self._note = ""

    @property
    def shown(self) -> Pair | None:
        """The pair on the screen."""
        return self._pair

    def show(self, pair: Pair | None, base: str, tuned: str, note: str = "") -> None:
        """Show another pair, or why there is none."""
        self._pair, self._names, self._nearest, self._note = pair, (base, tuned), (), note
        self.redraw()

    def show_nearest(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show the training rows nearest to the item, or that they are sought."""
        self._nearest = paragraphs
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the item; the answers keep their room, the rest is cut."""
        if self._pair is None:
            return [line for line in laid_out([Paragraph(self._note, "muted")], width)]
        nearest = laid_out(self._nearest, width)
        nearest = nearest[: max(len(nearest[:1]), height // 2)]
        room = height - len(nearest) - 1
        third = max(1, room // 3)
        asked = self._labelled("asked", self._pair.answer.prompt, width, third)
        wanted = self._labelled("wanted", self._pair.answer.gold, width, max(1, third // 2))
        answers = self._answers(width, max(2, room - len(asked) - len(wanted)))
        return [self._head(width), *asked, *wanted, *answers, *nearest]

    def _head(self, width: int) -> Line:
        assert self._pair is not None
        answer = self._pair.answer
        marks = {"lost": ("fail", "bad"), "gained": ("pass", "good")}
        name, role = marks.get(answer.kind, ("", "muted"))
        mark = f"{self.glyphs.marks.get(name, '=')} {answer.kind} "
        alone = answer.cluster in ("", answer.item_id)
        facts = [answer.ability, answer.item_id, "" if alone else f"cluster {answer.cluster}"]
        text = f" {self.glyphs.dot} ".join(fact for fact in facts if fact)
        return (
            (mark, role),
            (fit(text, max(0, width - len(mark)), self.glyphs.ellipsis), "strong"),
        )

    def _labelled(self, label: str, text: str, width: int, most: int) -> list[Line]:
        lines = wrapped([(text or "(nothing)", "")], width - _LABEL, most=most + 1)
        return [
            ((fit(label if y == 0 else "", _LABEL, ""), "muted"), *line)
            for y, line in enumerate(self._cut(lines, most, width - _LABEL))
        ]

    def _cut(self, lines: list[Line], most: int, width: int) -> list[Line]:
        if len(lines) <= most:
            return lines
        return [
            *lines[: most - 1],
            ((fit(f"{self.glyphs.ellipsis} space: all", width, ""), "muted"),),
        ]

    def _answers(self, width: int, room: int) -> list[Line]:
        assert self._pair is not None
        answer = self._pair.answer
        sides = [
            (self._names[0], answer.base_score, answer.base_detail, self._pair.base),
            (self._names[1], answer.tuned_score, answer.tuned_detail, self._pair.tuned),
        ]
        if width < _BESIDE:
            each = max(2, room // 2)
            return [line for side in sides for line in self._side(side, width, each)]
        half = (width - 3) // 2
        left, right = (self._side(side, half, room) for side in sides)
        bar = self.glyphs.axis[0]
        lines = []
        for y in range(max(len(left), len(right))):
            first = _padded(left[y] if y < len(left) else (), half)
            second = right[y] if y < len(right) else ()
            lines.append((*first, (f" {bar} ", "muted"), *second))
        return lines

    def _side(
        self, side: tuple[str, float, str, tuple[Part, ...]], width: int, room: int
    ) -> list[Line]:
        name, score, detail, parts = side
        told = f" {self.glyphs.dot} ".join(one for one in (name, scored(score), detail) if one)
        role = "muted" if score != score else "good" if score >= 0.5 else "bad"
        shown = parts if any(text for text, _ in parts) else (("(nothing)", "muted"),)
        body = self._cut(wrapped(shown, width, most=room), max(1, room - 1), width)
        return [((fit(told, width, self.glyphs.ellipsis), role),), *body]


def _padded(line: Line, width: int) -> Line:
    from rich.cells import cell_len

    used = sum(cell_len(text) for text, _ in line)
    return (*line, (" " * max(0, width - used), ""))
