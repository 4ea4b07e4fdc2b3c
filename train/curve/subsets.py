"""Nested, stratified parts of a dataset: what is in the smaller one is in the larger one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.pictures import with_paths_from
from workspace.files import atomic_path, hash_file, write_json


def nested_order(ids: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Return all places in an order whose every beginning has each label's share of rows.

    Within a label, rows come in the order of a hash of their id, which no later row can change.
    The k-th of n rows of a label stands at (k + ½) / n of the way, so that beginnings hold every
    label in proportion, to within a row.

    >>> nested_order(["a", "b", "c", "d"], ["x", "x", "x", "y"])[1]
    3
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        groups[label].append(place)
    ranked = []
    for label, places in groups.items():
        places.sort(key=lambda place: hashlib.sha256(ids[place].encode()).digest())
        ranked += [((rank + 0.5) / len(places), label, place) for rank, place in enumerate(places)]
    return [place for _, _, place in sorted(ranked)]


def write_subset(dataset: Path, share: float, directory: Path) -> int:
    """Write a part of a dataset's training rows as a dataset and return how many rows it has.

    Rows keep the order that they have in the whole.

    Args:
        dataset: a dataset directory.
        share: of its training rows, up to 1.
        directory: to make; one that is there already, complete, is left as it is.
    """
    import pyarrow.parquet as pq

    if (directory / "ledger.json").is_file():
        return int(pq.read_metadata(directory / "train.parquet").num_rows)
    table = pq.read_table(dataset / "train.parquet")
    ids = [str(one) for one in table["id"].to_pylist()]
    order = nested_order(ids, _labels(table))
    kept = sorted(order[: max(1, round(share * len(order)))])
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_path(directory / "train.parquet") as temporary:
        part = with_paths_from(table.take(kept), dataset, directory)
        pq.write_table(part, temporary, compression="zstd")
    digest = hash_file(directory / "train.parquet")
    made = {"part_of": str(dataset), "share": share, "rows": len(kept)}
    write_json(directory / "ledger.json", {"schema_version": 1, "digest": digest, **made})
    return len(kept)


def _labels(table: Any) -> list[str]:
    """Return what rows are stratified by: `meta.label`, else whether an answer is good, or ""."""
    if "label" in table.column_names:
        return [str(one) for one in table["label"].to_pylist()]
    if "meta" not in table.column_names:
        return [""] * table.num_rows
    return [str((one or {}).get("label") or "") for one in table["meta"].to_pylist()]
