"""Sentences about rows as polars expressions."""

from __future__ import annotations

import polars as pl


def phrase(template: str, *values: str | pl.Expr) -> pl.Expr:
    """Return the template with a value for each `{}`, as `pl.format`; null where a value is.

    `pl.format` of polars 2.1.0 panics where a filter before it leaves the first chunk of a frame
    empty and several rows of a later one; `concat_str` does not.

    Args:
        template: text with a `{}` for each value.
        values: names of columns, or expressions of any type.
    """
    pieces = template.split("{}")
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(values)} values: {template!r}")
    parts: list[pl.Expr] = [pl.lit(pieces[0])]
    for value, piece in zip(values, pieces[1:], strict=True):
        said = pl.col(value) if isinstance(value, str) else value
        parts += [said.cast(pl.String), pl.lit(piece)]
    return pl.concat_str(parts)
