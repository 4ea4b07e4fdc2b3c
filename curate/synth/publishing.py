"""Made rows as a dataset like any other: splits, ledger, dropped rows, card, report.

Beside them `made.parquet` says of every row, accepted or not, who made it, from what, with which
prompt and seed, how it was checked, how near it is to what was known, and what it cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import polars as pl

from curate.evidence import PARENTS
from curate.frame import ALTERED, hashed_content
from curate.ledger import Count, Entry, Ledger, StepTime
from curate.pipeline import Curated
from curate.report.made import chosen_made
from curate.schema import TOOL_TURN
from curate.synth.generators.base import Draft
from curate.synth.made import LostRow, MadeRow, Making, Stage
from curate.texts import TYPES
from evalsuite.asking.requests import Receipt, Usage

_STAGES: tuple[Stage, ...] = get_args(Stage)
_MARKS: dict[str, Any] = {
    "source": pl.String,
    "row": pl.Int64,
    "user_id": pl.String,
    "user_label": pl.String,
    "topic": pl.String,
    "document": pl.String,
    "conversation": pl.String,
    "parents": pl.List(pl.String),
    "canary": pl.String,
    "tools": pl.String,
}
MADE: dict[str, Any] = {
    "id": pl.String,
    "accepted": pl.Boolean,
    "reason": pl.String,
    "generator": pl.String,
    "cell": pl.String,
    "parents": pl.List(pl.String),
    "note": pl.String,
    "verified": pl.String,
    "similarity": pl.Float64,
    "nearest": pl.String,
    "model": pl.String,
    "seed": pl.Int64,
    "sample": pl.Int64,
    "prompt_hash": pl.String,
    "requests": pl.List(pl.String),
    "input_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "cost": pl.Float64,
}
"""Columns of `made.parquet`. Model, seed, sample and prompt are those of the first request; tokens
and cost are of all of them, checks included, and stand once where one request made several rows."""


def curated_from(
    making: Making,
    kind: str,
    seconds: float,
    notes: Sequence[str],
    count_tokens: Callable[[pl.LazyFrame], pl.Series] | None = None,
    tokens_by: str | None = None,
) -> Curated:
    """Return what was made as curated rows.

    Args:
        making: accepted and lost rows.
        kind: the dataset type.
        seconds: how long it took.
        notes: what a person should know.
        count_tokens: gives the tokens of each row; None: they are not counted.
        tokens_by: which tokenizer counts.
    """
    kept = _kept(making.made, kind)
    if count_tokens is not None:
        kept = kept.with_columns(count_tokens(kept.lazy()).alias("tokens"))
    ledger = _ledger(making, kept, seconds, notes)
    ledger.tokens_by = tokens_by
    return Curated(
        kind,
        kept.lazy(),
        _dropped(making.lost, kind),
        _altered(making.made),
        ledger,
        parents=_parents_shown(making),
    )


def _parents_shown(making: Making) -> pl.DataFrame:
    """Return the texts of the rows from which those were made that the report shows."""
    shown = set(chosen_made(made_table(making))["id"])
    seeds = {
        parent.id: (parent.id, parent.question, parent.answer)
        for row in making.made
        if row.id in shown
        for parent in row.draft.parents
    }
    return pl.DataFrame(list(seeds.values()), schema=PARENTS, orient="row")


def _turn(role: str, content: str) -> dict[str, Any]:
    return {
        "role": role,
        "content": content,
        "tool_calls": None,
        "name": None,
        "tool_call_id": None,
    }


def row_content(draft: Draft, kind: str) -> dict[str, Any]:
    """Return a draft as the columns of a dataset type."""
    asked = [_turn(turn.role, turn.content) for turn in draft.history]
    asked.append(_turn("user", draft.question))
    answer = _turn("assistant", draft.answer)
    if kind == "messages":
        return {"messages": [*asked, answer]}
    if kind == "prompt_completion":
        return {"prompt": asked, "completion": [answer]}
    if kind == "answer":
        return {"prompt": asked, "answer": draft.answer}
    worse = _turn("assistant", draft.rejected or "")
    return {"prompt": asked, "chosen": [answer], "rejected": [worse]}


def _content_schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = {name: pl.List(TOOL_TURN) for name in TYPES[kind].turns}
    return schema | {name: pl.String for name in TYPES[kind].plain}


def _kept(rows: Sequence[MadeRow], kind: str) -> pl.DataFrame:
    records = [
        {
            "_row": place,
            "id": row.id,
            **row_content(row.draft, kind),
            "source": _source(row.generator),
            "row": row.number,
            "user_label": row.draft.label,
            "document": row.draft.document,
            "parents": [parent.id for parent in row.draft.parents],
        }
        for place, row in enumerate(rows)
    ]
    schema = {"_row": pl.Int64, "id": pl.String, **_content_schema(kind), **_MARKS}
    frame = pl.DataFrame(records, schema=schema).lazy()
    return (
        hashed_content(frame, kind)
        .with_columns(
            pl.lit("train").alias("split"),
            pl.col("parents").list.first().fill_null(pl.col("id")).alias("group"),
            pl.lit(None, pl.Int32).alias("tokens"),
        )
        .collect()
    )


def _source(generator: str) -> str:
    return f"augment/{generator}"


def _dropped(rows: Sequence[LostRow], kind: str) -> pl.DataFrame:
    empty = dict.fromkeys(TYPES[kind].all)
    records = [
        {
            "id": row.id,
            "step": row.stage,
            "reason": row.reason.value,
            "detail": row.detail,
            "duplicate_of": row.duplicate_of,
            "source": _source(row.generator),
            "row": row.number,
            **(row_content(row.draft, kind) if row.draft else empty),
            "raw": row.raw or None,
        }
        for row in rows
    ]
    first = ("id", "step", "reason", "detail", "duplicate_of", "source")
    schema: dict[str, Any] = dict.fromkeys(first, pl.String)
    return pl.DataFrame(
        records, schema={**schema, "row": pl.Int64, **_content_schema(kind), "raw": pl.String}
    )


def _altered(rows: Sequence[MadeRow]) -> pl.DataFrame:
    """What `temper curate explain` says of a made row."""
    records = [
        {
            "id": row.id,
            "step": "generate",
            "what": "made",
            "reason": row.generator,
            "detail": _told(row),
            "source": _source(row.generator),
            "row": row.number,
        }
        for row in rows
    ]
    names = ("id", "step", "what", "reason", "detail", "source")
    assert {*ALTERED} <= {*names, "_row"}  # the columns that readers of altered.parquet know
    return pl.DataFrame(records, schema={**dict.fromkeys(names, pl.String), "row": pl.Int64})


def _told(row: MadeRow) -> str:
    parents = ", ".join(parent.id for parent in row.draft.parents)
    parts = [f"from {parents}", row.draft.note, row.draft.verified]
    if row.nearest:
        parts.append(f"similarity {row.similarity:.3f} to {row.nearest}, the nearest")
    return "; ".join(filter(None, parts))


def _ledger(making: Making, kept: pl.DataFrame, seconds: float, notes: Sequence[str]) -> Ledger:
    """Account for every row that was begun: made = kept + dropped, by generator."""
    ledger = Ledger()
    generators = sorted(
        {row.generator for row in making.made} | {row.generator for row in making.lost}
    )
    counted = kept["tokens"].null_count() < max(kept.height, 1)
    for stage in _STAGES:
        for name in generators:
            ledger.entries.append(_entry(making, stage, name, kept if counted else None))
    ledger.times = [StepTime(stage, 0.0) for stage in _STAGES]
    ledger.times[0] = StepTime(_STAGES[0], seconds, tuple(notes))
    tokens = int(kept["tokens"].sum()) if counted else None
    ledger.splits = {"train": Count(kept.height, tokens)} if kept.height else {}
    return ledger


def _entry(making: Making, stage: Stage, generator: str, kept: pl.DataFrame | None) -> Entry:
    """Count one generator's rows at one stage; tokens are known of the rows that stay."""
    made = sum(row.generator == generator for row in making.made)
    lost = [row for row in making.lost if row.generator == generator]
    later = _STAGES[_STAGES.index(stage) :]
    begun = made + sum(row.stage in later for row in lost)
    gone: dict[str, Count] = {}
    for row in lost:
        if row.stage == stage:
            gone[row.reason.value] = gone.get(row.reason.value, Count()) + Count(1)
    left = begun - sum(count.rows for count in gone.values())
    tokens = None
    if kept is not None and stage == _STAGES[-1]:
        mine = kept.filter(pl.col("source") == _source(generator))
        tokens = int(mine["tokens"].sum())
    first = stage == _STAGES[0]
    return Entry(
        step=stage,
        source=_source(generator),
        rows_in=Count(0 if first else begun),
        kept=Count(left, tokens),
        dropped=dict(sorted(gone.items())),
        made={"asked_for": Count(begun)} if first and begun else {},
    )


def made_table(making: Making) -> pl.DataFrame:
    """Return `made.parquet`: one line for every row that was begun, in their order."""
    records = [
        {
            **_common(row.id, row.generator, row.cell, row.draft.receipts, row.number),
            "accepted": True,
            "parents": [parent.id for parent in row.draft.parents],
            "note": row.draft.note,
            "verified": row.draft.verified,
            "similarity": row.similarity,
            "nearest": row.nearest or None,
        }
        for row in making.made
    ]
    records += [
        {
            **_common(row.id, row.generator, row.cell, row.receipts, row.number),
            "accepted": False,
            "reason": row.reason.value,
            "parents": [parent.id for parent in row.parents],
            "note": row.draft.note if row.draft else None,
            "verified": row.draft.verified if row.draft else None,
            "nearest": row.duplicate_of,
        }
        for row in making.lost
    ]
    records.sort(key=lambda record: record["number"])
    return pl.DataFrame(records, schema=MADE)


def _common(
    row_id: str, generator: str, cell: str, receipts: Sequence[Receipt], number: int
) -> dict[str, Any]:
    total = sum((receipt.usage for receipt in receipts), Usage())
    first: Mapping[str, Any] = vars(receipts[0]) if receipts else {}
    return {
        "number": number,
        "id": row_id,
        "generator": generator,
        "cell": cell,
        **{name: first.get(name) for name in ("model", "seed", "sample", "prompt_hash")},
        "requests": [receipt.key for receipt in receipts],
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost": total.money,
    }
