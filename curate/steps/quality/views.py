"""A text as it is meant: in JSON, without the escapes, each character with its place.

Whatever looks for values in tool calls or structured answers must read `Ren\\u00e9` as René and
`\\nbob@mail.org` without the n, and what it replaces must leave valid JSON.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s{0,20}:)?')
_ESCAPE = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?\\(?:u[0-9a-fA-F]{4}|.)")


@dataclass(frozen=True)
class View:
    """A text to look for values in."""

    text: str
    """As it is meant."""
    at: Sequence[int]
    """Where each character, and the end, is in the text as it is written; one more than
    characters."""
    said: Sequence[tuple[int, int]]
    """Spans of `text` that are language: all of it, or the strings of JSON that are not keys."""


def view(text: str) -> View:
    """Return a text as it is meant.

    >>> view('{"who": "Ren\\\\u00e9"}').text
    '{"who": "René"}'
    """
    if not _is_json(text):
        return View(text, range(len(text) + 1), [(0, len(text))])
    if "\\" not in text:
        said = [found.span(1) for found in _STRING.finditer(text) if not found.group(2)]
        return View(text, range(len(text) + 1), said)
    parts: list[str] = []
    places: array[int] = array("q")
    said, at = [], 0
    for found in _STRING.finditer(text):
        begin, end = found.span(1)
        parts.append(text[at:begin])
        places.extend(range(at, begin))
        low = len(places)
        _unescape(text, begin, end, parts, places)
        if not found.group(2):
            said.append((low, len(places)))
        at = end
    parts.append(text[at:])
    places.extend(range(at, len(text) + 1))
    return View("".join(parts), places, said)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _unescape(text: str, begin: int, end: int, parts: list[str], places: array[int]) -> None:
    """Add the text of a JSON string to `parts`, and the place of each character."""
    at = begin
    for found in _ESCAPE.finditer(text, begin, end):
        low, high = found.span()
        parts.append(text[at:low])
        places.extend(range(at, low))
        meant = orjson.loads(f'"{found.group()}"')
        parts.append(meant)
        places.extend([low] * len(meant))
        at = high
    parts.append(text[at:end])
    places.extend(range(at, end))
