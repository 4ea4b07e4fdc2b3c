"""The training rows of a run, and which of them are nearest to failed questions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.overfitting.evidence import FORMS, dataset_of, find_evidence
from evalsuite.parquet_rows import rows_at
from workspace.files import read_json
from workspace.layout import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalsuite.engine.subjects import Subject

MOST = 20_000
"""Rows that are read at most, by a seeded draw: their vectors take 4 KB each."""
_BLOCK = 256
"""Questions that are compared at once: their cosines to all rows take 20 MB."""
_NEAR = 0.1
"""Cosine above which a row is near."""
_COLUMNS = ("messages", "prompt", "completion", "chosen", "answer", "text")


@dataclass(frozen=True)
class TrainingRows:
    """Rows that a model was trained on."""

    ids: tuple[str, ...]
    questions: tuple[str, ...]
    """What is compared with items: the last user turn, or the text."""
    texts: tuple[str, ...]
    """Question and answer, for people."""
    note: str = ""
    """What was not read."""


def training_rows(subject: Subject, workspace: Workspace) -> TrainingRows | str:
    """Return the rows that a run learnt from, or why they are not known.

    They are those that its record of batches says it saw. Of methods without such a record, all
    rows of its dataset, which a note says.

    Args:
        subject: a tuned model; of a plain directory nothing is known.
        workspace: where runs are.
    """
    import pyarrow

    if subject.run is None:
        return f"{subject.name} is no run, so that its training rows are not known"
    found = _source(subject, workspace)
    if isinstance(found, str):
        return found
    file, seen, note = found
    try:
        return _read(file, seen, note)
    except (pyarrow.ArrowException, OSError) as error:
        return f"the training rows of {subject.run} cannot be read: {str(error).splitlines()[0]}"


def _source(
    subject: Subject, workspace: Workspace
) -> tuple[Path, Mapping[str, int] | None, str] | str:
    """Return the file of the rows, the ids of those seen (None: not known), and a note."""
    evidence = find_evidence(subject)
    if not isinstance(evidence, str):
        return evidence.dataset / "train.parquet", evidence.seen, ""
    run = workspace.run(str(subject.run).partition("@")[0])  # of a checkpoint too
    if read_json(run / "run.json", kind="run record").get("method") in FORMS:
        return f"the training rows of {subject.run} are not known: {evidence}"
    dataset = dataset_of(run)
    if dataset is None:
        return f"{subject.run} does not say which dataset it learnt from"
    note = f"all rows of {subject.run}'s dataset were looked at: which it saw is not known"
    return dataset / "train.parquet", None, note


def _read(file: Path, seen: Mapping[str, int] | None, note: str) -> TrainingRows:
    """Read a seeded draw of the rows that were seen.

    Raises:
        pyarrow.ArrowException: the file is not Parquet or damaged.
        OSError: it cannot be read.
    """
    import pyarrow.parquet

    names = pyarrow.parquet.read_schema(file).names
    by = next((name for name in ("id", "content_hash") if name in names), None)
    ids = _ids(file, by)
    places = [place for place, one in enumerate(ids) if seen is None or one in seen]
    if len(places) > MOST:
        some = f"{MOST:,} of {len(places):,} training rows were looked at"
        note = f"{note}; {some}" if note else some
        places = sorted(random.Random(0).sample(places, MOST))
    columns = [name for name in _COLUMNS if name in names]
    rows = [row for batch in rows_at(file, places, columns) for row in batch.to_pylist()]
    return TrainingRows(
        tuple(ids[place] for place in places),
        tuple(_question(row) for row in rows),
        tuple(_text(row) for row in rows),
        note,
    )


def _ids(file: Path, by: str | None) -> list[str]:
    """Return what training and `augment` call each row; its number where it has no name."""
    import pyarrow.parquet

    if by is None:
        return [str(n) for n in range(pyarrow.parquet.read_metadata(file).num_rows)]
    table = pyarrow.parquet.read_table(file, columns=[by])
    return [str(one) for one in table[by].to_pylist()]


def nearest_rows(
    questions: Sequence[str], rows: TrainingRows, count: int = 5
) -> list[list[tuple[int, float]]]:
    """Return for each question the places of the nearest rows with their cosines, nearest first.

    The cosine of words weighted by their rarity in the rows. Rows without a word in common are not
    near.
    """
    import numpy as np
    import polars as pl

    from evalsuite.embedding.lexical import Lexical
    from evalsuite.similarity.tokens import tokenise

    if not rows.questions or not questions:
        return [[] for _ in questions]
    lexical = Lexical.learn(tokenise(pl.Series(list(rows.questions), dtype=pl.String)))
    there = lexical.encode(rows.questions)
    found: list[list[tuple[int, float]]] = []
    for begin in range(0, len(questions), _BLOCK):
        near = np.round(lexical.encode(questions[begin : begin + _BLOCK]) @ there.T, 6)
        found += [_first(one, count) for one in near]
    return found


def _first(near: NDArray[np.floating[Any]], count: int) -> list[tuple[int, float]]:
    """Return the places of the greatest cosines with them; of equal ones the first."""
    import numpy as np

    least = np.partition(near, -count)[-count] if near.size > count else -1.0
    places = np.flatnonzero((near >= least) & (near > _NEAR))
    best = places[np.argsort(-near[places], kind="stable")][:count]
    return [(int(place), float(near[place])) for place in best]


def _question(row: dict[str, Any]) -> str:
    turns = row.get("messages") or row.get("prompt")
    if isinstance(turns, list):
        said = [str(turn.get("content") or "") for turn in turns if turn.get("role") == "user"]
        return said[-1] if said else ""
    return str(turns or row.get("text") or "")


def _text(row: dict[str, Any]) -> str:
    turns = row.get("messages")
    if isinstance(turns, list):
        answers = [str(one.get("content") or "") for one in turns if one.get("role") == "assistant"]
        return f"{_question(row)} → {answers[-1] if answers else ''}"
    answer = row.get("completion") or row.get("chosen") or row.get("answer")
    if isinstance(answer, list):
        answer = answer[-1].get("content") if answer else ""
    return f"{_question(row)} → {answer}" if answer else _question(row)
