"""The commands as Python functions on polars frames, with the same names."""

from __future__ import annotations

from curate.api.amounts import balance, mix, select, topics
from curate.api.duplicates import calibrate, decontaminate, dedupe, semantic_duplicates
from curate.api.fitness import consistency, coverage
from curate.api.making import augment, run, split, step
from curate.api.quality import filter, redact, repair, score
from curate.api.reading import Rows, read

__all__ = [
    "Rows",
    "augment",
    "balance",
    "calibrate",
    "consistency",
    "coverage",
    "decontaminate",
    "dedupe",
    "filter",
    "mix",
    "read",
    "redact",
    "repair",
    "run",
    "score",
    "select",
    "semantic_duplicates",
    "split",
    "step",
    "topics",
]
