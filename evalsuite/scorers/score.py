"""What a scorer returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


@dataclass(frozen=True, slots=True)
class Score:
    """The worth of one output for one item."""

    value: float
    """From 0 (wrong) to 1 (right); higher is better."""
    detail: str = ""
    """Why, in a few words; empty when right."""


RIGHT = Score(1.0)


def wrong(detail: str) -> Score:
    """Return a score of zero with its reason."""
    return Score(0.0, detail)


def best_of(item: Item, score: Callable[[str], Score]) -> Score:
    """Return the score against the right answer that gives the most."""
    return max(map(score, item.right_answers), key=lambda found: found.value)
