"""One value of a recipe written anew, everything else of the file as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workspace.errors import TemperError, UsageError
from workspace.files import write_text
from workspace.yaml import Key, parse_yaml
from workspace.yaml_edit import as_yaml, with_value

_LARGEST_WHOLE = 2**53


def number_text(value: float) -> str:
    """Return a number as it is written in a recipe and in commands: every digit, whole ones bare.

    >>> number_text(1234567.0), number_text(0.85), number_text(1e-5)
    ('1234567', '0.85', '1e-05')
    """
    is_whole = abs(value) < _LARGEST_WHOLE and value == int(value)
    return str(int(value)) if is_whole else repr(value)


def set_number(path: Path, key: Key, value: float) -> None:
    """Write a number into a recipe; all else stays; a comment beside it keeps its column.

    Args:
        path: the recipe.
        key: keys and places in lists, from the top. The last may be absent from a mapping, and a
            step that is only named gets its first setting.
        value: the number.

    Raises:
        UsageError: the recipe has no such place, or what stands there cannot be changed alone.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    ends_crlf = 0 < text.count("\n") == text.count("\r\n")
    if ends_crlf:
        text = text.replace("\r\n", "\n")
    found = with_number(text, key, value, str(path))
    write_text(path, found.replace("\n", "\r\n") if ends_crlf else found)


def with_number(text: str, key: Key, value: float, where: str = "recipe") -> str:
    """Return the text of a recipe with one number changed.

    >>> with_number("a:\\n  b: 1  # why\\n", ("a", "b"), 2)
    'a:\\n  b: 2  # why\\n'
    >>> with_number("a: [deep]\\n", ("a", 0, "deep", "x"), 0.5)
    'a: [{deep: {x: 0.5}}]\\n'
    """
    place, rest = _standing(parse_yaml(text, Path(where)).data, key, where)
    written = number_text(value)
    for name in reversed(rest):
        written = f"{{{as_yaml(str(name))}: {written}}}"
    try:
        return with_value(text, place, written, in_place=True)
    except TemperError as error:
        raise UsageError(error.title, where=where, cause=error.cause, cure=error.cure) from None


def _standing(data: Any, key: Key, where: str) -> tuple[Key, Key]:
    """Return the place to be written, and the keys below it where a step is only named."""
    held = data
    for depth, part in enumerate(key):
        if isinstance(held, str) and held == part and depth + 1 < len(key):  # `- step` alone
            return key[:depth], key[depth:]
        if isinstance(held, dict) and held.get(str(part)) is None:
            return key, ()  # absent: it is made
        is_there = isinstance(held, dict) or (
            isinstance(held, list) and isinstance(part, int) and part < len(held)
        )
        if not is_there:
            raise _absent(key, where)
        held = held[str(part) if isinstance(held, dict) else part]
    if isinstance(held, dict | list):
        raise _absent(key, where)
    return key, ()


def _absent(key: Key, where: str) -> UsageError:
    return UsageError(
        "the recipe has no place for this value",
        where=where,
        cause=".".join(map(str, key)),
        cure="Write it into the file by hand.",
    )
