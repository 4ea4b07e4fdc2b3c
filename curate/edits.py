"""Single texts of rows, written anew by a person: what they are called, and who sets them.

A text is called by its column and, in a list of turns, its place from 0: `messages.1`, `chosen.0`,
`text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl

from curate.frame import DROPPED, ROW
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, StepContext
from curate.steps.quality.cells import Rewritten
from curate.texts import IMAGE_EDGE, IMAGE_MARK, TYPES

Texts = Mapping[str, str]
"""What a text is called → what it is."""


def texts_of(row: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the texts of a row that can be written anew, by what they are called.

    >>> texts_of({"messages": [{"role": "user", "content": "hi"}]}, "messages")
    {'messages.0': 'hi'}
    """
    columns = TYPES[kind]
    found = {
        f"{name}.{place}": turn["content"]
        for name in columns.turns
        for place, turn in enumerate(row.get(name) or ())
        if isinstance(turn.get("content"), str)
    }
    plain = {name: row[name] for name in columns.plain if isinstance(row.get(name), str)}
    return {**found, **plain}


def texts_in(frame: pl.LazyFrame, kind: str, rows: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the texts of some rows by their ids, those that are not there left out."""
    columns = [one for one in TYPES[kind].all if one != "label"]
    held = frame.filter(pl.col("id").is_in(list(rows))).select("id", *columns).collect()
    found = {str(row["id"]): texts_of(row, kind) for row in held.iter_rows(named=True)}
    return {row: found[row] for row in rows if row in found}


def with_texts(row: Mapping[str, Any], kind: str, texts: Texts) -> dict[str, Any]:
    """Return the columns of a row with some texts written anew; the others stay as they are."""
    columns = TYPES[kind]
    out = {name: _turns(name, row[name], texts) for name in columns.turns}
    return {**out, **{name: texts.get(name, row[name]) for name in columns.plain}}


def _turns(column: str, turns: list[dict[str, Any]] | None, texts: Texts) -> Any:
    if turns is None:
        return None
    return [
        {**turn, "content": texts.get(f"{column}.{place}", turn.get("content"))}
        for place, turn in enumerate(turns)
    ]


def keeps_images(before: str, after: str) -> bool:
    """Whether a text shows the same images at its new wording, in the same order."""
    both = [re.findall(IMAGE_MARK, text) for text in (before, after)]
    edges = [text.count(IMAGE_EDGE) for text in (before, after)]
    return both[0] == both[1] and edges[0] == edges[1]


class EditsStep:
    """Writes the texts anew that a person edited; later steps see them so."""

    name: ClassVar[str] = "edits"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, edits: Mapping[str, Texts]) -> None:
        """Take the edits by the ids of their rows."""
        self.edits = edits

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return {"edits": {row: dict(texts) for row, texts in sorted(self.edits.items())}}

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Set the texts; say how many edits fit no text that is there."""
        kind = context.type
        columns = tuple(one for one in TYPES[kind].all if one != "label")
        wanted = frame.filter(pl.col("id").is_in(list(self.edits)))
        held = wanted.select(ROW, "id", *columns).collect()
        rows, details, values = [], [], []
        unfit = sum(len(texts) for texts in self.edits.values())
        for row in held.iter_rows(named=True):
            before = texts_of(row, kind)
            asked = self.edits[row["id"]]
            texts = {
                name: text
                for name, text in asked.items()
                if name in before and keeps_images(before[name], text)
            }
            unfit -= len(texts)
            if any(before[name] != text for name, text in texts.items()):
                rows.append(row[ROW])
                details.append(f"{', '.join(sorted(texts))} as a person wrote it")
                values.append({name: with_texts(row, kind, texts)[name] for name in columns})
        rewritten = Rewritten(columns)
        rewritten.add(held, rows, [Reason.DECIDED.value] * len(rows), details, values)
        notes = (f"Edits of texts that are not there: {unfit:,}.",) if unfit else ()
        return rewritten.outcome(frame, self.name, pl.DataFrame(schema=DROPPED), notes)
