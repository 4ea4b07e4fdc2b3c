"""The list of answers: however many there are, only those on the screen are read and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.evaluations.answers import KIND_WORDS, ORDERS, Answers, Wanted
from tui.figures import count
from tui.glyphs import Glyphs
from tui.widgets.picking import Picking, marked
from tui.widgets.rows import Line, Part, fit
from workspace.text import plain

_ABILITY = 14
_ITEM = 18
_WIDE = 60


class AnswerList(Picking):
    """Pairs of answers, one a line: lost or gained, the ability, the item and its prompt."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._answers: Answers | None = None
        self._places: Sequence[int] = ()
        self._wanted = Wanted()
        self._prompts: dict[int, str] = {}
        self.note = "reading"

    def show(self, answers: Answers, places: Sequence[int], wanted: Wanted) -> None:
        """Show the pairs at `places` of `answers`."""
        self._answers, self._places, self._wanted = answers, places, wanted
        self.note = ""
        self.replaced(0)

    def tell(self, note: str) -> None:
        """Say something above the list: that it is being searched, or why there is none."""
        self.note = note
        self.redraw()

    def fill(self, prompts: Mapping[int, str]) -> None:
        """Show prompts that were read."""
        if len(self._prompts) > 2_000:  # of a long way through the list only the last part
            self._prompts.clear()
        self._prompts.update(prompts)
        self.redraw()

    def unread(self) -> list[int]:
        """Return the pairs on the screen whose prompt was not read yet."""
        shown = [int(self._places[place]) for place in self.on_screen]
        return [place for place in shown if place not in self._prompts]

    @property
    def places(self) -> Sequence[int]:
        """All pairs that are listed."""
        return self._places

    @property
    def picked(self) -> int | None:
        """The pair under the cursor."""
        return int(self._places[self.cursor]) if len(self._places) else None

    def length(self) -> int:
        """Return how many pairs are shown."""
        return len(self._places)

    def headings(self, width: int) -> list[Line]:
        """Return what is shown and how many."""
        if self.note:
            return [((fit(f" {self.note}", width, self.glyphs.ellipsis), "muted"),)]
        wanted = self._wanted
        parts = [
            f"{self.cursor + 1 if len(self._places) else 0}/{count(len(self._places))}",
            wanted.ability,
            KIND_WORDS[wanted.kind],
            f"group {wanted.group}" if wanted.group else "",
            f"cluster {plain(wanted.cluster, 30)}" if wanted.cluster else "",
            f"with {plain(wanted.text, 30)!r}" if wanted.text else "",
            ORDERS[wanted.order],
        ]
        told = f" {self.glyphs.dot} ".join(part for part in parts if part)
        return [((fit(f" {told}", width, self.glyphs.ellipsis), "muted"),)]

    def entry(self, place: int, width: int, *, is_cursor: bool) -> Line:
        """Return the line of one pair."""
        assert self._answers is not None
        pair = int(self._places[place])
        ability, item, before, after = self._answers.label(pair)
        mark, role = self._mark(before, after)
        more = self.glyphs.ellipsis
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f"{mark} ", role),
        ]
        used = 3
        if not self._wanted.ability:
            parts.append((fit(ability, _ABILITY - 1, more) + " ", ""))
            used += _ABILITY
        if width >= _WIDE:
            parts.append((fit(item, _ITEM - 1, more) + " ", "muted"))
            used += _ITEM
        prompt = self._prompts.get(pair, more)
        parts.append((fit(prompt, max(0, width - used), more), "strong" if is_cursor else ""))
        return marked(tuple(parts), is_cursor=is_cursor)

    def _mark(self, before: float, after: float) -> tuple[str, str]:
        if after < before:
            return self.glyphs.marks["fail"], "bad"
        if after > before:
            return self.glyphs.marks["pass"], "good"
        return "=", "muted"
