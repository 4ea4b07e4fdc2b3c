"""Rows of one shape, made column by column: most files are nothing else, and it is faster.

What comes out equals what `read` makes row by row; whatever is not plainly text goes that way.
"""

from __future__ import annotations

import hashlib
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
)
"""Keys whose meaning depends on their value: such rows are made one by one."""
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


def run_table(
    run: Run, batch: Sequence[RawRow], source: str, marks: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """Return the records in the schema `parts.ROWS`.

    Args:
        run: from `find_run`.
        batch: the records as they were read.
        source: the file's name.
        marks: what each record says about itself beside its text.
    """
    columns = run_columns(run) | {
        "raw_hash": text_array([_digest(raw.raw) for raw in batch]),
        "source": text_array([source] * len(batch)),
        "row": number_array([raw.place for raw in batch]),
        "format": text_array([run.format.value] * len(batch)),
    }
    for name in ("user_id", "user_label", "topic", "document", "conversation"):
        columns[name] = text_array([mark.get(name) for mark in marks])
    columns["parents"] = _lists([mark["parents"] for mark in marks])
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(len(batch), field.type)
        for field in ROWS
    ]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def _lists(values: Sequence[Sequence[str]]) -> Any:
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value))
    flat = [one for value in values for one in value]
    return pa.LargeListArray.from_arrays(number_array(offsets), text_array(flat))


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
