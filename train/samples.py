"""`samples.parquet`: completions with their rewards, at intervals of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.files import atomic_path

FILE = "samples.parquet"


@dataclass(frozen=True)
class Sample:
    """One completion that the model wrote while it learned."""

    step: int
    """From 1."""
    row_id: str
    generation: int
    """Which of the row's completions, from 0."""
    prompt: str
    """As text, special tokens included."""
    answer: str
    """The row's own."""
    completion: str
    tokens: int
    """The end token included."""
    ended: bool
    """Whether it ended by itself."""
    reward: float
    """The weighted sum."""
    rewards: Mapping[str, float]
    """Each before its weight."""
    advantage: float
    """What the loss multiplies it by."""


def add_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Add a step's completions to the file; later steps, of an earlier attempt, are dropped.

    Args:
        path: of `samples.parquet`.
        samples: of one step, at least one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_record(one) for one in samples])
    if path.exists():
        before = pq.read_table(path)
        before = before.filter(pc.less(before["step"], samples[0].step))
        table = pa.concat_tables([before, table], promote_options="default")
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _record(one: Sample) -> dict[str, Any]:
    return {**vars(one), "rewards": dict(one.rewards)}
