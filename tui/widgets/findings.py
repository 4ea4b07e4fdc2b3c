"""What the doctor found, a line or two each, under a ramp of colours to be judged by eye."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.style import Style

from tui.findings import Finding
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit

_LABEL = 16
_STATES = {"ok": ("finished", "good"), "warn": ("lost", "warn"), "fail": ("failed", "bad")}


class Ramp(Rows):
    """Grey and colour from dark to light: smooth, in steps, or hardly there."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the two bands, and what they say."""
        room = max(0, min(64, width - _LABEL))
        label = fit("  colours", min(width, _LABEL), "")
        if self.app.no_color:
            return [((label, "muted"), (fit("NO_COLOR is set", room, ""), ""))]
        shades = [round(255 * place / max(1, room - 1)) for place in range(room)]
        cell = self.glyphs.bars[-1]
        grey = [(cell, f"#{shade:02x}{shade:02x}{shade:02x}") for shade in shades]
        blue = [(cell, f"#{shade:02x}{shade // 2 + 64:02x}{255 - shade:02x}") for shade in shades]
        words = fit("smooth: 16 million; steps: 256 or 16", max(0, width - _LABEL), "")
        return [
            ((label, "muted"), *grey),
            ((" " * min(width, _LABEL), ""), *blue),
            ((" " * min(width, _LABEL), ""), (words, "muted")),
        ]

    def _style(self, role: str) -> Style:
        if role.startswith("#"):
            return self.rich_style + Style(color=role)
        return super()._style(role)


class Findings(Rows):
    """The findings with their cures; scrolled by lines."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._findings: Sequence[Finding] | None = None
        self._top = 0
        self._count = 0

    def show(self, findings: Sequence[Finding]) -> None:
        """Show what was found."""
        self._findings = findings
        self.redraw()

    def move(self, by: int) -> None:
        """Scroll, to the ends at most."""
        self._top = max(0, min(self._top + by, self._count - self.size.height))
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines from the one that was scrolled to."""
        if self._findings is None:
            return [((fit(f"  looking {self.glyphs.ellipsis}", width, ""), "muted"),)]
        lines = [line for one in self._findings for line in self._block(one, width)]
        self._count = len(lines)
        self._top = max(0, min(self._top, len(lines) - height))
        return lines[self._top : self._top + height]

    def _block(self, one: Finding, width: int) -> list[Line]:
        state, role = _STATES[one.level]
        more, room = self.glyphs.ellipsis, max(8, width - _LABEL)
        mark = f" {self.glyphs.marks[state]} "
        found = textwrap.wrap(one.found, room) or [""]
        cure = textwrap.wrap(f"{self.glyphs.prompt} {one.cure}", room) if one.cure else []
        lines: list[Line] = []
        for place, text in enumerate([*found, *cure]):
            name = fit(one.what, _LABEL - 3, more) if place == 0 else " " * (_LABEL - 3)
            colour = "accent" if place >= len(found) else ""
            lines.append(
                (
                    (mark if place == 0 else "   ", role),
                    (name, "muted"),
                    (fit(text, room, more), colour),
                )
            )
        return lines
