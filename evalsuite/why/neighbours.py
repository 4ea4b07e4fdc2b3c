"""From one item of an evaluation to the training rows nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalsuite.baselines.blessed import chosen_model
from evalsuite.engine.checkpoints import MARK
from evalsuite.engine.subjects import Subject, find_subject
from evalsuite.items_of import StoredItem, stored_items
from evalsuite.report.document import Results, read_results
from evalsuite.why.rows import TrainingRows, nearest_rows, training_rows
from workspace.errors import DataError
from workspace.layout import Workspace


@dataclass(frozen=True)
class Neighbour:
    """A training row near to an item."""

    id: str
    """Its id in the dataset."""
    similarity: float
    """Cosine of words weighted by their rarity among the rows."""
    text: str
    """Question and answer."""


@dataclass(frozen=True)
class Neighbours:
    """An item with the rows nearest to it, the nearest first."""

    item: StoredItem
    model: str
    rows: tuple[Neighbour, ...]
    note: str
    """What was not read."""


def neighbours(
    workspace: Workspace, evaluation: Path, item: str, *, model: str | None = None, count: int = 5
) -> Neighbours:
    """Return the training rows of a model that are most like an item.

    Args:
        workspace: where the model's run and its dataset are.
        evaluation: the evaluation's directory.
        item: `task/id`.
        model: name in the evaluation; None: its only tuned one.
        count: rows to return.

    Raises:
        UsageError: no such item or model.
        DataError: the run, its dataset or its rows cannot be read.
    """
    results = read_results(evaluation)
    chosen = chosen_model(results, model)
    found = stored_items(evaluation, [item])[0]
    rows = training_rows(_subject(results, chosen, workspace), workspace)
    if isinstance(rows, str):
        raise DataError("the training rows are not known", cause=f"{rows}.")
    near = nearest_rows([_question(found.prompt)], rows, count)[0]
    return Neighbours(found, chosen, _named(near, rows), rows.note)


def _named(near: list[tuple[int, float]], rows: TrainingRows) -> tuple[Neighbour, ...]:
    return tuple(
        Neighbour(rows.ids[place], round(similarity, 3), rows.texts[place])
        for place, similarity in near
    )


def _subject(results: Results, model: str, workspace: Workspace) -> Subject:
    """Return the model where it was measured: a run, a checkpoint of one, or a directory."""
    path = Path(next(one.path for one in results.models if one.name == model))
    parts = path.parts
    if "runs" not in parts[:-1]:
        return find_subject(str(path), workspace)
    run = parts[len(parts) - 1 - parts[::-1].index("runs") + 1]
    step = f"{MARK}{path.name}" if "checkpoints" in parts else ""
    return find_subject(f"{run}{step}", workspace)


def _question(prompt: str) -> str:
    """Return the last user turn of a prompt of several turns, as rows are compared by theirs."""
    turns = prompt.rsplit("\nuser: ", 1)
    return turns[-1] if len(turns) > 1 else prompt
