"""Real inputs from any file: rows with an answer or without, or lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.covering.prompts import turns_of
from curate.formats.detect import normalise
from curate.formats.files import find_files, open_bytes, telling_damage
from curate.formats.raw import Misfit
from curate.formats.read import records
from curate.opening import dataset_directory, opened
from curate.texts import prompt_text
from workspace.errors import DataError

KEYS = (
    "prompt", "input", "question", "query", "text", "message", "content", "instruction", "problem",
    "request", "ticket",
)  # fmt: skip
"""Columns that hold an input, where a row is of no known format; the first that is there."""
_LINES = (".txt", ".text")
_SAID = 300


@dataclass(frozen=True)
class Inputs:
    """A sample of real inputs."""

    texts: list[str]
    turns: NDArray[np.int64]
    """User turns of each."""
    read: int
    """Inputs that there are; more than the sample where that is full."""
    unusable: int


def read_inputs(
    data: str, *, field: str | None = None, sample: int = 5_000, seed: int = 0
) -> Inputs:
    """Read real inputs, a sample drawn evenly where there are more (Vitter's algorithm R).

    Args:
        data: a dataset's name or directory, a file of rows with or without answers, a glob, or a
            text file with one input on each line.
        field: the column with the input; left out: the prompt of a known format, or one of `KEYS`.
        sample: most inputs to keep.
        seed: of the drawing.

    Raises:
        DataError: nothing is there, or no row has an input.
    """
    return _drawn(_all(data, field), data, sample, seed)


def given_inputs(texts: Iterable[str], *, sample: int = 5_000, seed: int = 0) -> Inputs:
    """Return texts as inputs of one turn each; arguments and errors as of `read_inputs`."""
    return _drawn(((text, 1) for text in texts), "against", sample, seed)


def _drawn(records: Iterable[tuple[str, int] | None], where: str, sample: int, seed: int) -> Inputs:
    rng = Random(seed)
    kept: list[tuple[int, str, int]] = []
    read = unusable = 0
    for found in records:
        if found is None:
            unusable += 1
            continue
        read += 1
        if len(kept) < sample:
            kept.append((read, *found))
        elif (place := rng.randrange(read)) < sample:
            kept[place] = (read, *found)
    if not kept:
        raise DataError(
            "no real input was found",
            where=where,
            cause=f"{unusable:,} rows have none of {', '.join(KEYS)} and no known format.",
            cure="Name the column with --field.",
        )
    kept.sort()
    turns = np.array([turn for _, _, turn in kept], np.int64)
    return Inputs([text for _, text, _ in kept], turns, read, unusable)


def _all(data: str, field: str | None) -> Iterator[tuple[str, int] | None]:
    if dataset_directory(data) is not None:
        with opened(data) as rows:
            text = prompt_text(rows.context.type, system=False).alias("text")
            for block in rows.context.in_blocks():
                frame = block.select(text, turns_of(rows.context.type).alias("turns")).collect()
                yield from frame.iter_rows()
        return
    if Path(data).suffix.lower() in _LINES and Path(data).is_file():
        yield from _lines(Path(data))
        return
    for file in find_files(data, Path.cwd(), "auto"):
        place = [0]
        with open_bytes(file) as stream, telling_damage(file, place):
            for record in records(stream, file):
                place[0] = record.shown
                yield None if record.misfit is not None else input_of(record.value, field)


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            yield line.rstrip("\n"), 1


def input_of(value: Any, field: str | None = None) -> tuple[str, int] | None:
    """Return the input in a record and how many user turns it has; None where there is none.

    >>> input_of({"ticket": "My router is broken", "id": 3})
    ('My router is broken', 1)
    """
    if not isinstance(value, dict):
        return (value, 1) if isinstance(value, str) else None
    if field is not None:
        held = value.get(field)
        return _said(held)
    try:
        _, row = normalise(value)
    except Misfit:
        held = value.get("messages", value.get("conversations"))
        if held is None:
            held = next((value[key] for key in KEYS if value.get(key) is not None), None)
        return _said(held)
    if row.text is not None:
        return row.text, 1
    turns = [turn for turn in row.messages or row.prompt or () if turn["role"] != "system"]
    if row.messages and turns and turns[-1]["role"] == "assistant":
        turns = turns[:-1]
    return _joined(turns)


def _said(held: Any) -> tuple[str, int] | None:
    if isinstance(held, list) and held and all(isinstance(turn, dict) for turn in held):
        turns = [
            {
                "role": turn.get("role", turn.get("from")),
                "content": turn.get("content", turn.get("value")),
            }
            for turn in held
        ]
        return _joined([turn for turn in turns if turn["role"] != "system"])
    return None if held is None else (held if isinstance(held, str) else str(held), 1)


def _joined(turns: Iterable[Any]) -> tuple[str, int]:
    held = list(turns)
    asked = sum(turn["role"] in ("user", "human") for turn in held)
    return "\n\n".join(str(turn["content"] or "") for turn in held), max(asked, 1)


def as_series(texts: list[str]) -> pl.Series:
    """Return texts as a series of strings, also where there is none."""
    return pl.Series("text", texts, dtype=pl.String)
