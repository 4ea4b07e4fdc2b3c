"""`batches.parquet`: which row was in which step and micro-batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.plan import Prepared
from workspace.files import atomic_path


def batch_table(prepared: Prepared) -> Any:
    """Return the schedule as a pyarrow table, a row for each row of each step.

    Columns: step (from 1), micro_batch and position (from 0), row_id, role, source, tokens.
    """
    import pyarrow as pa

    columns: dict[str, list[Any]] = {
        name: []
        for name in ("step", "micro_batch", "position", "row_id", "role", "source", "tokens")
    }
    for step in range(prepared.schedule.steps):
        for number, micro in enumerate(prepared.schedule.micro_batches(step)):
            for position, index in enumerate(micro):
                row = prepared.rows[index]
                values = (step + 1, number, position, row.row.row_id, row.role, row.row.source)
                for column, value in zip(columns.values(), (*values, row.tokens), strict=True):
                    column.append(value)
    kinds = {"row_id": pa.string(), "role": pa.string(), "source": pa.string()}
    return pa.table(
        {name: pa.array(values, kinds.get(name, pa.int32())) for name, values in columns.items()}
    )


def write_batches(path: Path, prepared: Prepared, *, done: int = 0) -> None:
    """Write the schedule.

    Args:
        path: of `batches.parquet`.
        prepared: the plan.
        done: steps that an earlier attempt did; what the file says of them stays as it is.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = batch_table(prepared)
    if done and path.exists():
        before = pq.read_table(path)
        table = pa.concat_tables(
            [
                before.filter(pc.less_equal(before["step"], done)),
                table.filter(pc.greater(table["step"], done)),
            ]
        )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
