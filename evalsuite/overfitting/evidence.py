"""What a run recorded of the data it learnt from, read from its directory alone.

`run.json` names the dataset, `plan.json` the digest of the rows and how long they might be, and
`batches.parquet` which row was in which step. Whatever is missing or has changed is a reason, in
words, and not an error: an evaluation without it measures everything else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evalsuite.engine.checkpoints import MARK
from evalsuite.engine.subjects import Subject
from workspace.errors import DataError
from workspace.files import hash_file, read_json

Form = Literal["sft", "preference", "labelled"]
FORMS: dict[str, Form] = {
    "sft": "sft",
    "distill": "sft",
    "dpo": "preference",
    "orpo": "preference",
    "simpo": "preference",
    "kto": "labelled",
}
"""Method of a run → where the answers are that it learnt to give."""
_LEARNS_FROM_REWARDS = ("grpo", "rloo", "rft")


@dataclass(frozen=True)
class Evidence:
    """The rows of a run, and which of them its published weights have seen."""

    dataset: Path
    """The dataset's directory."""
    form: Form
    seen: dict[str, int]
    """Id of each row that training saw → how often, up to the published step."""
    max_length: int
    """Tokens beyond which a row was cut or left out."""
    cuts: bool
    """Whether longer rows were cut; otherwise they were left out."""
    replay: Path | None
    """The dataset that was replayed, where it is still as it was."""
    replayed: frozenset[str]
    """Ids of the rows of it that training saw."""


def find_evidence(subject: Subject) -> Evidence | str:
    """Return what a tuned model's run recorded of its data, or why that is not known."""
    unknown = "it is not a run, so that what it was trained on is not known"
    if subject.run is None:
        return unknown
    run, step = subject.path.parent, None
    try:
        if run.name == "checkpoints" and MARK in subject.run:
            run, step = run.parent, int(subject.path.name.rpartition("-")[2])
        return _read(run, step) if (run / "run.json").is_file() else unknown
    except DataError as error:
        return f"{error.title} ({error.where})"
    except (KeyError, TypeError, ValueError):
        return "its records are those of another version"


def _read(run: Path, step: int | None) -> Evidence | str:
    record = read_json(run / "run.json", kind="run record")
    method = str(record.get("method"))
    if method in _LEARNS_FROM_REWARDS:
        return f"method {method} learns from rewards: there are no given answers to memorise"
    if method not in FORMS or not record.get("dataset"):
        return "its record names no dataset to learn answers from"
    batches = _batches(run, record)
    if batches is None:
        return "its batches.parquet is gone, which says what it has seen"
    plan = read_json(run / "plan.json", kind="plan")
    dataset = _place(run, str(record["dataset"]))
    changed = _changed(dataset, _digest(plan, "train"))
    if changed:
        return changed
    if step is None:
        step = int((record.get("published") or {"step": record["steps"]})["step"])
    seen, replayed = _seen(batches, step)
    replay = _place(run, str(record["replay"])) if record.get("replay") else None
    if replay is not None and _changed(replay, _digest(plan, "replay")):
        replay = None
    return Evidence(
        dataset=dataset,
        form=FORMS[method],
        seen=dict(seen),
        max_length=int(plan["settings"]["max_length"]["value"]),
        cuts=record["settings"]["train"]["too_long"] == "cut",
        replay=replay,
        replayed=frozenset(replayed),
    )


def _batches(run: Path, record: dict[str, Any]) -> Path | None:
    """Return the run's own schedule, or that of the run that it is a point of the dial of."""
    parent = (record.get("dialled") or {}).get("parent")
    places = [run, *([run.parent / str(parent)] if parent else [])]
    return next((p / "batches.parquet" for p in places if (p / "batches.parquet").is_file()), None)


def _place(run: Path, recorded: str) -> Path:
    """Return a dataset where it was recorded, or where it lies if the workspace has moved."""
    path = Path(recorded)
    moved = run.parent.parent / "datasets" / path.parent.name / path.name
    return moved if not path.is_dir() and moved.is_dir() else path


def _digest(plan: dict[str, Any], role: str) -> str | None:
    return next((str(one["digest"]) for one in plan["sources"] if one["role"] == role), None)


def _changed(dataset: Path, digest: str | None) -> str:
    """Return what is wrong with a dataset's rows, or nothing where they are those it learnt."""
    file = dataset / "train.parquet"
    if not file.is_file():
        return f"the dataset it learnt from is gone: {file}"
    if digest != hash_file(file):
        return f"the dataset has changed since training: {file}"
    return ""


def dataset_of(run: Path) -> Path | None:
    """Return the dataset that a run's record names, where it lies now; None if it names none.

    Whether its rows are still those of training is not looked at.

    Raises:
        DataError: the record cannot be read.
    """
    recorded = read_json(run / "run.json", kind="run record").get("dataset")
    return _place(run, str(recorded)) if recorded else None


def _seen(batches: Path, last: int) -> tuple[Counter[str], set[str]]:
    """Return how often each row was learnt up to a step, and which were replayed."""
    import pyarrow
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(batches, columns=["step", "row_id", "role"])
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError("the record of batches cannot be read", where=str(batches)) from error
    table = table.filter(pc.less_equal(table["step"], last))
    of = {role: table.filter(pc.equal(table["role"], role)) for role in ("train", "replay")}
    return Counter(of["train"]["row_id"].to_pylist()), set(of["replay"]["row_id"].to_pylist())
