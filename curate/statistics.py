"""What is in files, before anything is decided about them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.pipeline import Curated
from curate.texts import answer_text, prompt_text


def describe(curated: Curated) -> dict[str, Any]:
    """Return sources, formats, lengths in characters, and what cannot be used."""
    lengths = curated.kept.select(
        prompt_text(curated.type).str.len_chars().alias("prompt"),
        answer_text(curated.type).str.len_chars().alias("answer"),
    ).collect()
    unusable = curated.dropped["reason"].value_counts(sort=True)
    return {
        "schema_version": 1,
        "type": curated.type,
        "rows": curated.ledger.rows_read,
        "sources": curated.ledger.sources,
        "characters": {name: _spread(lengths[name]) for name in lengths.columns},
        "unusable": dict(unusable.iter_rows()),
    }


def _spread(values: pl.Series) -> dict[str, int]:
    return {
        "least": int(values.quantile(0.0, "nearest") or 0),
        "median": int(values.quantile(0.5, "nearest") or 0),
        "p95": int(values.quantile(0.95, "nearest") or 0),
        "most": int(values.quantile(1.0, "nearest") or 0),
    }
