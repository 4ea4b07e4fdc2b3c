"""The prompts that parity is measured on: the run's own validation rows, else suites. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.models import ChatTokenizer
from evalsuite.models.reading import SAMPLES
from evalsuite.parquet_rows import rows_at
from evalsuite.tasks import load_suite
from train.data import DataRow, LazyRows, data_type
from train.export.shipment import Shipment
from train.export.standing import Standing
from workspace.errors import TemperError

COUNT = 32
"""Prompts: enough for some thousand tokens, few enough to take seconds."""
ANSWER_TOKENS = 32
"""Tokens of each answer that are compared."""


@dataclass(frozen=True)
class Prompt:
    """One prompt, as this project tokenises it."""

    name: str
    """Where it is from."""
    messages: tuple[Mapping[str, Any], ...] | None
    """None for a plain text, which passes no chat template."""
    text: str
    ids: tuple[int, ...]
    tools: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Prompts:
    """What parity is measured on."""

    prompts: tuple[Prompt, ...]
    source: str
    """What they are, for a reader."""
    too_long: int
    """Rows passed over because prompt and answer exceed what the model reads."""


def choose_prompts(
    shipment: Shipment, standing: Standing, context: int, *, count: int = COUNT
) -> Prompts:
    """Return prompts spread evenly over the first source that has any.

    In order: the dataset's validation split, the items of the suites that judged the run, the
    dataset's training split, a few conversations of our own.
    """
    sources = (
        ("validation rows of the run's dataset", _rows(shipment, "validation")),
        ("items of the suites that judged the run", _items(standing)),
        ("training rows of the run's dataset", _rows(shipment, "train")),
        ("conversations that welltempered ships", _samples()),
    )
    for source, conversations in sources:
        found, too_long = _encoded(conversations, shipment.tokenizer, context, count)
        if found:
            return Prompts(tuple(found), source, too_long)
    return Prompts((), "nothing", 0)


@dataclass(frozen=True)
class _Conversation:
    name: str
    messages: Sequence[Mapping[str, Any]] | None
    text: str = ""
    is_whole: bool = False
    """Whether a plain text is a prompt; otherwise its first half is."""
    tools: Sequence[Any] = ()


def _encoded(
    conversations: Sequence[_Conversation], tokenizer: ChatTokenizer, context: int, count: int
) -> tuple[list[Prompt], int]:
    step = max(1, len(conversations) // count)
    found: list[Prompt] = []
    too_long = 0
    for one in conversations[::step]:
        if len(found) == count:
            break
        prompt = _prompt(one, tokenizer)
        if prompt is None:
            continue
        if len(prompt.ids) + ANSWER_TOKENS > context:
            too_long += 1
            continue
        found.append(prompt)
    return found, too_long


def _prompt(one: _Conversation, tokenizer: ChatTokenizer) -> Prompt | None:
    if one.messages is None:
        ids = tokenizer.encode(one.text, special=not one.is_whole)
        kept = tuple(ids if one.is_whole else ids[: max(1, len(ids) // 2)])
        return Prompt(one.name, None, one.text, kept) if kept else None
    try:
        text = tokenizer.render(one.messages, tools=one.tools, add_generation_prompt=True).text
    except TemperError:  # a template may refuse some conversations; the proof tells of them
        return None
    ids = tokenizer.encode(text)
    return Prompt(one.name, tuple(one.messages), text, tuple(ids), tuple(one.tools))


def _rows(shipment: Shipment, split: str) -> list[_Conversation]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(str(shipment.record.get("dataset") or "")) / f"{split}.parquet"
    try:
        names, count = pq.read_schema(file).names, pq.read_metadata(file).num_rows
        kind = data_type(names)
        if kind is None or "images" in names or not count:
            return []
        places = range(0, count, max(1, count // (4 * COUNT)))
        table = pa.Table.from_batches(rows_at(file, places))
    except (OSError, pa.ArrowException):
        return []
    return [one for row in LazyRows(table, kind, file.parent.name) for one in _of_row(row)]


def _of_row(row: DataRow) -> Iterator[_Conversation]:
    tools = row.record.get("tools") or ()
    if row.kind == "text":
        yield _Conversation(row.place, None, str(row.record["text"]))
        return
    column = "messages" if row.kind == "messages" else "prompt"
    value = row.record.get(column)
    if isinstance(value, str) and row.is_plain_text:
        yield _Conversation(row.place, None, value, is_whole=True)
        return
    turns = row.turns(column)
    while turns and turns[-1].get("role") == "assistant":
        turns = turns[:-1]
    if turns:
        yield _Conversation(row.place, turns, tools=tools)


def _items(standing: Standing) -> list[_Conversation]:
    found: list[_Conversation] = []
    paths = {suite.path for one in standing.judged for suite in one.results.suites}
    for path in sorted(paths):
        try:
            suite = load_suite(Path(path))
        except (TemperError, OSError):
            continue
        for task in suite.tasks:
            found += [
                _Conversation(
                    item.where or item.id, item.chat() if item.messages else None, item.text
                )
                for item in task.items
            ]
    return found


def _samples() -> list[_Conversation]:
    return [_Conversation(name, messages[:-1]) for name, messages in SAMPLES.items()]
