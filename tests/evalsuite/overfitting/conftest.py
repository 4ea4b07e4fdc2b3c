"""A run of the tiny model with its data, as training leaves it behind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.models import ChatTokenizer
from evalsuite.models.source import directory_source
from workspace.files import hash_file


def chat_rows(part: str, count: int) -> list[dict[str, Any]]:
    """Rows as `curate` publishes them."""
    rng = random.Random(part)
    return [
        {
            "id": f"{part}-{number:03}",
            "messages": [
                {"role": "user", "content": "".join(rng.choices("abcd ", k=8)), "name": None},
                {"role": "assistant", "content": "".join(rng.choices("efgh", k=6)), "name": None},
            ],
            "tools": None,
            "meta": {"source": f"{part}.jsonl", "row": number},
        }
        for number in range(count)
    ]


def write_data(directory: Path, parts: dict[str, list[dict[str, Any]]]) -> Path:
    """Write the parts of a dataset."""
    directory.mkdir(parents=True)
    for part, rows in parts.items():
        pq.write_table(pa.Table.from_pylist(rows), directory / f"{part}.parquet")
    return directory


def write_trained(
    run: Path, base: Path, dataset: Path, *, steps: dict[int, list[str]], **record: Any
) -> Path:
    """Write a run's records beside a copy of nothing: its model is written by the caller."""
    tokenizer = ChatTokenizer.from_dir(base)
    run.mkdir(parents=True, exist_ok=True)
    table = [
        {"step": step, "row_id": row, "role": "train"}
        for step, rows in steps.items()
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(table), run / "batches.parquet")
    digest = hash_file(dataset / "train.parquet")
    plan = {
        "sources": [{"role": "train", "digest": digest}],
        "settings": {"max_length": {"value": 64}},
    }
    (run / "plan.json").write_text(json.dumps(plan))
    document = {
        "schema_version": 1, "id": run.name, "name": "mine", "method": "sft", "adapter": "lora",
        "base": directory_source(base, name="tiny").as_record(), "model": "model",
        "tokenizer_digest": tokenizer.digest, "template_digest": tokenizer.template_digest,
        "eos_ids": sorted(tokenizer.eos_ids), "dataset": str(dataset), "replay": None,
        "steps": max(steps), "settings": {"train": {"too_long": "drop"}}, **record,
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(document))
    return run


@pytest.fixture
def trained_run(
    tiny_model: Path, tiny_adapter: Path, run_writer: Callable[..., Path], tmp_path: Path
) -> Path:
    """A run that saw 30 of 40 rows once and 10 of them twice, with 25 validation rows."""
    rows = chat_rows("train", 40)
    parts = {"train": rows, "validation": chat_rows("validation", 25)}
    dataset = write_data(tmp_path / "datasets" / "toy" / "d1", parts)
    ids = [row["id"] for row in rows]
    run = run_writer(tmp_path / "runs" / "20260101-000000-mine-0000", tiny_model, tiny_adapter)
    steps = {1: ids[:10], 2: ids[10:30], 3: ids[:10], 4: ids[30:]}
    return write_trained(run, tiny_model, dataset, steps=steps, published={"step": 3})
