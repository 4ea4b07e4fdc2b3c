"""What to do next: a list of steps, each with its command, or the chosen one in a line."""

from __future__ import annotations

import textwrap

from tui.glyphs import Glyphs
from tui.next_steps import Step
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain

_INDENT = 4


class Steps(Rows):
    """The steps with a cursor; each as its sentence and, below, its command."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._steps: tuple[Step, ...] = ()
        self._heading = ""
        self._cursor = 0
        self.is_active = False

    @property
    def selected(self) -> Step | None:
        """The chosen step."""
        return self._steps[self._cursor] if self._steps else None

    def show(self, steps: tuple[Step, ...], heading: str = "") -> None:
        """Show other steps; the cursor stays on what it was on, if that is still to be done."""
        self._heading = heading
        before, self._steps = self.selected, steps
        wanted = before.command if before is not None and self._cursor else None
        self._cursor = next((y for y, one in enumerate(steps) if one.command == wanted), 0)
        self.redraw()

    def activate(self, is_active: bool) -> None:
        """Say whether the keys are for this list."""
        self.is_active = is_active
        self.redraw()

    def move(self, by: int) -> None:
        """Move the cursor, to the ends at most."""
        self._cursor = min(max(0, len(self._steps) - 1), max(0, self._cursor + by))
        self.redraw()

    def move_page(self, by: int) -> None:
        """Move the cursor by some steps."""
        self.move(by * max(1, self.size.height // 3))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the heading and the steps around the cursor."""
        heading = f"    {self._heading or 'what to do next'}"
        role = "strong" if self.is_active or self._heading else "muted"
        title: Line = ((fit(heading, width, self.glyphs.ellipsis), role),)
        blocks = [self._block(step, y, width) for y, step in enumerate(self._steps)]
        first = self._cursor
        room = height - 1 - len(blocks[first]) if blocks else 0
        while first > 0 and room >= len(blocks[first - 1]):
            first -= 1
            room -= len(blocks[first])
        return [title, *(line for block in blocks[first:] for line in block)][:height]

    def _block(self, step: Step, y: int, width: int) -> list[Line]:
        is_cursor = y == self._cursor
        cursor = self.glyphs.cursor if is_cursor and self.is_active else " "
        words = textwrap.wrap(plain(step.words), max(8, width - _INDENT)) or [""]
        lines: list[Line] = []
        for line, part in enumerate(words):
            head: Part = (
                f"{cursor} {self._bullet(step) if line == 0 else ' '} ",
                step.role or "accent",
            )
            role = "strong" if is_cursor else ""
            lines.append((head, (fit(part, width - _INDENT, self.glyphs.ellipsis), role)))
        if step.command:
            asked = f" {self.glyphs.ellipsis}" if step.asks else ""
            text = f"{self.glyphs.prompt} {step.command}{asked}"
            lines.append(
                (
                    (f"{cursor}   ", "accent"),
                    (fit(text, width - _INDENT, self.glyphs.ellipsis), "accent"),
                )
            )
        return lines

    def _bullet(self, step: Step) -> str:
        names = {"bad": "fail", "warn": "stopped", "good": "pass"}
        return self.glyphs.marks.get(names.get(step.role, ""), self.glyphs.dot)


class NextLine(Rows):
    """The chosen step in one line, for small screens."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._step: Step | None = None

    def show(self, step: Step | None) -> None:
        """Show another step."""
        self._step = step
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the command, or the words where there is none."""
        if self._step is None:
            return []
        more = self.glyphs.ellipsis
        label = " next d  " if self._step.command else " next    "
        shown = self._step.command or self._step.words
        prompt = f"{self.glyphs.prompt} " if self._step.command else ""
        text = fit(f"{prompt}{shown}", max(0, width - len(label)), more)
        return [((label, self._step.role or "muted"), (text, "accent" if prompt else ""))]
