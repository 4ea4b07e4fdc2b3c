"""Which keys of a row its format took: what is left over is counted, not lost in silence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from curate.formats.conversation import TURN_KEYS
from curate.formats.detect import RowFormat
from curate.formats.pairs import COMPLETION_KEYS, OUTPUT_KEYS, question_keys
from curate.formats.shape import Raw, Row, first_filled, text_of

_SYSTEM_KEYS = ("system", "system_prompt")
MARK_KEYS = frozenset(
    {"id", "document", "document_id", "doc_id", "conversation_id", "parents", "parent_id"}
    | {"category", "topic"}
)

ASSIGNED_TOPIC = "assigned topic"
"""Not `topic`, which is how many files call a label."""
PUBLISHED_CANARY = "published canary"
"""Not `canary`, which any file may call a column."""
_PUBLISHED = frozenset({"source", "row", "user_id", "label", "parents"})


def published_marks(row: Raw) -> dict[str, Any]:
    """Return what a row of a dataset that curation made says about itself in `meta`."""
    meta = row.get("meta")
    if not isinstance(meta, dict) or not meta.keys() >= _PUBLISHED:
        return {}
    marks = {"category": meta["label"], "parents": meta["parents"]}
    return {**marks, ASSIGNED_TOPIC: meta.get("topic"), PUBLISHED_CANARY: meta.get("canary")}


def canary_of(row: Raw) -> str | None:
    """Return the name of the string that `temper canaries` made to be planted, if a row is one."""
    value = row.get("canary")
    if isinstance(value, dict) and isinstance(value.get("alphabet"), str):
        value = value.get("name")
        return value if isinstance(value, str) else None
    return None


def quality_of(row: Raw) -> float | None:
    """Return how good a row says it is: a finite number, or one that a CSV wrote as text."""
    value = row.get("quality")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _preference(row: Raw) -> tuple[str, ...]:
    asked = ("prompt",) if row.get("prompt") is not None else ("instruction", "input")
    return "chosen", "rejected", *asked


def _alpaca(row: Raw) -> tuple[str, ...]:
    return "instruction", "input", "history", first_filled(row, OUTPUT_KEYS)


_CONTENT: dict[RowFormat, Callable[[Raw], tuple[str, ...]]] = {
    RowFormat.PREFERENCE: _preference,
    RowFormat.KTO: lambda row: ("prompt", "completion", "label"),
    RowFormat.MESSAGES: lambda row: (first_filled(row, TURN_KEYS),),
    RowFormat.SHAREGPT: lambda row: (first_filled(row, TURN_KEYS),),
    RowFormat.ALPACA: _alpaca,
    RowFormat.PROMPT_COMPLETION: lambda row: ("prompt", first_filled(row, COMPLETION_KEYS)),
    RowFormat.QUESTION_ANSWER: question_keys,
    RowFormat.PROMPT_ANSWER: lambda row: ("prompt", "answer"),
    RowFormat.TEXT: lambda row: ("text",),
}


def content_keys(found: RowFormat, value: Raw) -> tuple[str, ...]:
    """Return the keys that a format reads as content."""
    return _CONTENT[found](value)


def used_keys(found: RowFormat, value: Raw, row: Row) -> set[str]:
    """Return the keys of a record whose values are in the row or in its marks.

    Args:
        found: the record's format.
        value: the record.
        row: what the format made of it.
    """
    used = {key for key in value if key in MARK_KEYS}
    if quality_of(value) is not None:
        used.add("quality")
    if canary_of(value) is not None:
        used.add("canary")
    used.update(_CONTENT[found](value))
    if published_marks(value):
        used.update(("meta", "content_hash"))
    if row.tools is not None:
        used.add("tools")
    if isinstance(value.get("label"), str) and not (value.get("category") or value.get("topic")):
        used.add("label")
    turns = row.messages or row.prompt
    if turns and turns[0]["role"] == "system":
        # A prompt that is dropped for the turns' own, and says something else, was not used.
        kept = turns[0]["content"]
        used.update(
            key for key in _SYSTEM_KEYS if value.get(key) and text_of(value[key], key) == kept
        )
    return used
