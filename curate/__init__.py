"""Raw rows → dataset, every row accounted for.

The commands of `temper curate` are functions here, with the same names:

    import curate

    rows = curate.read("raw/*.jsonl")
    unique = curate.dedupe(rows.frame, threshold=0.8)
    clean = curate.decontaminate(unique.kept, files=[("test.jsonl", "question")])
    parts = curate.split(clean.kept, validation=0.05, test=0.05)

polars is imported at the first call, so importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.api import (
        Rows,
        augment,
        balance,
        calibrate,
        consistency,
        coverage,
        decontaminate,
        dedupe,
        diff,
        drop,
        dropped,
        edit,
        explain,
        filter,
        mix,
        read,
        redact,
        repair,
        restore,
        run,
        score,
        select,
        semantic_duplicates,
        split,
        stats,
        step,
        topics,
        undecide,
    )

__all__ = [
    "Rows",
    "augment",
    "balance",
    "calibrate",
    "consistency",
    "coverage",
    "decontaminate",
    "dedupe",
    "diff",
    "drop",
    "dropped",
    "edit",
    "explain",
    "filter",
    "mix",
    "read",
    "redact",
    "repair",
    "restore",
    "run",
    "score",
    "select",
    "semantic_duplicates",
    "split",
    "stats",
    "step",
    "topics",
    "undecide",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from curate import api

        return getattr(api, name)
    raise AttributeError(f"module 'curate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
