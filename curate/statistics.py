"""What is in files, before anything is decided about them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.pipeline import Curated
from curate.texts import answer_text, prompt_text, with_images_told

_EXAMPLE = 200
"""Characters of an example."""


def describe(curated: Curated) -> dict[str, Any]:
    """Return sources, formats, lengths in characters, and what cannot be used."""
    lengths = curated.kept.select(
        with_images_told(prompt_text(curated.type), "").str.len_chars().alias("prompt"),
        with_images_told(answer_text(curated.type), "").str.len_chars().alias("answer"),
    ).collect()
    unusable = curated.dropped["reason"].value_counts(sort=True)
    sources = [
        {**source, "detected": _with_examples(source, curated)} for source in curated.ledger.sources
    ]
    return {
        "schema_version": 1,
        "type": curated.type,
        "rows": curated.ledger.rows_read,
        "sources": sources,
        "characters": {name: _spread(lengths[name]) for name in lengths.columns},
        "unusable": dict(unusable.iter_rows()),
        "unusable_examples": dict(
            curated.dropped.unique("reason", keep="first", maintain_order=True)
            .select("reason", "detail")
            .iter_rows()
        ),
    }


def _with_examples(source: dict[str, Any], curated: Curated) -> list[dict[str, Any]]:
    """Return the evidence of a source, each kind of row with the beginning of its first one."""
    firsts = [one["first_row"] for one in source["detected"]]
    here = (pl.col("source") == source["name"]) & pl.col("row").is_in(firsts)
    both = pl.concat_str(prompt_text(curated.type), answer_text(curated.type), separator=" → ")
    example = with_images_told(both).str.head(_EXAMPLE)
    found = curated.kept.filter(here).select("row", example).collect()
    texts = dict(found.iter_rows())
    return [{**one, "example": texts.get(one["first_row"])} for one in source["detected"]]


def _spread(values: pl.Series) -> dict[str, int]:
    return {
        "least": int(values.quantile(0.0, "nearest") or 0),
        "median": int(values.quantile(0.5, "nearest") or 0),
        "p95": int(values.quantile(0.95, "nearest") or 0),
        "most": int(values.quantile(1.0, "nearest") or 0),
    }
