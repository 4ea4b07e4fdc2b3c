"""Frames that a person gives to the Python functions: checked before a step computes with them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.texts import TYPES
from workspace.errors import DataError

_TURN_FIELDS: dict[str, Any] = {
    "role": pl.String,
    "content": pl.String,
    "tool_calls": pl.List(
        pl.Struct(
            {
                "id": pl.String,
                "type": pl.String,
                "function": pl.Struct({"name": pl.String, "arguments": pl.String}),
            }
        )
    ),
    "name": pl.String,
    "tool_call_id": pl.String,
}
_READ = "`curate.read(FILE)` brings other forms into this one."


def given(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Return rows with text as strings and turns with all the fields that a turn can have.

    Args:
        frame: rows with the columns of the type.
        kind: the dataset type.

    Raises:
        DataError: a column of the type holds something else.
    """
    columns = TYPES[kind]
    texts = [name for name in (*columns.plain, "tools") if name in frame.columns]
    out = frame.with_columns(
        *(whole_turns(frame, name) for name in columns.turns),
        *(_text(frame, name) for name in texts if name != "label"),
    )
    if "label" in columns.plain:
        _check_label(frame["label"])
    return out


def whole_turns(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Return a column of turns with all the fields that a turn can have.

    Raises:
        DataError: it holds no turns.
    """
    dtype = frame.schema[column]
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    fields = inner.fields if isinstance(inner, pl.Struct) else []
    held = {field.name: field.dtype for field in fields}
    if not {"role", "content"} <= {*held}:
        raise DataError(
            f"the column `{column}` holds no turns",
            cause=f"It is {dtype}.",
            cure=f'A turn is {{"role": "user", "content": "…"}}, a row a list of them. {_READ}',
        )
    for name in ("role", "content"):
        if held[name] not in (pl.String, pl.Null):
            raise DataError(
                f"`{name}` of a turn must be text",
                where=column,
                cause=f"It is {held[name]}.",
                cure=_READ,
            )
    turn = pl.element().struct
    whole = [
        turn.field(name).cast(kind) if name in held else pl.lit(None, kind).alias(name)
        for name, kind in _TURN_FIELDS.items()
    ]
    return pl.col(column).list.eval(pl.struct(whole))


def _text(frame: pl.DataFrame, column: str) -> pl.Expr:
    dtype = frame.schema[column]
    if dtype not in (pl.String, pl.Null, pl.Categorical, pl.Enum):
        form = "JSON text" if column == "tools" else "text"
        raise DataError(
            f"the column `{column}` must hold {form}", cause=f"It is {dtype}.", cure=_READ
        )
    return pl.col(column).cast(pl.String)


def _check_label(label: pl.Series) -> None:
    if label.dtype != pl.Boolean or label.null_count():
        raise DataError(
            "the column `label` says of each answer whether it is good",
            cause=f"It is {label.dtype}, {label.null_count():,} of them null.",
            cure="Give true or false, or name a class's column `user_label`.",
        )
