"""`--set a.b=c` applied over a recipe's data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from workspace.errors import UsageError
from workspace.yaml import Document, Key, parse_scalar


def overridden(
    document: Document, overrides: Sequence[str]
) -> tuple[dict[str, Any], frozenset[Key]]:
    """Return the document's data with the overrides applied, and the keys that they set.

    Args:
        document: the file as read; it is not changed.
        overrides: `a.b=c`; list items by their number from 0.

    Raises:
        UsageError: one is not `key=value`, or leads through what is not a mapping or list.
    """
    data = copy.deepcopy(document.data)
    keys = {_set(data, override) for override in overrides}
    return data, frozenset(keys)


def settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Return what `a.b=c` assignments make of nothing. Raises as `overridden`."""
    data: dict[str, Any] = {}
    for assignment in assignments:
        _set(data, assignment)
    return data


def _set(data: dict[str, Any], override: str) -> Key:
    dotted, equals, text = override.partition("=")
    parts = dotted.strip().split(".")
    where = f"--set {override}"
    if not equals or not all(parts):
        raise UsageError(
            "this override is not key=value",
            where=where,
            cure="For example: --set train.learning_rate=1e-4",
        )
    node: Any = data
    key: list[str | int] = []
    for part in parts[:-1]:
        step = _step(node, part, where, key)
        if isinstance(node, dict) and node.get(step) is None:
            node[step] = {}
        node = node[step]
        key.append(step)
    last = _step(node, parts[-1], where, key)
    node[last] = parse_scalar(text)
    return (*key, last)


def _step(node: Any, part: str, where: str, key: Sequence[str | int]) -> str | int:
    """Return `part` as what indexes `node`."""
    if isinstance(node, dict):
        return part
    so_far = ".".join(str(step) for step in key)
    if not isinstance(node, list):
        raise UsageError(f"{so_far} is not a mapping", where=where)
    if not part.isdigit() or int(part) >= len(node):
        raise UsageError(
            f"{so_far} has no item {part}",
            where=where,
            cause=f"That list has {len(node)} items, counted from 0.",
        )
    return int(part)
