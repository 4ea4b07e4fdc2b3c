"""`overfitting.parquet`: what both models make of each row that was read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.overfitting.figures import PREFIXES, SHORTEST_SUFFIX, SUFFIX, Compared
from evalsuite.overfitting.panel import OwnData
from evalsuite.stats.membership import min_k

FILE = "overfitting.parquet"


def write_rows(path: Path, own: Mapping[str, OwnData]) -> None:
    """Write a row for each model and row of its data.

    Columns: tuned (the model), row_id, source, part, seen (how often training saw it), tokens;
    nll_base and nll_tuned (summed over them, nats), min_k_base and min_k_tuned (mean of the lowest
    fifth of the log-likelihoods); verbatim_K_base and verbatim_K_tuned (whether greedy decoding
    writes what follows K tokens; null where the row is too short); kl, reverse_kl, same_top (means
    over tokens; null where not computed).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(name, one) for name, data in own.items() for one in data.compared]
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), path, compression="zstd")


def _row(name: str, one: Compared) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tuned": name,
        "row_id": one.row.row_id,
        "source": one.row.source,
        "part": one.row.part,
        "seen": one.row.seen,
        "tokens": len(one.base),
        "nll_base": -float(one.base.sum()),
        "nll_tuned": -float(one.tuned.sum()),
        "min_k_base": min_k(one.base),
        "min_k_tuned": min_k(one.tuned),
    }
    for k in PREFIXES:
        enough = k == 0 or len(one.base) >= k + SHORTEST_SUFFIX
        end = None if k == 0 else k + SUFFIX
        for side, greedy in (("base", one.base_greedy), ("tuned", one.tuned_greedy)):
            found[f"verbatim_{k}_{side}"] = bool(greedy[k:end].all()) if enough else None
    distance = {"kl": one.kl, "reverse_kl": one.reverse_kl, "same_top": one.same_top}
    return {**found, **{key: None if v != v else v for key, v in distance.items()}}


def _schema() -> Any:
    import pyarrow as pa

    text, number, count = pa.string(), pa.float64(), pa.int64()
    return pa.schema(
        [
            *((name, text) for name in ("tuned", "row_id", "source", "part")),
            *((name, count) for name in ("seen", "tokens")),
            *((name, number) for name in ("nll_base", "nll_tuned", "min_k_base", "min_k_tuned")),
            *((f"verbatim_{k}_{s}", pa.bool_()) for k in PREFIXES for s in ("base", "tuned")),
            *((name, number) for name in ("kl", "reverse_kl", "same_top")),
        ]
    )
