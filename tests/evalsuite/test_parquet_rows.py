"""Some rows of a Parquet file, read batch by batch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite import parquet_rows
from evalsuite.parquet_rows import rows_at


@pytest.mark.parametrize("places", [range(10), [], [0], [9], [2, 3, 7], range(1, 10, 4)])
def test_rows_of_any_batch_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: list[int]
) -> None:
    monkeypatch.setattr(parquet_rows, "_BATCH_ROWS", 3)
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": range(10), "b": ["x"] * 10}), file, row_group_size=5)
    table = pa.Table.from_batches(rows_at(file, places, ["a"]), pa.schema({"a": pa.int64()}))
    assert table.to_pydict() == {"a": list(places)}
