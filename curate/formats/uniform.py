"""Rows of one shape, made column by column: most files are nothing else, and it is faster.

What comes out equals what `read` makes row by row; whatever is not plainly text goes that way.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curate.formats.detect import RowFormat, detect
from curate.formats.pairs import COMPLETION_KEYS, OUTPUT_KEYS, final_answer, question_keys
from curate.formats.parts import ROWS, number_array, text_array, turn_pairs
from curate.formats.raw import LONGEST_ROW_BYTES, RawRow
from curate.formats.shape import first_filled

_INVOLVED = frozenset(
    {"system", "system_prompt", "history", "tools", "meta", "messages", "quality"}
    | {"image", "images"}
)
"""Keys whose meaning depends on their value: such rows are made one by one."""
_PLACES = {
    "document": ("document", "document_id", "doc_id"),
    "conversation": ("conversation_id",),
}
"""Marks of where a record is from, with the keys that may name it, the first of them first."""
_Texts = list[str]


@dataclass(frozen=True)
class Run:
    """Records of one shape: the same keys in all of them, each with text."""

    values: Sequence[Mapping[str, str]]
    format: RowFormat

    def column(self, key: str) -> _Texts:
        """Return the texts of a key."""
        return [value[key] for value in self.values]


def find_run(batch: Sequence[RawRow], values: Sequence[Any]) -> Run | None:
    """Return the records as a run, or None where they are not plainly of one shape.

    Args:
        batch: the records as they were read.
        values: what is to be normalised of each, its columns under their usual names.
    """
    first = values[0]
    if type(first) is not dict or not _INVOLVED.isdisjoint(first):
        return None
    keys = first.keys()
    for raw, value in zip(batch, values, strict=True):
        if raw.misfit is not None or type(value) is not dict or value.keys() != keys:
            return None
        if len(raw.raw) > LONGEST_ROW_BYTES:
            return None
        for item in value.values():
            if type(item) is not str:
                return None
    found = detect(first)
    # A label that is text is one of KTO's only where it says true or false: that is told by value.
    if (
        found is None
        or found not in _MAKERS
        or ("label" in keys and {"prompt", "completion"} <= keys)
    ):
        return None
    return Run(values, found)


def run_columns(run: Run) -> dict[str, Any]:
    """Return column → Arrow array of what the records say; other columns are null."""
    return _MAKERS[run.format](run)


def run_table(run: Run, batch: Sequence[RawRow], source: str) -> pa.Table:
    """Return the records in the schema `parts.ROWS`.

    Args:
        run: from `find_run`.
        batch: the records as they were read.
        source: the file's name.
    """
    columns = run_columns(run) | {
        "raw_hash": text_array([_digest(raw.raw) for raw in batch]),
        "source": text_array([source] * len(batch)),
        "row": number_array([raw.place for raw in batch]),
        "format": text_array([run.format.value] * len(batch)),
        **_marks(run),
    }
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(len(batch), field.type)
        for field in ROWS
    ]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def _marks(run: Run) -> dict[str, Any]:
    """Return what the records say about themselves beside their text, as `read` takes it.

    Every value here is text, so a list of parents is none.
    """
    keys = run.values[0].keys()
    marks: dict[str, Any] = {"parents": _parents(run)}
    if "id" in keys:
        marks["user_id"] = text_array([value or None for value in run.column("id")])
    labels = [key for key in ("category", "topic", "label") if key in keys]
    if labels:
        marks["user_label"] = text_array(
            [next((value[key] for key in labels if value[key]), None) for value in run.values]
        )
    for name, known in _PLACES.items():
        key = next((key for key in known if key in keys), None)
        if key is not None:
            marks[name] = text_array(run.column(key))
    return marks


def _parents(run: Run) -> Any:
    keys = run.values[0].keys()
    if "parent_id" not in keys:
        offsets, parents = [0] * (len(run.values) + 1), []
    else:
        one = ["" if value.get("parents") else value["parent_id"] for value in run.values]
        parents = [parent for parent in one if parent]
        offsets = [0, *itertools.accumulate(map(bool, one))]
    return pa.LargeListArray.from_arrays(number_array(offsets), text_array(parents))


def _pairs(prompts: _Texts, answers: _Texts) -> dict[str, Any]:
    kind = text_array(["messages"] * len(prompts))
    return {"kind": kind, "messages": turn_pairs(prompts, answers)}


def _alpaca(run: Run) -> dict[str, Any]:
    prompts = run.column("instruction")
    if "input" in run.values[0]:
        extras = run.column("input")
        prompts = [
            f"{prompt}\n\n{extra}" if extra else prompt
            for prompt, extra in zip(prompts, extras, strict=True)
        ]
    return _pairs(prompts, run.column(first_filled(run.values[0], OUTPUT_KEYS)))


def _prompt_completion(run: Run) -> dict[str, Any]:
    return _pairs(run.column("prompt"), run.column(first_filled(run.values[0], COMPLETION_KEYS)))


def _question_answer(run: Run) -> dict[str, Any]:
    question, answer = question_keys(run.values[0])
    answers = run.column(answer)
    gold = text_array([final_answer(text) for text in answers])
    return {**_pairs(run.column(question), answers), "answer": gold}


def _text(run: Run) -> dict[str, Any]:
    kind = text_array(["text"] * len(run.values))
    return {"kind": kind, "text": text_array(run.column("text"))}


_MAKERS: dict[RowFormat, Callable[[Run], dict[str, Any]]] = {
    RowFormat.ALPACA: _alpaca,
    RowFormat.PROMPT_COMPLETION: _prompt_completion,
    RowFormat.QUESTION_ANSWER: _question_answer,
    RowFormat.TEXT: _text,
}
