"""What a person decided about single rows, kept in a file beside the recipe and applied by it.

One JSON object a line: `{"id": "…", "decision": "keep"}` (no step drops the row) or
`{"id": "…", "decision": "drop", "why": "…"}`; `"undecided"` takes back what was decided before. The
last of these lines about a row counts. Beside them, `{"id": "…", "decision": "edit", "texts":
{"messages.1": "…"}}` says what a text of a row is from now on (`curate/edits.py` tells what texts
are called), the last line about a text counts, and `"unedited"` takes back all edits of a row.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, ValidationError, model_validator

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, StepContext, dropped_rows, split_off
from workspace.errors import DataError
from workspace.files import write_text
from workspace.recipe import Section

Verdict = Literal["keep", "drop", "undecided"]
Said = Literal["keep", "drop", "undecided", "edit", "unedited"]


class Decision(Section):
    """One line of the file."""

    id: str
    """Id of the row: the hash of what it was in its source, so it is the same in every run."""
    decision: Said
    why: str = ""
    texts: dict[str, str] = Field(default_factory=dict)
    """Of an edit: what a text is called → what it is from now on."""

    @model_validator(mode="after")
    def _texts_of_edits_alone(self) -> Decision:
        if bool(self.texts) != (self.decision == "edit"):
            raise ValueError("an edit has texts, and nothing else has")
        return self


@dataclass(frozen=True)
class Decisions:
    """The rows to keep whatever a step says, those to drop with the reason given, those edited."""

    keep: frozenset[str] = frozenset()
    drop: Mapping[str, str] = field(default_factory=dict)
    edit: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Id of a row → its texts that a person wrote anew."""

    def of(self, row: str) -> Verdict:
        """Return what was decided about a row, by its id."""
        return "keep" if row in self.keep else "drop" if row in self.drop else "undecided"

    def spare(self, outcome: Outcome, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Return the outcome without the drops of rows that are to be kept.

        Args:
            outcome: of a step.
            frame: the rows before it.
            context: of the step.
        """
        if not self.keep or outcome.dropped.is_empty():
            return outcome
        ids = context.ids.gather(outcome.dropped[ROW])
        spared = ids.is_in(list(self.keep))
        if not spared.any():
            return outcome
        rows = outcome.dropped.filter(spared).select(ROW).lazy()
        back = frame.join(rows, on=ROW, how="semi", maintain_order="left")
        note = f"Kept by decision though it would drop them: {int(spared.sum()):,}."
        return replace(
            outcome,
            kept=pl.concat([outcome.kept, back], how="diagonal_relaxed").sort(ROW),
            dropped=outcome.dropped.filter(~spared),
            notes=(*outcome.notes, note),
        )


class DecisionsStep:
    """Drops the rows that a person decided to drop."""

    name: ClassVar[str] = "decisions"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        known = self.decisions
        return {"keep": sorted(known.keep), "drop": dict(known.drop)}

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop the rows; say how many decisions are about rows that are not there."""
        drop = self.decisions.drop
        named = context.ids.is_in(list(drop))
        rows = np.flatnonzero(named.to_numpy()).astype(np.int64)
        detail = [drop[row] or "no reason was given" for row in context.ids.filter(named)]
        known = set(context.ids.filter(context.ids.is_in([*drop, *self.decisions.keep])))
        absent = len(drop) + len(self.decisions.keep) - len(known)
        notes = (f"Decisions about rows that are not there: {absent:,}.",) if absent else ()
        return split_off(frame, dropped_rows(self.name, rows, Reason.DECIDED, detail), notes)


def load_decisions(path: Path) -> Decisions:
    """Return what a file of decisions says; a file that is not there says nothing.

    Raises:
        DataError: a line is not a decision.
    """
    if not path.is_file():
        return Decisions()
    last: dict[str, Decision] = {}
    edits: dict[str, dict[str, str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        one = _decision(line, f"{path}:{number}")
        if one.decision == "edit":
            edits[one.id] = {**edits.get(one.id, {}), **one.texts}
        elif one.decision == "unedited":
            edits.pop(one.id, None)
        else:
            last[one.id] = one
    return Decisions(
        frozenset(one.id for one in last.values() if one.decision == "keep"),
        {one.id: one.why for one in last.values() if one.decision == "drop"},
        edits,
    )


def _decision(line: str, where: str) -> Decision:
    try:
        return Decision.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(
            "this is not a decision",
            where=where,
            cause=f"{place or 'the line'}: {first['msg']}.",
            cure='A line is {"id": "…", "decision": "keep"}, "drop" or "undecided", perhaps with '
            '"why"; an edit has "texts".',
        ) from error


def add_decisions(path: Path, decisions: Iterable[Decision]) -> int:
    """Add decisions to a file, whole or not at all; return how many were new.

    Raises:
        DataError: the file holds something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        known = load_decisions(path)
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        fresh = [one for one in decisions if not _is_known(known, one)]
        lines = [json.dumps(one.model_dump(exclude_defaults=True)) + "\n" for one in fresh]
        if lines:
            gap = "\n" if before and not before.endswith("\n") else ""
            write_text(path, before + gap + "".join(lines))
    return len(lines)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let nobody else add here meanwhile: what one has read is then still what is there."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_known(known: Decisions, one: Decision) -> bool:
    if one.decision == "edit":
        return one.texts.items() <= known.edit.get(one.id, {}).items()
    if one.decision == "unedited":
        return one.id not in known.edit
    if one.decision == "drop":
        return known.drop.get(one.id) == one.why
    return known.of(one.id) == one.decision
