"""`messages` and ShareGPT's `conversations`: lists of turns, tool calls kept as JSON text."""

from __future__ import annotations

from typing import Any

import orjson

from curate.formats.raw import Misfit
from curate.formats.shape import (
    Message,
    Raw,
    Row,
    after_system,
    describe,
    first_filled,
    json_text,
    role_of,
    rows_of_columns,
    text_of,
)
from curate.reasons import Reason

TURN_KEYS = ("messages", "conversations", "conversation")


def conversation(row: Raw) -> Row:
    """Return a row of turns under `messages`, `conversations` or `conversation`.

    Raises:
        Misfit: it is not a list of turns, a role is not known, or no turn is the assistant's.
    """
    key = first_filled(row, TURN_KEYS)
    turns = messages(row[key], key)
    if not any(turn["role"] == "assistant" for turn in turns):
        raise Misfit(Reason.NO_ANSWER, f"`{key}` has no assistant turn")
    return Row("messages", messages=after_system(row, turns), tools=json_text(row.get("tools")))


def messages(value: object, field: str) -> list[Message]:
    """Return a list of turns in the standard shape.

    Raises:
        Misfit: as `conversation`.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _decoded(value, field)
    if isinstance(value, dict) and {"role", "from"} & value.keys():
        value = rows_of_columns(value)
    if value in ([], ""):
        raise Misfit(Reason.NO_FORMAT, f"`{field}` has no turns")
    if not isinstance(value, list):
        raise Misfit(Reason.NOT_TEXT, f"`{field}` is {describe(value)}, not a list of turns")
    return [_turn(turn, f"{field}[{index}]") for index, turn in enumerate(value)]


def _decoded(value: str, field: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Misfit(Reason.NOT_TEXT, f"`{field}` is text, not a list of turns") from None


def _turn(turn: object, where: str) -> Message:
    if not isinstance(turn, dict):
        raise Misfit(Reason.NOT_TEXT, f"`{where}` is {describe(turn)}, not a turn")
    name = turn.get("role", turn.get("from"))
    key = "content" if "content" in turn else "value"
    if name == "function_call":
        return _call_turn(turn, where)
    role = role_of(name)
    null = Reason.NULL_ANSWER if role == "assistant" else Reason.NULL_PROMPT
    calls = turn.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Misfit(
            Reason.NO_FORMAT, f"`{where}.tool_calls` is {describe(calls)}, not a list of calls"
        )
    if calls and turn.get(key) in (None, []):
        content = ""
    else:
        content = text_of(turn.get(key), f"{where}.{key}", null=null)
    message: Message = {"role": role, "content": content}
    if calls:
        message["tool_calls"] = [_call(call, where) for call in calls]
    for extra in ("name", "tool_call_id"):
        if isinstance(turn.get(extra), str):
            message[extra] = turn[extra]
    return message


def _call_turn(turn: dict[str, Any], where: str) -> Message:
    """Return ShareGPT's `function_call` turn, whose value is the call as JSON text."""
    value = turn.get("value", turn.get("content"))
    call = _decoded(value, where) if isinstance(value, str) else value
    return {"role": "assistant", "content": "", "tool_calls": [_call(call, where)]}


def _call(call: object, where: str) -> dict[str, Any]:
    """Return one tool call; its arguments become JSON text, so that no schema is invented."""
    if not isinstance(call, dict):
        raise Misfit(Reason.NOT_TEXT, f"a tool call of `{where}` is {describe(call)}")
    function = call.get("function", call)
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Misfit(Reason.NOT_TEXT, f"a tool call of `{where}` has no function name")
    arguments = function.get("arguments", function.get("parameters", {}))
    return {
        "id": call.get("id") if isinstance(call.get("id"), str) else None,
        "type": "function",
        "function": {"name": function["name"], "arguments": json_text(arguments) or "{}"},
    }
