"""The rows of one step of a run, as the trainer saw them: from a spike back to its data.

`batches.parquet` says which rows were in a step; each micro-batch was proved to be these before it
was learnt from. Only these rows are read and tokenised again, so that it takes as long for a
million rows as for a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.batches import FILE as BATCHES
from train.data import COLUMNS, DatasetRows, DataType, LazyRows, Role, data_type
from train.pictures import COLUMN as IMAGES
from train.pictures import Pictures, read_pictures
from train.samples import FILE as SAMPLES
from train.sampling.stage import DATASET as KEPT
from workspace.errors import DataError, UsageError
from workspace.files import read_json

if TYPE_CHECKING:
    from evalsuite.models import ChatTokenizer
    from train.rows import TokenRow


@dataclass(frozen=True)
class BatchRow:
    """One row of a step."""

    row_id: str
    role: str
    """train or replay."""
    source: str
    micro_batch: int
    """Of the step, from 0."""
    position: int
    """In its micro-batch, from 0."""
    sequence: int
    """Which sequence of the micro-batch it is in, with others where rows are packed."""
    tokens: int
    """As recorded when it was trained on."""
    row: TokenRow | None
    """As tokenised now; None where it cannot be read."""
    problem: str = ""
    """Why it is not, or not surely, what was trained on."""


@dataclass(frozen=True)
class Batch:
    """A step with its rows, in the order of training."""

    run: str
    method: str
    step: int
    steps: int
    rows: tuple[BatchRow, ...]
    completions: tuple[Mapping[str, Any], ...]
    """What was sampled for this step, where it is kept (`samples_every`)."""
    tokenizer: ChatTokenizer


def read_batch(run: Path, step: int) -> Batch:
    """Read the rows of a step.

    Args:
        run: the run's directory.
        step: from 1, as the curves count.

    Raises:
        DataError: the run has no record of its batches, or it cannot be read.
        UsageError: it has no such step.
        ModelError: the tokenizer of its base is gone.
    """
    from evalsuite.models import ChatTokenizer

    record = read_json(run / "run.json", kind="run record")
    plan = read_json(run / "plan.json", kind="plan")
    table = _recorded(run, step, int(plan["steps"]))
    start = run / "start"
    base = start if (start / "config.json").is_file() else Path(str(record["base"]["path"]))
    tokenizer = ChatTokenizer.from_dir(base)
    found: dict[tuple[str, str], TokenRow] = {}
    problems: dict[str, str] = {}
    roles: tuple[Role, ...] = ("train", "replay")
    for role in roles:
        ids = {one["row_id"] for one in table if one["role"] == role}
        if ids:
            try:
                rows = _rows(_dataset(run, record, role), role, ids, record, plan, tokenizer)
                found |= {(role, row.row_id): row for row in rows}
            except DataError as error:
                problems[role] = f"{error.title} ({error.where})"
    return Batch(
        run=str(record["id"]),
        method=str(record["method"]),
        step=step,
        steps=int(plan["steps"]),
        rows=tuple(_joined(one, found, problems) for one in table),
        completions=_completions(run, step),
        tokenizer=tokenizer,
    )


def _recorded(run: Path, step: int, steps: int) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = run / BATCHES
    if not file.is_file():
        raise DataError(
            "this run has no record of its batches",
            where=str(file),
            cause="A dialled run has none of its own, and no run has before it is planned.",
            cure="Ask the run that was trained.",
        )
    try:
        table = pq.read_table(file, filters=[("step", "==", step)]).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError("the record of batches cannot be read", where=str(file)) from error
    if not table:
        raise UsageError(
            f"there is no step {step}",
            where=str(file),
            cause=f"The run has steps 1 to {steps:,}.",
            cure="Give one of them.",
        )
    if "sequence" not in table[0]:
        raise DataError(
            "this record of batches does not say which rows were packed together",
            where=str(file),
            cause="An earlier version wrote it, without the column `sequence`.",
            cure="Train again to see the rows of a step.",
        )
    return sorted(table, key=lambda one: (one["micro_batch"], one["position"]))


def _dataset(run: Path, record: Mapping[str, Any], role: Role) -> Path:
    """Return a dataset where it was recorded, or where it lies if the workspace has moved."""
    own = run / KEPT  # a run that sampled learnt from what it kept
    if role == "train" and (own / "train.parquet").is_file():
        return own
    recorded = Path(str(record["dataset" if role == "train" else "replay"]))
    moved = run.parent.parent / "datasets" / recorded.parent.name / recorded.name
    return recorded if (recorded / "train.parquet").is_file() else moved


def _rows(
    dataset: Path,
    role: Role,
    ids: set[str],
    record: Mapping[str, Any],
    plan: Mapping[str, Any],
    tokenizer: ChatTokenizer,
) -> Sequence[TokenRow]:
    """Return the rows with these ids, tokenised as the run did."""
    from train.methods import METHODS
    from train.plan.tokens import tokenise

    kind, rows, pictures = _read(dataset / "train.parquet", dataset, ids)
    settings = record["settings"]["train"]
    method = settings["method"]
    limit = int(plan["settings"]["max_length"]["value"])
    if isinstance(method, Mapping) and record["method"] in ("grpo", "rloo"):
        limit -= int(method["max_new_tokens"])
    held = DatasetRows(dataset, "", role, kind, rows, pictures)
    # What was trained on fitted or was cut: nothing of it is dropped for its length now.
    made = tokenise(
        held, tokenizer, METHODS[str(record["method"])], max_length=limit, too_long="cut"
    )
    return made.kept


def _read(file: Path, dataset: Path, ids: set[str]) -> tuple[DataType, LazyRows, Pictures | None]:
    """Return the type of the dataset, the rows with these ids, and their images."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
        column = "id" if "id" in names else "content_hash"
        kind = data_type(names)
        if kind is None or column not in names:
            raise DataError("this dataset has no rows of a known type", where=str(file))
        kept = [name for name in names if name in {"id", "content_hash", "meta", "tools", IMAGES}]
        table = pq.read_table(
            file,
            columns=[*kept, *COLUMNS[kind]],
            filters=pc.field(column).isin(pa.array(sorted(ids), pa.string())),
        )
    except (pa.ArrowException, OSError) as error:
        raise DataError("the dataset it learnt from cannot be read", where=str(file)) from error
    pictures = read_pictures(table[IMAGES], dataset, file) if IMAGES in kept else None
    rows = table.drop_columns([IMAGES]) if IMAGES in kept else table
    return kind, LazyRows(rows, kind, dataset.parent.name, pictures), pictures


def _joined(
    one: Mapping[str, Any],
    found: Mapping[tuple[str, str], TokenRow],
    problems: Mapping[str, str],
) -> BatchRow:
    row = found.get((one["role"], one["row_id"]))
    problem = ""
    if row is None:
        problem = problems.get(one["role"]) or "the dataset has no such row any longer"
    elif row.tokens != one["tokens"]:
        problem = f"it had {one['tokens']} tokens when it was trained on: the row has changed"
    return BatchRow(
        **{
            name: one[name]
            for name in (
                "row_id", "role", "source", "micro_batch", "position", "sequence", "tokens",
            )
        },
        row=row,
        problem=problem,
    )  # fmt: skip


def _completions(run: Path, step: int) -> tuple[Mapping[str, Any], ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = run / SAMPLES
    if not file.is_file():
        return ()
    try:
        return tuple(pq.read_table(file, filters=[("step", "==", step)]).to_pylist())
    except (pa.ArrowException, OSError):
        return ()
