"""The columns of a published dataset: one explicit schema for all its splits."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curate.scores import SCORES
from curate.texts import TYPES
from evalsuite.similarity.tokens import BLOCK_ROWS

CANARY = "canary"
"""The mark of a random string that `temper canaries` made to be planted: its name."""
META = pl.Struct(
    {
        "source": pl.String,
        "row": pl.Int64,
        "user_id": pl.String,
        "label": pl.String,
        "topic": pl.String,
        "tokens": pl.Int32,
        "group": pl.String,
        "parents": pl.List(pl.String),
    }
)
PLAIN_TURN = pl.Struct({"role": pl.String, "content": pl.String})
TOOL_CALL = pl.Struct(
    {
        "id": pl.String,
        "type": pl.String,
        "function": pl.Struct({"name": pl.String, "arguments": pl.String}),
    }
)
TOOL_TURN = pl.Struct(
    {
        "role": pl.String,
        "content": pl.String,
        "tool_calls": pl.List(TOOL_CALL),
        "name": pl.String,
        "tool_call_id": pl.String,
    }
)
PICTURE = pl.Struct(
    {
        "digest": pl.String,
        "sha256": pl.String,
        "name": pl.String,
        "offset": pl.Int64,
        "size": pl.Int64,
    }
)
"""An image of a row while it is curated: its bytes are in the store `images.bin`."""
_PLAIN_COLUMNS = {"label": pl.Boolean, "answer": pl.String, "text": pl.String}


def dataset_schema(
    kind: str,
    *,
    tool_turns: bool,
    tools: bool,
    images: bool = False,
    scores: Sequence[str] = (),
    canaries: bool = False,
) -> dict[str, pl.DataType]:
    """Return column → type of a dataset.

    Args:
        kind: the dataset type.
        tool_turns: some turn calls a tool or answers a call; otherwise a turn is role and content.
        tools: some row lists its tools.
        images: some row has images; `images_out` gives them, and the turns, their last form.
        scores: names of the scores in `meta.scores`; without any there is no such field.
        canaries: some row is a planted string: `meta.canary` names it.
    """
    turn = TOOL_TURN if tool_turns else PLAIN_TURN
    columns = TYPES[kind]
    schema: dict[str, pl.DataType] = {name: pl.List(turn) for name in columns.turns}
    schema |= {name: _PLAIN_COLUMNS[name]() for name in columns.plain}
    if tools:
        schema["tools"] = pl.String()
    if images:
        schema["images"] = pl.List(PICTURE)
    meta = META
    if canaries:
        meta = pl.Struct([*meta.fields, pl.Field(CANARY, pl.String)])
    if scores:
        numbers = pl.Struct(dict.fromkeys(scores, pl.Float64))
        meta = pl.Struct([*meta.fields, pl.Field(SCORES, numbers)])
    return {**schema, "id": pl.String(), "content_hash": pl.String(), "meta": meta}


def uses_tools(frame: pl.LazyFrame, kind: str) -> tuple[bool, bool]:
    """Return whether some turn uses a tool, and whether some row lists tools."""
    checks = [pl.col("tools").is_not_null().any().alias("tools")]
    for column in TYPES[kind].turns:
        turn = pl.element().struct
        used = (
            (turn.field("tool_calls").list.len().fill_null(0) > 0)
            | turn.field("name").is_not_null()
            | turn.field("tool_call_id").is_not_null()
        )
        checks.append(pl.col(column).list.eval(used).list.any().any().alias(column))
    turns = tools = False
    # In batches: polars would hold all rows at once for `list.eval`.
    rows = frame.select("tools", *TYPES[kind].turns)
    for batch in rows.collect_batches(chunk_size=BLOCK_ROWS, maintain_order=False):
        found = batch.select(checks).row(0, named=True)
        tools |= bool(found.pop("tools"))
        turns |= any(found.values())
        if turns and tools:
            break
    return turns, tools


def with_meta(frame: pl.LazyFrame, schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Return the frame in the published schema.

    Args:
        frame: has the type's columns, `id`, `content_hash`, the marks, `tokens`, `group`, and
            `scores` where the schema has them.
        schema: from `dataset_schema`.
    """
    meta = pl.struct(
        "source",
        "row",
        "user_id",
        pl.col("user_label").alias("label"),
        "topic",
        pl.col("tokens").cast(pl.Int32),
        "group",
        pl.col("parents").fill_null([]),
        *(name for name in (CANARY, SCORES) if _has_mark(schema, name)),
    ).alias("meta")
    turns = [
        _turns(name, kind.inner) if isinstance(kind, pl.List) else pl.col(name)
        for name, kind in schema.items()
        if name != "meta"
    ]
    return frame.select(*turns, meta).cast(schema)  # type: ignore[arg-type]


def _has_mark(schema: dict[str, pl.DataType], name: str) -> bool:
    meta = schema["meta"]
    return isinstance(meta, pl.Struct) and any(field.name == name for field in meta.fields)


def has_canaries(kept: pl.LazyFrame) -> bool:
    """Tell whether some row is a planted string."""
    if CANARY not in kept.collect_schema():
        return False
    return bool(kept.select(pl.col(CANARY).is_not_null().any()).collect().item())


def _turns(column: str, turn: object) -> pl.Expr:
    if turn != PLAIN_TURN:
        return pl.col(column)
    fields = pl.struct(pl.element().struct.field("role"), pl.element().struct.field("content"))
    return pl.col(column).list.eval(fields)
