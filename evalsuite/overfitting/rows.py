"""Rows of a run's data as training saw them: drawn by a seeded hash, tokenised with the loss mask.

Also general prompts, for drift: items of suites with what the base answers, and replayed rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from evalsuite.models import ChatTokenizer
from evalsuite.models.rows import tokenise_row
from evalsuite.overfitting.evidence import Evidence, Form
from evalsuite.parquet_rows import rows_at
from workspace.errors import DataError, ModelError

Part = Literal["trained", "validation", "test", "unseen", "replayed", "general", "planted"]
HELD_OUT: tuple[Part, ...] = ("validation", "test", "unseen")
"""Parts that training did not see, from the same source as what it saw."""


@dataclass(frozen=True)
class SweepRow:
    """One row that both models read."""

    part: Part
    row_id: str
    source: str
    """The raw file it came from, or the suite's task."""
    ids: tuple[int, ...]
    """All tokens."""
    learnt: tuple[int, ...]
    """Positions in `ids` that carry loss, ascending; the first token is never predicted."""
    seen: int = 0
    """How often training saw it."""

    @cached_property
    def key(self) -> str:
        """Digest of all that decides what a model makes of it."""
        text = json.dumps([self.ids, self.learnt], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def targets(self) -> list[int]:
        """The tokens that carry loss."""
        return [self.ids[place] for place in self.learnt]


@dataclass(frozen=True)
class Drawn:
    """Rows of one run's data, and what was passed over."""

    rows: tuple[SweepRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """How long rows may be, and what becomes of longer ones."""

    tokens: int
    cuts: bool
    vocabulary: int | None
    """How many token ids the model knows; None if it does not say."""


def draw_rows(
    evidence: Evidence, tokenizer: ChatTokenizer, limits: Limits, *, count: int, seed: int
) -> Drawn:
    """Draw at most `count` rows of each part and tokenise them.

    Where there are neither validation nor test rows, those of the training split that no step saw
    stand in for them.

    Raises:
        DataError: a file of the dataset cannot be read, or the template refuses a row.
    """
    train = evidence.dataset / "train.parquet"
    seen = evidence.seen
    draw = _Drawing(tokenizer, limits, count, seed)
    rows = draw.part("trained", train, evidence.form, lambda one: one in seen, seen)
    held = [
        row
        for part in ("validation", "test")
        for row in draw.part(part, evidence.dataset / f"{part}.parquet", evidence.form)
    ]
    if not held:
        held = draw.part("unseen", train, evidence.form, lambda one: one not in seen)
    rows += held
    if evidence.replay is not None:
        replayed = evidence.replayed
        file = evidence.replay / "train.parquet"
        rows += draw.part("replayed", file, "sft", lambda one: one in replayed)
    return Drawn(tuple(rows), tuple(draw.notes))


class _Drawing:
    def __init__(self, tokenizer: ChatTokenizer, limits: Limits, count: int, seed: int) -> None:
        self.tokenizer = tokenizer
        self.limits = limits
        self.count = count
        self.seed = seed
        self.notes: list[str] = []

    def part(
        self,
        part: Part,
        file: Path,
        form: Form,
        wanted: Callable[[str], bool] = lambda one: True,
        seen: Mapping[str, int] | None = None,
    ) -> list[SweepRow]:
        """Return the drawn rows of one file; none where there is no such file."""
        if not file.is_file():
            return []
        found: list[SweepRow] = []
        skipped = 0
        for record in self._records(file, wanted):
            content = learnt_from(record, form)
            row = None if content is None else self._row(part, record, content, file)
            if row is None:
                skipped += 1
                continue
            found.append(row if seen is None else _counted(row, seen))
        if skipped:
            self.notes.append(
                f"{skipped:,} of {skipped + len(found):,} drawn {part} rows are not read again: "
                "too long, without an answer that is learnt, or with images"
            )
        return found

    def _records(self, file: Path, wanted: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
        import pyarrow
        import pyarrow.parquet as pq

        try:
            names = pq.read_schema(file).names
            name = "id" if "id" in names else "content_hash"
            ids = pq.read_table(file, columns=[name])[name].to_pylist()
            places = self._places(ids, wanted)
            for batch in rows_at(file, places):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, KeyError, OSError) as error:
            raise DataError(
                "rows of the dataset cannot be read",
                where=str(file),
                cause=f"{str(error).splitlines()[0].rstrip('.')}.",
                cure="Make the dataset again with `temper curate`, or set "
                "`evaluate: overfitting: {rows: 0}`.",
            ) from error

    def _places(self, ids: Sequence[str], wanted: Callable[[str], bool]) -> list[int]:
        """Return the places of the rows whose hashed ids come first, ascending."""
        chosen = [place for place, one in enumerate(ids) if wanted(str(one))]
        chosen.sort(key=lambda place: _order(self.seed, str(ids[place])))
        return sorted(chosen[: self.count])

    def _row(
        self, part: Part, record: Mapping[str, Any], content: Mapping[str, Any], file: Path
    ) -> SweepRow | None:
        meta = record.get("meta") or {}
        row_id = str(record.get("id") or record.get("content_hash") or "")
        try:
            chat = tokenise_row(self.tokenizer, content)
        except ModelError as error:
            raise DataError(
                error.title, where=f"{file}: id {row_id[:12]}", cause=error.cause, cure=error.cure
            ) from error
        source = str(meta.get("source") or file.parent.parent.name)
        return sweep_row(part, row_id, source, chat.input_ids, chat.loss_mask, self.limits)


def sweep_row(
    part: Part,
    row_id: str,
    source: str,
    ids: Sequence[int],
    mask: Sequence[bool],
    limits: Limits,
) -> SweepRow | None:
    """Return a tokenised row as both models read it; None where it cannot be read whole."""
    if len(ids) > limits.tokens:
        if not limits.cuts:
            return None
        ids, mask = ids[: limits.tokens], mask[: limits.tokens]
    if limits.vocabulary is not None and max(ids, default=0) >= limits.vocabulary:
        return None
    learnt = tuple(place for place, one in enumerate(mask) if one and place > 0)
    return SweepRow(part, row_id, source, tuple(ids), learnt) if learnt else None


def learnt_from(record: Mapping[str, Any], form: Form) -> dict[str, Any] | None:
    """Return what of a dataset row is learnt as a supervised row has it; None if nothing is.

    Of a preference it is the chosen answer, of labelled answers each good one.
    """
    if record.get("images"):
        return None
    if form == "labelled" and not record.get("label"):
        return None
    answer = record.get("chosen") if form == "preference" else record.get("completion")
    content = {
        "messages": _turns(record.get("messages")),
        "prompt": _turns(record.get("prompt")),
        "completion": _turns(answer),
        "text": record.get("text"),
    }
    tools = record.get("tools")
    if tools:
        content["tools"] = json.loads(tools) if isinstance(tools, str) else tools
    return content


def _turns(value: Any) -> Any:
    """Return messages without Arrow's nulls, tool calls decoded; texts as they are."""
    if not isinstance(value, list):
        return value
    return [_message(one) for one in value]


def _message(turn: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in turn.items() if value is not None or key == "content"}
    calls = found.get("tool_calls")
    if isinstance(calls, str):
        found["tool_calls"] = json.loads(calls)
    return found


def _counted(row: SweepRow, seen: Mapping[str, int]) -> SweepRow:
    return SweepRow(row.part, row.row_id, row.source, row.ids, row.learnt, seen.get(row.row_id, 0))


def _order(seed: int, row_id: str) -> bytes:
    return hashlib.sha256(f"{seed}/{row_id}".encode()).digest()
