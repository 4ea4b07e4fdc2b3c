"""Parts of a dataset: nested, with each label in proportion."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from train.curve.subsets import nested_order, write_subset


def labelled(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"row-{number}",
            "messages": [{"role": "user", "content": f"q {number}"}],
            "meta": {"label": "rare" if number % 10 == 0 else "common"},
        }
        for number in range(count)
    ]


def test_every_beginning_has_each_label_in_proportion() -> None:
    labels = ["rare" if number % 10 == 0 else "common" for number in range(200)]
    order = nested_order([str(number) for number in range(200)], labels)
    assert sorted(order) == list(range(200))
    for size in (20, 60, 137):
        counted = Counter(labels[place] for place in order[:size])
        assert abs(counted["rare"] - size / 10) <= 1


def test_parts_are_nested_keep_their_order_and_are_read_as_datasets(
    bench: Any, tmp_path: Path
) -> None:
    whole = bench.dataset("labelled", labelled(200))
    kept = []
    for share in (0.1, 0.3, 1.0):
        place = tmp_path / f"{share}"
        rows = write_subset(whole, share, place)
        table = pq.read_table(place / "train.parquet")
        ids = table["id"].to_pylist()
        assert len(ids) == rows == round(share * 200)
        assert ids == sorted(ids, key=lambda one: int(one.split("-")[1]))
        assert Counter(one["label"] for one in table["meta"].to_pylist())["rare"] == rows // 10
        assert json.loads((place / "ledger.json").read_text())["rows"] == rows
        kept.append(set(ids))
    assert kept[0] < kept[1] < kept[2]


def test_new_rows_do_not_change_the_order_of_the_others() -> None:
    ids = [f"row-{number}" for number in range(100)]
    order = nested_order([*ids, "new-0", "new-1", "new-2"], [""] * 103)
    assert [place for place in order if place < 100] == nested_order(ids, [""] * 100)
