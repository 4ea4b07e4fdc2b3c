"""Token counts of rows, by the tokenizer and template that training will use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from curate.frame import ROW
from curate.texts import IMAGE_EDGE, IMAGE_MARK, TYPES
from evalsuite.models import ChatTokenizer
from workspace.errors import ModelError

_BATCH = 2_000


def tokens_of_rows(
    base: pl.LazyFrame, kind: str, model: Path, tick: Callable[[int], None]
) -> pl.Series:
    """Return how many tokens each row is; null where the template refuses a row.

    Args:
        base: all rows.
        kind: the dataset type; turns are counted through the chat template, other text as it is.
        model: a model directory.
        tick: told how many rows are counted.
    """
    tokenizer = ChatTokenizer.from_dir(model)
    counts: list[int | None] = []
    for batch in _batches(base.select(ROW, *TYPES[kind].all)):
        counts += [_count(tokenizer, row, kind) for row in batch.iter_rows(named=True)]
        tick(len(counts))
    return pl.Series("tokens", counts, pl.Int32)


def tokenizer_digest(model: Path) -> str:
    """Return a digest of what decides token counts: tokenizer, template and special tokens.

    Raises:
        ModelError: the directory has no tokenizer that can be read.
    """
    tokenizer = ChatTokenizer.from_dir(model)
    special = json.dumps(dict(tokenizer.special_tokens), sort_keys=True)
    return hashlib.sha256(f"{tokenizer.digest}\n{special}".encode()).hexdigest()


def _batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    total = frame.select(pl.len()).collect().item()
    for begin in range(0, total, _BATCH):
        yield frame.slice(begin, _BATCH).collect()


def _count(tokenizer: ChatTokenizer, row: dict[str, Any], kind: str) -> int | None:
    columns = TYPES[kind]
    turns = [turn for column in columns.turns for turn in row[column] or ()]
    plain = [row[column] for column in columns.plain if isinstance(row[column], str)]
    try:
        total = len(tokenizer.encode(tokenizer.render(said_turns(turns)).text)) if turns else 0
    except ModelError:
        return None
    return total + sum(len(tokenizer.encode(text)) for text in plain)


def said_turns(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns as the template takes them; images are left out: their tokens are not known."""
    said = [{key: value for key, value in turn.items() if value is not None} for turn in turns]
    for turn in said:
        if IMAGE_EDGE in turn.get("content", ""):
            turn["content"] = re.sub(IMAGE_MARK, "", turn["content"])
    return said
