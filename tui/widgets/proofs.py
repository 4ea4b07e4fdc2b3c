"""The checks of a recipe with their way out, the mask of a row, and the rehearsal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len

from tui.form.proofs import Check, MaskedRow, MaskProof
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain

_MARKS = {"ok": ("pass", "good"), "warn": ("inconclusive", "warn"), "fail": ("fail", "bad")}
_MOST_CHARACTERS = 20_000
"""Of a row that is shown; longer ones are cut, and that is said."""


@dataclass(frozen=True)
class Proofs:
    """What is known so far; None is still being asked."""

    checks: tuple[Check, ...] | None = None
    check_trouble: str = ""
    mask: MaskProof | None = None
    mask_trouble: str = ""
    rehearsal: tuple[str, ...] | None = None


class ProofRows(Rows):
    """All of it as lines that scroll."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._proofs = Proofs()
        self._all: list[Line] = []
        self._top = 0

    def show(self, proofs: Proofs) -> None:
        """Show what is known now."""
        self._proofs = proofs
        self.redraw()

    def scroll(self, by: int) -> None:
        """Move by lines."""
        self._top = max(0, min(self._top + by, len(self._all) - max(1, self.size.height)))
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines in sight."""
        found = self._proofs
        self._all = [
            *self._head("checks", width),
            *self._checks(found, width),
            *self._head("what the loss sees", width),
            *self._mask(found, width),
            *self._head("rehearsal", width),
            *self._told(found.rehearsal or ("reading",), width, ""),
        ]
        self._top = max(0, min(self._top, len(self._all) - height))
        return self._all[self._top : self._top + height]

    def _head(self, title: str, width: int) -> list[Line]:
        return [((fit(f" {title}", width, self.glyphs.ellipsis), "strong"),)]

    def _told(self, texts: tuple[str, ...], width: int, role: str) -> list[Line]:
        out: list[Line] = []
        for text in texts:
            for line in textwrap.wrap(plain(text), max(8, width - 4)) or [""]:
                out.append(((fit(f"   {line}", width, self.glyphs.ellipsis), role),))
        return out

    def _checks(self, found: Proofs, width: int) -> list[Line]:
        if found.check_trouble:
            return self._told((found.check_trouble,), width, "bad")
        if found.checks is None:
            return self._told(("asking `temper check`",), width, "muted")
        # What is wrong comes first; within one level the order of the command stays.
        order = {"fail": 0, "warn": 1}
        out: list[Line] = []
        for one in sorted(found.checks, key=lambda check: order.get(check.level, 2)):
            out += self._check(one, width)
        return out

    def _check(self, one: Check, width: int) -> list[Line]:
        mark, role = _MARKS.get(one.level, ("lost", "warn"))
        head: Line = (
            (f"   {self.glyphs.marks[mark]} ", role),
            (fit(one.what, 11, self.glyphs.ellipsis), "strong" if one.level != "ok" else ""),
        )
        room = max(8, width - 16)
        wrapped = textwrap.wrap(plain(one.found), room) or [""]
        lines: list[Line] = [
            (*(head if y == 0 else ((" " * 16, ""),)), (fit(line, room, ""), ""))
            for y, line in enumerate(wrapped)
        ]
        for line in textwrap.wrap(plain(one.cure), room):
            lines.append(((" " * 16, ""), (fit(line, room, ""), "accent")))
        return lines

    def _mask(self, found: Proofs, width: int) -> list[Line]:
        if found.mask_trouble:
            return self._told((found.mask_trouble,), width, "bad")
        mask = found.mask
        if mask is None:
            return self._told(("asking `temper preview`",), width, "muted")
        mark = self.glyphs.marks["pass" if mask.passed else "fail"]
        out = self._told((f"{mark} {mask.told}",), width, "good" if mask.passed else "bad")
        out += self._told(mask.faults, width, "bad")
        for row in mask.rows:
            shown = f"{row.place} ({row.role}): {row.trained} of {row.tokens} tokens with loss"
            out += self._told((shown,), width, "muted")
            out += self._row(row, max(8, width - 6))
        return out

    def _row(self, row: MaskedRow, width: int) -> list[Line]:
        """Return a row's text, what carries loss between brackets."""
        opening, closing = ("⟦", "⟧") if self.glyphs.braille else ("[[", "]]")
        pieces: list[Part] = []
        left = _MOST_CHARACTERS
        for text, is_trained in row.segments:
            shown = text[:left]
            left -= len(shown)
            bracketed = f"{opening}{shown}{closing}" if is_trained else shown
            pieces.append((bracketed, "good" if is_trained else "muted"))
            if left <= 0:
                pieces.append((f"\n{self.glyphs.ellipsis} the rest is not shown", "warn"))
                break
        return [((" " * 5, ""), *line) for line in _wrapped(pieces, width)]


def _wrapped(pieces: list[Part], width: int) -> list[Line]:
    """Return styled text broken at its line ends and at `width` cells."""
    lines: list[list[Part]] = [[]]
    used = 0
    for text, role in pieces:
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
                used = 0
            rest = plain(part)
            while rest:
                taken = _fitting(rest, width - used)
                if taken:
                    lines[-1].append((rest[:taken], role))
                    used += cell_len(rest[:taken])
                rest = rest[taken:]
                if rest:
                    lines.append([])
                    used = 0
    return [tuple(line) for line in lines]


def _fitting(text: str, room: int) -> int:
    """Return how many characters fit into `room` cells; one at least on an empty line."""
    used = 0
    for place, character in enumerate(text):
        used += cell_len(character)
        if used > room:
            return place
    return len(text)
