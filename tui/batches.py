"""The rows of a step as lines of a screen: what `temper batch RUN STEP --json` says."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from tui.figures import measure
from tui.records import number, words
from tui.widgets.rows import Line
from workspace.text import plain

_LONGEST_TEXT = 20_000
"""Characters of one row that are shown; `temper batch` prints all of it."""


@dataclass(frozen=True)
class BatchRow:
    """One row of a step, or one completion that was sampled in it."""

    heading: str
    row_id: str
    segments: tuple[tuple[str, bool], ...]
    """Texts, and whether they carried loss."""
    problem: str = ""


class UnreadableBatch(Exception):
    """Why the answer of the command cannot be shown."""


def read_rows(document: str) -> list[BatchRow]:
    """Return the rows of a document.

    Raises:
        UnreadableBatch: it is not what `temper batch --json` writes.
    """
    try:
        found = json.loads(document)
        names = [str(name) for name in found["sequences"]]
        rows = [_row(one, names) for one in found["rows"]]
        return rows + [_completion(one) for one in found["completions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableBatch(f"the answer of the command cannot be read: {error!r}") from error


def _row(one: dict[str, Any], names: Sequence[str]) -> BatchRow:
    facts = [
        str(one["role"]),
        words(one.get("place")) or str(one["row_id"])[:16],
        f"micro-batch {int(one['micro_batch']) + 1}",
        f"{one['tokens']} tokens",
        f"{one['trained']} trained",
    ]
    segments: list[tuple[str, bool]] = []
    before = None
    for part in one["segments"]:
        name = names[part["sequence"]] if part["sequence"] < len(names) else ""
        if name and part["sequence"] != before:
            segments.append((f"\n[{name}]\n", False))
        before = part["sequence"]
        segments.append((str(part["text"]), bool(part["trained"])))
    return BatchRow(" · ".join(facts), str(one["row_id"]), tuple(segments), words(one["problem"]))


def _completion(one: dict[str, Any]) -> BatchRow:
    reward, advantage = number(one.get("reward")), number(one.get("advantage"))
    facts = [
        "sampled",
        f"reward {measure(reward)}" if reward is not None else "",
        f"advantage {measure(advantage)}" if advantage is not None else "",
        f"answer {words(one.get('answer'))!r}",
    ]
    segments = ((words(one.get("prompt")), False), (words(one.get("completion")), True))
    return BatchRow(" · ".join(filter(None, facts)), str(one.get("row_id", "")), segments)


def lines_of(row: BatchRow, width: int) -> list[Line]:
    """Return a row as lines of this width; what carried loss has a bar before it."""
    lines: list[Line] = []
    left = _LONGEST_TEXT
    for text, is_trained in row.segments:
        shown = text[:left]
        left -= len(shown)
        role = "strong" if is_trained else "muted"
        bar = "┃ " if is_trained else "  "
        for part in shown.strip("\n").split("\n"):
            for wrapped in _wrapped(plain(part.replace("\t", "    ")), max(8, width - 2)):
                lines.append(((bar, "accent"), (wrapped, role)))
        if left <= 0:
            lines.append((("  … `temper batch` prints the rest of this row.", "warn"),))
            break
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """Return a line cut to cells, at spaces where that is possible."""
    if cell_len(text) != len(text):  # wide characters: at most half as many fit
        width = max(4, width // 2)
    return textwrap.wrap(
        text, width, drop_whitespace=False, replace_whitespace=False, break_on_hyphens=False
    ) or [""]
