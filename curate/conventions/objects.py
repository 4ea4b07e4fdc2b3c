"""Answers that are JSON: their form, keys, order, types and values, in arrays of numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.int32]

FORMS = (
    "are JSON objects",
    "are JSON arrays",
    "are JSON in a code fence",
    "are JSON with words around it",
    "begin like JSON but cannot be read",
    "are no JSON",
)
OBJECT, ARRAY, FENCED, AROUND, BROKEN, TEXT = range(6)
SPACING = ("write JSON compactly", "write JSON with a space after : and ,", "write JSON on lines")
TYPES = ("text", "a number", "true or false", "a list", "an object")
_MOST_PATHS, _DEEPEST, _MOST_VALUES, _LONGEST_VALUE, _MOST_ORDERS = 200, 3, 500, 60, 10_000
_MOSTLY = 0.3
"""A smaller object is one that the text speaks of."""
_MAYBE = r"^(?:[\[{]|```|~~~)|\{\s*\"[^\"\n]{1,80}\"\s*:"


@dataclass
class Path:
    """One key, with dots where it lies inside another, over all objects that have it."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    types: array[int] = field(default_factory=lambda: array("b"))
    """Place in `TYPES`; -1 for null."""
    values: array[int] | None = field(default_factory=lambda: array("i"))
    """Number of the value, -1 where it is no text; None: too many values to be a vocabulary."""
    names: dict[str, int] = field(default_factory=dict)
    """Value → its number."""

    def add(self, row: int, value: Any) -> None:
        """Note the value that one object has."""
        self.rows.append(row)
        self.types.append(_type(value))
        if self.values is None:
            return
        number = -1
        if isinstance(value, str):
            number = self.names.setdefault(value, len(self.names))
            if len(self.names) > _MOST_VALUES:
                self.values, self.names = None, {}
                return
        self.values.append(number)


def _type(value: Any) -> int:
    if value is None:
        return -1
    if isinstance(value, bool):
        return 2
    kinds = {str: 0, int: 1, float: 1, list: 3, dict: 4}
    return kinds[type(value)]


@dataclass
class Objects:
    """All that was seen of JSON answers, filled block by block."""

    forms: list[NDArray[np.int8]] = field(default_factory=list)
    """Place in `FORMS` of every row, block by block; -1 where the answer is empty."""
    rows: array[int] = field(default_factory=lambda: array("q"))
    """Rows whose answer holds one object, ascending."""
    spacing: array[int] = field(default_factory=lambda: array("b"))
    orders: array[int] = field(default_factory=lambda: array("i"))
    order_names: dict[tuple[str, ...], int] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    skipped_paths: int = 0
    """Times that a key was passed over, because there are too many different ones."""
    count: int = 0

    def add(self, trimmed: pl.Series) -> pl.Series:
        """Look at a block of answers; return which of them are JSON."""
        empty = (trimmed == "").to_numpy()
        forms = np.where(empty, -1, TEXT).astype(np.int8)
        maybe = trimmed.str.contains(_MAYBE).to_numpy()
        for place in np.flatnonzero(maybe & ~empty).tolist():
            form, value, inner = read(trimmed[place])
            forms[place] = form
            if isinstance(value, dict):
                self._note(self.count + place, value, inner)
        self.forms.append(forms)
        self.count += len(trimmed)
        return pl.Series("is_object", (forms == OBJECT) | (forms == ARRAY))

    def _note(self, row: int, value: dict[str, Any], text: str) -> None:
        self.rows.append(row)
        self.spacing.append(2 if "\n" in text else 1 if '": ' in text else 0)
        order = tuple(value)
        if order in self.order_names or len(self.order_names) < _MOST_ORDERS:
            self.orders.append(self.order_names.setdefault(order, len(self.order_names)))
        else:
            self.orders.append(-1)
        for path, item in _paths(value):
            held = self.paths.get(path)
            if held is None:
                if len(self.paths) >= _MOST_PATHS:
                    self.skipped_paths += 1
                    continue
                held = self.paths[path] = Path()
            held.add(row, item)

    def usual_order(self) -> NDArray[np.int8]:
        """Return for each of `rows` 0 where its keys stand as in most objects, 1 where not.

        Keys that the most frequent order has not are not minded.
        """
        codes = np.frombuffer(self.orders, np.int32) if self.orders else np.empty(0, np.int32)
        names = list(self.order_names)
        if not names:
            return np.empty(0, np.int8)
        usual = names[int(np.bincount(codes[codes >= 0], minlength=len(names)).argmax())]
        place = {key: number for number, key in enumerate(usual)}
        kept = [_ascending([place[key] for key in name if key in place]) for name in names]
        table = np.array([*(0 if good else 1 for good in kept), 0], np.int8)
        return np.asarray(table[codes])


def _ascending(numbers: list[int]) -> bool:
    return numbers == sorted(numbers)


def _paths(value: dict[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        path = before + key
        yield path, item
        if isinstance(item, dict) and depth < _DEEPEST:
            yield from _paths(item, f"{path}.", depth + 1)


def read(text: str) -> tuple[int, Any, str]:
    """Return the form of an answer (place in `FORMS`), what it holds, and the JSON's own text.

    >>> read('Here: {"team": "billing"}')[:2]
    (3, {'team': 'billing'})
    """
    if text.startswith(("{", "[")):
        value = _parsed(text)
        if value is not None:
            return (OBJECT if isinstance(value, dict) else ARRAY), value, text
        if text.startswith("["):  # [Note: …] is prose
            return (BROKEN if text[1:].lstrip()[:1] in ("{", '"') else TEXT), None, ""
    if text.startswith(("```", "~~~")):
        lines = text.split("\n")
        inner = "\n".join(lines[1:-1]) if lines[-1].strip() in ("```", "~~~") else ""
        value = _parsed(inner)
        return (TEXT, None, "") if value is None else (FENCED, value, inner)
    begin, end = text.find("{"), text.rfind("}")
    value = _parsed(text[begin : end + 1]) if 0 < begin < end else None
    if isinstance(value, dict) and value and end - begin > _MOSTLY * len(text):
        return AROUND, value, text[begin : end + 1]
    like = text.startswith("{") and text[1:].lstrip()[:1] in ('"', "'", "}")
    return (BROKEN if like else TEXT), None, ""


def _parsed(text: str) -> Any:
    """Return the object or array, or None."""
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
