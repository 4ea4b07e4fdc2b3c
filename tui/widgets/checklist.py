"""Lines to choose from, in parts, and the command that follows from what is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from tui.evaluations.measurement import TITLES, Choice, Measurement
from tui.glyphs import Glyphs
from tui.temper import typed
from tui.widgets.picking import marked
from tui.widgets.rows import Line, fit
from tui.widgets.sectioned import ROW, Sectioned

_VALUE = 30


class Checklist(Sectioned):
    """Runs, suites, baselines and options; the last line starts."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._choices: Sequence[Choice] = ()
        self.chosen = Measurement()

    @property
    def picked(self) -> Choice | None:
        """The line under the cursor."""
        return self._choices[self.cursor] if self._choices else None

    def show(self, choices: Sequence[Choice], chosen: Measurement, at: str) -> None:
        """Show what there is to choose from, with the cursor on the first line of a kind."""
        self._choices, self.chosen = choices, chosen
        layout: list[tuple[str, int]] = []
        for number, choice in enumerate(choices):
            if not number or choices[number - 1].kind != choice.kind:
                layout.append(("title", number))
            layout.append((ROW, number))
        kinds = [choice.kind for choice in choices]
        self.lay_out(layout, kinds.index(at) if at in kinds else 0)

    def choose(self, chosen: Measurement) -> None:
        """Show what is chosen now."""
        self.chosen = chosen
        self.redraw()

    def drawn(self, kind: str, number: int, width: int) -> Line:
        """Return a title or a line."""
        choice = self._choices[number]
        if kind == "title":
            return ((fit(f" {TITLES[choice.kind]}", width, self.glyphs.ellipsis), "muted"),)
        is_cursor = number == self.cursor
        cursor = self.glyphs.cursor if is_cursor else " "
        if choice.kind == "start":
            command = f"{self.glyphs.prompt} {typed(self.chosen.arguments)}"
            text = fit(command, max(0, width - 2), self.glyphs.ellipsis)
            return marked(((f"{cursor} ", "accent"), (text, "accent")), is_cursor=is_cursor)
        box = "[x]" if self.chosen.has(choice) else "[ ]"
        role = "" if choice.is_usable else "muted"
        name = fit(choice.value, min(_VALUE, max(0, width - 6)), self.glyphs.ellipsis)
        about = fit(f" {choice.about}", max(0, width - 6 - len(name)), self.glyphs.ellipsis)
        line: Line = ((f"{cursor} ", "accent"), (f"{box} ", role), (name, role), (about, "muted"))
        return marked(line, is_cursor=is_cursor)
