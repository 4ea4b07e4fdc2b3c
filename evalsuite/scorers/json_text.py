"""Reading JSON that a model wrote: strictly, but for a code fence around it."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?\s*```\Z", re.DOTALL)


class NotJson(ValueError):
    """The text is not one JSON document."""


def parse(text: str) -> Any:
    """Return the value of `text`, which must be one JSON document, bare or in one code fence.

    Raises:
        NotJson: anything else, including NaN, infinities and a key given twice.
    """
    text = text.strip()
    fenced = _FENCE.match(text)
    try:
        return json.loads(
            fenced.group(1) if fenced else text,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise NotJson("a key is given twice")
    return out


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; unlike Python, `true` is not 1.

    >>> same({"a": [1.0]}, {"a": [1]}), same(True, 1)
    (True, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
