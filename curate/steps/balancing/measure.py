"""How much each row counts: what training learns from it, or one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.counting import said_turns
from curate.frame import ROW
from curate.steps.balancing.configs import Count
from curate.steps.base import StepContext
from curate.texts import TYPES, answer_text
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models import ChatTokenizer

Rows = NDArray[np.int64]
_TRAINED = ("messages", "prompt_completion", "text")
"""Types of which supervised training learns what `tokenise_row` marks."""


@dataclass(frozen=True)
class Measure:
    """The weight of each row, and what it is a number of."""

    amount: NDArray[np.float64]
    """Whole numbers, shape (rows,)."""
    unit: str
    """`rows`, `trained tokens` …, in the plural."""
    note: str = ""
    """What a person should know of the count."""


def measured(rows: Rows, count: Count, context: StepContext) -> Measure:
    """Return how much each of `rows` counts.

    Args:
        rows: positions, ascending.
        count: `rows`, or `tokens`: those that carry loss, by the model's tokenizer and template;
            without a model words and symbols of what the assistant says.
        context: knows all rows.
    """
    if count == "rows":
        return Measure(np.ones(rows.size), "rows")
    if context.model is None:
        return Measure(
            _words(rows, context),
            "words",
            "No tokenizer is known: words and symbols of the answers were counted, not tokens.",
        )
    return _by_tokenizer(rows, context, context.model)


def _words(rows: Rows, context: StepContext) -> NDArray[np.float64]:
    from evalsuite.similarity.tokens import tokenise

    said = said_text(context.type)
    table = tokenise(
        block.select(said.alias("said")).collect()["said"] for block in context.in_blocks()
    )
    return table.lengths[rows].astype(np.float64)


def said_text(kind: str) -> pl.Expr:
    """Return all that is learnt as text: every turn of the assistant, or the whole of a text."""
    if kind == "text":
        return pl.col("text").fill_null("")
    if kind != "messages":
        return answer_text(kind)
    assistant = pl.element().struct.field("role") == "assistant"
    turns = pl.col("messages").list.filter(assistant)
    return turns.list.eval(pl.element().struct.field("content")).list.join("\n\n").fill_null("")


def _by_tokenizer(rows: Rows, context: StepContext, model: Path) -> Measure:
    from evalsuite.models import ChatTokenizer

    tokenizer = ChatTokenizer.from_dir(model)
    wanted = pl.DataFrame({ROW: rows}).lazy()
    amounts: list[int] = []
    refused = 0
    for block in context.in_blocks():
        here = block.join(wanted, on=ROW, how="semi", maintain_order="left")
        counted, without = trained_tokens(here, context.type, tokenizer)
        amounts += counted
        refused += without
    note = f"Trained tokens were counted by {model.name}."
    if refused:
        note += f" {refused:,} rows by the text of their answers alone, without the template."
    return Measure(np.array(amounts, np.float64), "trained tokens", note)


def trained_tokens(
    rows: pl.LazyFrame, kind: str, tokenizer: ChatTokenizer
) -> tuple[list[int], int]:
    """Return how many tokens of each row carry loss, and of how many only the text was counted.

    Args:
        rows: a block that fits into memory, with the columns of the type and `tools`.
        kind: the dataset type.
        tokenizer: of the model to be trained.
    """
    marked = kind == "text" or tokenizer.finds_answers
    table = rows.select(*TYPES[kind].all, "tools", said_text(kind).alias("_said")).collect()
    amounts, refused = [], 0
    for row in table.iter_rows(named=True):
        trained = _trained(tokenizer, row) if marked and kind in _TRAINED else None
        refused += trained is None
        amounts.append(len(tokenizer.encode(row["_said"])) if trained is None else trained)
    return amounts, refused


def _trained(tokenizer: ChatTokenizer, row: dict[str, Any]) -> int | None:
    """Return the tokens that carry loss, or None where the template refuses the row."""
    from evalsuite.models.rows import tokenise_row

    record = {key: _plain(value) for key, value in row.items() if value is not None}
    if "tools" in record:
        record["tools"] = orjson.loads(record["tools"])
    try:
        chat = tokenise_row(tokenizer, record)
    except ModelError:
        return None
    return sum(chat.loss_mask[1:])  # the first token is never predicted


def _plain(value: Any) -> Any:
    """Leave out what a turn does not have: templates ask whether a key is there."""
    if isinstance(value, list):
        return said_turns(value)
    return value
