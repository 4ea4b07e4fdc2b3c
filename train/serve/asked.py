"""A request in OpenAI's words, checked. No torch.

What would change the answer and is not done here is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

_IGNORED = {
    "user", "metadata", "store", "service_tier", "stream_options", "safety_identifier",
    "prompt_cache_key", "parallel_tool_calls", "verbosity",
}  # fmt: skip
_SAME_AS_LEFT_OUT: Mapping[str, Sequence[Any]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
_KNOWN = {
    "model", "messages", "prompt", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "seed", "stop", "stream",
}  # fmt: skip
ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_STOPS = 4
MOST_MESSAGES = 2_048


class Refused(Exception):
    """A request that cannot be served, as OpenAI tells it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param, self.code = status, kind, param, code

    def body(self) -> dict[str, Any]:
        """Return the document that clients expect."""
        error = {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}


@dataclass(frozen=True)
class Asked:
    """What a client wants."""

    endpoint: Literal["chat", "completion"]
    model: str
    messages: tuple[Mapping[str, Any], ...]
    prompt: str | tuple[int, ...]
    """Of a completion: text or token ids."""
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    stops: tuple[str, ...]
    stream: bool
    usage_in_stream: bool


def read_asked(body: Any, endpoint: Literal["chat", "completion"]) -> Asked:
    """Check a decoded body.

    Raises:
        Refused: with the parameter that is wrong.
    """
    if not isinstance(body, dict):
        raise Refused("the body must be a JSON object")
    for name, value in body.items():
        if value is None or name in _KNOWN or name in _IGNORED:
            continue
        if name not in _SAME_AS_LEFT_OUT:
            raise Refused(f"{name} is not a parameter that is known here", param=name)
        if value not in _SAME_AS_LEFT_OUT[name]:
            raise Refused(f"{name} is not supported here", param=name, code="unsupported_parameter")
    options = body.get("stream_options")
    return Asked(
        endpoint=endpoint,
        model=_text(body, "model"),
        messages=_messages(body) if endpoint == "chat" else (),
        prompt=_prompt(body) if endpoint == "completion" else "",
        max_tokens=_most(body, endpoint),
        temperature=_number(body, "temperature", 0.0, 2.0, 0.0),
        top_p=_number(body, "top_p", 0.0, 1.0, 1.0),
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
        stops=_stops(body),
        stream=_flag(body, "stream"),
        usage_in_stream=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _most(body: Mapping[str, Any], endpoint: str) -> int | None:
    given = _whole(body, "max_completion_tokens", 1, 2**31)
    if given is None:
        given = _whole(body, "max_tokens", 1, 2**31)
    return 16 if given is None and endpoint == "completion" else given


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"{name} must be a text", param=name)
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool | None):
        raise Refused(f"{name} must be true or false", param=name)
    return bool(value)


def _number(body: Mapping[str, Any], name: str, low: float, high: float, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(f"{name} must be a number from {low:g} to {high:g}", param=name)
    return float(value)


def _whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(f"{name} must be a whole number of at least {low}", param=name)
    return value


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("stop")
    stops = [value] if isinstance(value, str) else value or []
    good = isinstance(stops, list) and all(isinstance(one, str) and one for one in stops)
    if not good or len(stops) > MOST_STOPS:
        raise Refused(f"stop must be a text or at most {MOST_STOPS} texts", param="stop")
    return tuple(stops)


def _prompt(body: Mapping[str, Any]) -> str | tuple[int, ...]:
    value = body.get("prompt")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return tuple(value)
    raise Refused("prompt must be one text, or a list of token ids", param="prompt")


def _messages(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    value = body.get("messages")
    if not isinstance(value, list) or not value or len(value) > MOST_MESSAGES:
        raise Refused(f"messages must be a list of 1 to {MOST_MESSAGES} messages", param="messages")
    return tuple(_message(one, f"messages[{place}]") for place, one in enumerate(value))


def _message(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{where} must be an object", param="messages")
    role = value.get("role")
    if role not in ROLES:
        raise Refused(f"{where}.role must be one of {', '.join(ROLES)}", param="messages")
    if value.get("tool_calls"):
        raise Refused(f"{where}.tool_calls are not supported here", param="messages")
    return {"role": "system" if role == "developer" else role, "content": _content(value, where)}


def _content(value: Mapping[str, Any], where: str) -> str:
    content = value.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Refused(f"{where}.content must be a text", param="messages")
    texts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise Refused(f"{where}.content: only parts of text are read here", param="messages")
        if not isinstance(part.get("text"), str):
            raise Refused(f"{where}.content: a part has no text", param="messages")
        texts.append(part["text"])
    return "".join(texts)
