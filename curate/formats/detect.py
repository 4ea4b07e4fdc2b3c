"""Which format a row is in, told from its own keys; files may mix formats row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from curate.formats.conversation import conversation
from curate.formats.pairs import (
    COMPLETION_KEYS,
    OUTPUT_KEYS,
    QUESTION_KEYS,
    alpaca,
    labelled,
    prompt_answer,
    prompt_completion,
    question_answer,
)
from curate.formats.preference import preference
from curate.formats.raw import Misfit
from curate.formats.shape import Raw, Row, describe, text_of
from curate.reasons import Reason


class RowFormat(StrEnum):
    """The formats that are recognised, in the order in which they are tried."""

    PREFERENCE = "preference"
    KTO = "kto"
    MESSAGES = "messages"
    SHAREGPT = "sharegpt"
    ALPACA = "alpaca"
    PROMPT_COMPLETION = "prompt_completion"
    QUESTION_ANSWER = "question_answer"
    PROMPT_ANSWER = "prompt_answer"
    TEXT = "text"


def _text(row: Raw) -> Row:
    return Row("text", text=text_of(row["text"], "text", null=Reason.NULL_ANSWER))


def _is_label(value: object) -> bool:
    return isinstance(value, bool) or (
        isinstance(value, str) and value.strip().lower() in ("true", "false")
    )


_Keys = frozenset[str]
_FITS: dict[RowFormat, tuple[Callable[[_Keys], bool], Callable[[Raw], Row]]] = {
    RowFormat.PREFERENCE: (lambda keys: {"chosen", "rejected"} <= keys, preference),
    RowFormat.KTO: (lambda keys: {"prompt", "completion", "label"} <= keys, labelled),
    RowFormat.MESSAGES: (lambda keys: "messages" in keys, conversation),
    RowFormat.SHAREGPT: (
        lambda keys: "conversations" in keys or "conversation" in keys,
        conversation,
    ),
    RowFormat.ALPACA: (
        lambda keys: "instruction" in keys and bool(keys & {*OUTPUT_KEYS}),
        alpaca,
    ),
    RowFormat.PROMPT_COMPLETION: (
        lambda keys: "prompt" in keys and bool(keys & {*COMPLETION_KEYS}),
        prompt_completion,
    ),
    RowFormat.QUESTION_ANSWER: (
        lambda keys: any({*pair} <= keys for pair in QUESTION_KEYS),
        question_answer,
    ),
    RowFormat.PROMPT_ANSWER: (lambda keys: {"prompt", "answer"} <= keys, prompt_answer),
    RowFormat.TEXT: (lambda keys: "text" in keys, _text),
}


def detect(row: dict[str, Any]) -> RowFormat | None:
    """Return the format that a row's keys fit; keys with null values count only at second look.

    A table that mixes formats gives every row every key; so the keys with a value decide first,
    and a row such as `{"prompt": "…", "completion": null}` is still recognised for what it is.
    """
    filled = frozenset([key for key, value in row.items() if value is not None])
    for keys in (filled, frozenset(row)):
        for name in _fitting(keys):
            if name is not RowFormat.KTO or _is_label(row["label"]):
                return name
    return None


def also_fits(found: RowFormat, row: Mapping[str, Any]) -> tuple[RowFormat, ...]:
    """Return the other formats that a row's filled keys fit, so that what it is was a choice.

    A row of KTO's is one of a prompt and a completion with a label, and no choice.
    """
    filled = frozenset([key for key, value in row.items() if value is not None])
    others = [name for name in _fitting(filled) if name is not found]
    if found is RowFormat.KTO:
        others = [name for name in others if name is not RowFormat.PROMPT_COMPLETION]
    return tuple(name for name in others if name is not RowFormat.KTO or _is_label(row["label"]))


@lru_cache(maxsize=4096)
def _fitting(keys: _Keys) -> tuple[RowFormat, ...]:
    return tuple(name for name, (fits, _) in _FITS.items() if fits(keys))


def normalise(value: object) -> tuple[RowFormat, Row]:
    """Return a decoded record in the one shape, and the format it was in.

    Raises:
        Misfit: not an object, no known format, or a field that cannot be used.
    """
    if not isinstance(value, dict):
        raise Misfit(Reason.NOT_AN_OBJECT, f"the row is {describe(value)}")
    found = detect(value)
    if found is None:
        keys = ", ".join(sorted(map(str, value))) or "none"
        raise Misfit(Reason.NO_FORMAT, f"its keys are {keys}"[:300])
    return found, _FITS[found][1](value)
