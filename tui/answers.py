"""What a probed step said beside what the base said, as lines of a screen."""

from __future__ import annotations

import textwrap

from tui.curves.record import Answer, RunCurves
from tui.glyphs import Glyphs
from tui.widgets.rows import Line
from workspace.text import plain

_SIDE = 8
"""Cells of the word before a text."""


def answer_lines(curves: RunCurves, step: int | None, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the answers of a probed step with the base's; why there are none where there are."""
    probe = next((one for one in curves.probes if one.step == step), None)
    if probe is None or not probe.answers:
        return [(("No answer of this point was recorded.", "muted"),)]
    base = next((one.answers for one in curves.probes if one.step == 0), ())
    known = {(one.ability, one.item): one for one in base} if step else {}
    lines: list[Line] = []
    for one in probe.answers:
        lines += _lines_of(one, known.get((one.ability, one.item)), width, glyphs)
    return lines


def _lines_of(tuned: Answer, base: Answer | None, width: int, glyphs: Glyphs) -> list[Line]:
    heading = f"{tuned.ability}  {tuned.item}"
    sides = [("asked", tuned.prompt, "muted"), ("right", tuned.gold, "muted")]
    if base is not None:
        sides.append((_marked("base", base, glyphs), base.output, _role(base)))
    sides.append((_marked("said", tuned, glyphs), tuned.output, _role(tuned)))
    lines: list[Line] = [((plain(heading, width), "strong"),)]
    for name, text, role in sides:
        for y, part in enumerate(_wrapped(text, max(8, width - _SIDE))):
            lines.append(((f"{name if not y else '':<{_SIDE}}", "muted"), (part, role)))
    return [*lines, ()]


def _marked(name: str, answer: Answer, glyphs: Glyphs) -> str:
    """Return the word before an answer, with a mark where it is right or wrong."""
    verdict = {"good": "pass", "bad": "fail", "warn": "inconclusive"}.get(_role(answer))
    return f"{name} {glyphs.marks[verdict]}" if verdict else name


def _role(answer: Answer) -> str:
    if answer.score is None:
        return ""
    return "good" if answer.score >= 1 else "bad" if answer.score <= 0 else "warn"


def _wrapped(text: str, width: int) -> list[str]:
    wide = 1 if text.isascii() else 2
    parts = [plain(part) for part in text.strip().split("\n")]
    return [line for part in parts for line in textwrap.wrap(part, width // wide) or [""]]
