"""What prompts begin with alike, so that it is read once. Pure: token ids in, lengths out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_SHARED = 32
"""Tokens that prompts must begin with alike for reading them once to pay."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Family:
    """Prompts that begin alike."""

    members: tuple[int, ...]
    """Their places."""
    length: int
    """Tokens that all of them begin with, each member having at least one more."""


def shared_prefix(prompts: Sequence[Ids]) -> int:
    """Return how many tokens all prompts begin with alike, leaving each at least one of its own.

    >>> shared_prefix([[1, 2, 3, 4], [1, 2, 5]]), shared_prefix([[1, 2], [1, 2]])
    (2, 1)
    """
    if len(prompts) < 2:
        return 0
    return _common(min(map(tuple, prompts)), max(map(tuple, prompts)), 0)


def families(prompts: Sequence[Ids], start: int, share: float) -> list[Family]:
    """Group prompts by how they go on after `start` tokens that all have in common.

    Args:
        prompts: token ids, [prompts][tokens].
        start: tokens that are alike in all and not counted.
        share: least part of the shorter prompt's rest that two of a family have in common; at
            least `SHORTEST_SHARED` tokens in any case.

    >>> [family.members for family in families([[1] * 40, [2] * 40, [1] * 50], 0, 0.5)]
    [(0, 2), (1,)]
    """
    rows = [tuple(prompt) for prompt in prompts]
    order = sorted(range(len(rows)), key=lambda place: rows[place])
    found: list[list[int]] = []
    for place in order:
        before = rows[found[-1][-1]] if found else None
        if before is not None and _belong(before, rows[place], start, share):
            found[-1].append(place)
        else:
            found.append([place])
    return [Family(tuple(group), _length(rows, group)) for group in found]


def _belong(before: Ids, after: Ids, start: int, share: float) -> bool:
    shorter = min(len(before), len(after)) - start
    return _common(before, after, start) - start >= max(SHORTEST_SHARED, share * shorter)


def _length(rows: Sequence[tuple[int, ...]], group: Sequence[int]) -> int:
    """Sorted rows have no more in common than the first and the last."""
    if len(group) == 1:
        return len(rows[group[0]]) - 1
    return _common(rows[group[0]], rows[group[-1]], 0)


def _common(one: Ids, other: Ids, start: int) -> int:
    """Return how many tokens two prompts begin with alike, by halving: slices compare fast."""
    low, high = start, min(len(one), len(other)) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
