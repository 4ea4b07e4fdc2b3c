"""What `temper neighbours --json` gave, as text beside an item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.records import number, words
from tui.temper import Outcome

_TEXT = 400
_ERROR_LINES = 4
"""What failed, where, why, and what to do."""


def as_paragraphs(outcome: Outcome, glyphs: Glyphs) -> Sequence[Paragraph]:
    """Return the nearest training rows, or why they are not known."""
    if outcome.code:
        told = [line.strip() for line in outcome.said.splitlines() if line.strip()]
        lines = told[-_ERROR_LINES:] or ["the command failed"]
        return tuple(Paragraph(line, "warn") for line in lines)
    try:
        document: dict[str, Any] = json.loads(outcome.output)
        found = document["rows"]
        shown = [_row(one, glyphs) for one in found]
    except (ValueError, KeyError, TypeError, AttributeError):
        return (Paragraph("the command gave something else than rows", "warn", "!", "warn"),)
    title = Paragraph(f"nearest training rows, by words ({len(shown)})", "strong")
    if not shown:
        title = Paragraph("No training row has a word in common with it.", "muted", glyphs.dot)
    note = words(document.get("note"))
    return (title, *shown, *([Paragraph(note, "muted")] if note else []))


def _row(row: dict[str, Any], glyphs: Glyphs) -> Paragraph:
    similarity = number(row.get("similarity")) or 0.0
    mark = f"{glyphs.dot} {similarity:.2f} {words(row.get('id'))[:8]}"
    return Paragraph(words(row.get("text"))[:_TEXT].replace("\n", " "), "", mark, "accent")
