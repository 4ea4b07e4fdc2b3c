"""The one shape that every format is normalised to, and the parts it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, Literal

import orjson

from curate.formats.raw import Misfit
from curate.reasons import Reason

Kind = Literal["messages", "preference", "unpaired_preference", "text"]
Message = dict[str, Any]
"""`role`, `content`, and where present `tool_calls`, `name`, `tool_call_id`."""
Raw = Mapping[str, Any]

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "ipython": "tool",
}


@dataclass(slots=True)
class Row:
    """A row of one of the kinds; the fields of other kinds stay None."""

    kind: Kind
    messages: list[Message] | None = None
    prompt: list[Message] | None = None
    completion: list[Message] | None = None
    chosen: list[Message] | None = None
    rejected: list[Message] | None = None
    label: bool | None = None
    answer: str | None = None
    """The value that a program can check an answer against."""
    text: str | None = None
    tools: str | None = None
    """JSON text."""


def role_of(name: object) -> str:
    """Return the standard name of a role.

    Raises:
        Misfit: it is none that is known.
    """
    known = ROLES.get(name.lower()) if isinstance(name, str) else None
    if known is None:
        raise Misfit(Reason.UNKNOWN_ROLE, f"role {name!r}; known: {', '.join(ROLES)}")
    return known


def text_of(value: object, field: str, *, null: Reason = Reason.NOT_TEXT) -> str:
    """Return a field as text: numbers and booleans as JSON writes them, text parts joined.

    Raises:
        Misfit: null (with the reason `null`), or something that is not text.
    """
    if isinstance(value, str):
        return value
    if is_null(value):
        raise Misfit(null, f"`{field}` is null")
    if isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return orjson.dumps(value).decode()
    if isinstance(value, list) and value and all(_is_text_part(part) for part in value):
        return "".join(part["text"] for part in value)
    raise Misfit(Reason.NOT_TEXT, f"`{field}` is {describe(value)}, not text")


def is_null(value: object) -> bool:
    """Return whether there is no value: None, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, float) and isnan(value))


def _is_text_part(part: object) -> bool:
    return (
        isinstance(part, dict)
        and part.get("type", "text") == "text"
        and isinstance(part.get("text"), str)
    )


def describe(value: object) -> str:
    """Say what a value is, for a person.

    >>> describe([{"a": 1}])
    'an array'
    """
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean", int: "a number"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")


def rows_of_columns(value: dict[str, Any]) -> Any:
    """Return lists under names as a list of objects; as it is where they differ in length."""
    lists = list(value.values())
    if not lists or not all(isinstance(one, list) for one in lists):
        return value
    if len({len(one) for one in lists}) > 1:
        return value
    return [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]


def user(content: str) -> Message:
    """Return a user message."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    """Return an assistant message."""
    return {"role": "assistant", "content": content}


def system_messages(row: Raw) -> list[Message]:
    """Return the row's system prompt as a list of no or one message."""
    for key in ("system", "system_prompt"):
        if row.get(key):
            return [{"role": "system", "content": text_of(row[key], key)}]
    return []


def after_system(row: Raw, turns: list[Message]) -> list[Message]:
    """Return the turns after the row's system prompt, unless they begin with one of their own."""
    return turns if turns[0]["role"] == "system" else [*system_messages(row), *turns]


def first_filled(row: Raw, keys: Sequence[str]) -> str:
    """Return the first of the keys that has a value in the row, or else the first it has."""
    present = [key for key in keys if key in row]
    return next((key for key in present if row[key] is not None), present[0])


def json_text(value: object) -> str | None:
    """Return a value as JSON text; text stays as it is, and null is None."""
    if value is None or isinstance(value, str):
        return value or None
    return orjson.dumps(value).decode()
