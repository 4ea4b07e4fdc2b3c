"""`batches.parquet`: which row was in which step and micro-batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.plan import Prepared
from workspace.files import atomic_path

FILE = "batches.parquet"


def batch_table(prepared: Prepared) -> Any:
    """Return the schedule as a pyarrow table, a row for each row of each step.

    Columns: step (from 1); micro_batch, position and sequence (from 0: the micro-batch of the
    step, the row in it, and the sequence of it that the row is in); row_id, role, source, tokens.
    """
    import pyarrow as pa

    schedule, rows = prepared.schedule, prepared.rows
    sizes = np.diff(schedule.offsets)
    sequences = np.diff(schedule.sequence_offsets)
    begun = np.repeat(schedule.step_sequences[:-1], np.diff(schedule.step_sequences))
    in_step = np.repeat(np.arange(len(sequences)) - begun, sequences)
    micro_batch, sequence = np.divmod(in_step, schedule.micro_batch_size)
    step = np.repeat(np.arange(1, schedule.steps + 1), sizes)
    named = [rows.row_id(index) for index in schedule.order.tolist()]
    replayed = rows.replayed[schedule.order]
    return pa.table(
        {
            "step": pa.array(step, pa.int32()),
            "micro_batch": pa.array(micro_batch, pa.int32()),
            "position": pa.array(_places(step, micro_batch), pa.int32()),
            "sequence": pa.array(sequence, pa.int32()),
            "row_id": pa.array([row_id for row_id, _ in named], pa.string()),
            "role": pa.array(np.where(replayed, "replay", "train"), pa.string()),
            "source": pa.array([source for _, source in named], pa.string()),
            "tokens": pa.array(rows.tokens[schedule.order], pa.int32()),
        }
    )


def _places(step: NDArray[Any], micro_batch: NDArray[Any]) -> NDArray[Any]:
    """Return each row's place in its micro-batch."""
    is_first = np.r_[True, (np.diff(step) != 0) | (np.diff(micro_batch) != 0)]
    firsts = np.flatnonzero(is_first)
    return np.arange(len(step)) - np.repeat(firsts, np.diff(np.r_[firsts, len(step)]))


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


def rows_at_once(path: Path) -> NDArray[np.int64]:
    """Return the sequences that each step of a written schedule has at once; shape (steps,).

    A step of one micro-batch says how many it has, which may be fewer than would fit.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["step", "sequence"])
    steps = table["step"].to_numpy()
    out = np.zeros(int(steps.max()), dtype=np.int64)
    np.maximum.at(out, steps - 1, table["sequence"].to_numpy() + 1)
    return out
