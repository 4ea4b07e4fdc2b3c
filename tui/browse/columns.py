"""The columns of an index, as polars expressions over the rows of any dataset type."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

BEGINNING = 200
"""Characters of a row's text that its index holds."""
_TURN_COLUMNS = ("messages", "prompt", "completion", "chosen", "rejected")
_TEXT_COLUMNS = ("answer", "text", "raw")
_MARKS: dict[str, tuple[str, pl.DataType]] = {
    "source": ("source", pl.String()),
    "place": ("row", pl.Int64()),
    "label": ("label", pl.String()),
    "topic": ("topic", pl.String()),
    "tokens": ("tokens", pl.Int64()),
    "parents": ("parents", pl.List(pl.String)),
}
_TOP_LEVEL = {"label": "user_label"}
_ACCOUNT = ("step", "reason", "detail", "duplicate_of")

COLUMNS = (
    *("id", "split", "source", "place", "label", "topic", "turns", "tokens", "characters"),
    *("parents", "start", *_ACCOUNT),
)
"""Columns of an index, in their order."""

Schema = Mapping[str, pl.DataType]


def described(schema: Schema, split: str) -> list[pl.Expr]:
    """Return the columns of an index over rows with this schema.

    Args:
        schema: of a Parquet file: a split of a dataset, or its dropped rows.
        split: what it is called; dropped rows are `dropped`.
    """
    turns = _turn_columns(schema)
    lengths = [pl.col(name).list.len().fill_null(0) for name in turns]
    first = _first_text(schema)
    return [
        _plain(schema, "id"),
        pl.lit(split).alias("split"),
        *(_mark(schema, name) for name in ("source", "place", "label", "topic")),
        (pl.sum_horizontal(lengths) if lengths else pl.lit(None)).cast(pl.Int64).alias("turns"),
        _mark(schema, "tokens"),
        whole_text(schema).str.len_chars().cast(pl.Int64).alias("characters"),
        _mark(schema, "parents").list.first().alias("parents"),
        first.str.slice(0, BEGINNING).alias("start"),
        *(_plain(schema, name) for name in _ACCOUNT),
    ]


def whole_text(schema: Schema) -> pl.Expr:
    """Return everything that a row says, as one text: what is searched."""
    said = [
        pl.col(name).list.eval(pl.element().struct.field("content")).list.join("\n")
        for name in _turn_columns(schema)
    ]
    said += [pl.col(name) for name in _TEXT_COLUMNS if schema.get(name) == pl.String]
    if not said:
        return pl.lit("")
    return pl.concat_str(said, separator="\n", ignore_nulls=True)


def read_columns(schema: Schema) -> list[str]:
    """Return the columns of a file that an index is made of: images and the like stay unread."""
    wanted = {*_turn_columns(schema), *_TEXT_COLUMNS, *_ACCOUNT, "id", "meta"}
    wanted |= {_TOP_LEVEL.get(name, mark) for name, (mark, _) in _MARKS.items()}
    return [name for name in schema if name in wanted]


def _turn_columns(schema: Schema) -> list[str]:
    found = []
    for name in _TURN_COLUMNS:
        kind = schema.get(name)
        if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
            fields = {field.name: field.dtype for field in kind.inner.fields}
            if fields.get("content") == pl.String:
                found.append(name)
    return found


def _first_text(schema: Schema) -> pl.Expr:
    """Return the first thing said that is no system prompt: those are alike in all rows."""
    parts = []
    for name in _turn_columns(schema)[:1]:
        turn = pl.element().struct
        spoken = turn.field("content").filter(turn.field("role") != "system")
        parts.append(pl.col(name).list.eval(spoken).list.first())
    parts += [pl.col(name) for name in ("text", "raw") if schema.get(name) == pl.String]
    return pl.coalesce([*parts, pl.lit("")])


def _plain(schema: Schema, name: str) -> pl.Expr:
    found = pl.col(name) if name in schema else pl.lit(None)
    return found.cast(pl.String).alias(name)


def _mark(schema: Schema, name: str) -> pl.Expr:
    """Return a mark of a row: a field of `meta` in a dataset, a column of its own elsewhere."""
    mark, kind = _MARKS[name]
    meta = schema.get("meta")
    if isinstance(meta, pl.Struct) and mark in {field.name for field in meta.fields}:
        found = pl.col("meta").struct.field(mark)
    else:
        top = _TOP_LEVEL.get(name, mark)
        found = pl.col(top) if top in schema else pl.lit(None)
    return found.cast(kind).alias(name)
