"""Scores of one ability under each way of asking, side by side. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Answered(Protocol):
    """An answer with its score: a `Sample`, or what `samples.parquet` keeps of one."""

    @property
    def task(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def prompt_tokens(self) -> int: ...


@dataclass(frozen=True)
class Scores:
    """What one model scored on the items of an ability, asked in one way."""

    name: str
    """The way of asking, or the model."""
    ids: tuple[str, ...]
    """`task/item`, each once."""
    clusters: tuple[str, ...]
    """Items of equal cluster are not independent."""
    values: Floats
    """Score per item, shape (items,)."""
    prompt_tokens: Floats
    """Tokens of each prompt, shape (items,)."""

    def only(self, chosen: Flags) -> Scores:
        """Return these items alone."""
        places = np.flatnonzero(chosen).tolist()
        return Scores(
            self.name,
            tuple(self.ids[place] for place in places),
            tuple(self.clusters[place] for place in places),
            self.values[chosen],
            self.prompt_tokens[chosen],
        )

    def like(self, other: Scores) -> Scores | None:
        """Return these in the order of `other`; None if they are not of the same items."""
        if set(self.ids) != set(other.ids):
            return None
        place = {one: number for number, one in enumerate(self.ids)}
        order = np.array([place[one] for one in other.ids], np.int64)
        return Scores(
            self.name, other.ids, other.clusters, self.values[order], self.prompt_tokens[order]
        )

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The clusters, or None where every item is its own."""
        return self.clusters if len(set(self.clusters)) < len(self.clusters) else None


def gathered(name: str, answers: Iterable[Answered], clustered: Collection[str]) -> Scores:
    """Put answers to the tasks of one ability together.

    Args:
        name: the way of asking, or the model.
        answers: to every item, in any order.
        clustered: tasks whose items name a cluster; elsewhere each item is its own.
    """
    found = sorted(answers, key=lambda one: (one.task, one.item_id))
    ids = tuple(f"{one.task}/{one.item_id}" for one in found)
    clusters = tuple(
        one.cluster if one.task in clustered else own for one, own in zip(found, ids, strict=True)
    )
    values = np.array([one.score for one in found], np.float64)
    return Scores(
        name, ids, clusters, values, np.array([one.prompt_tokens for one in found], np.float64)
    )


def chooses(clusters: Sequence[str], seed: int) -> Flags:
    """Return which items choose the best prompt; the others report what it reaches.

    Clusters stay whole. They are taken in the order of a hash and go to the smaller half, so that
    the halves are the same in every evaluation of the same items.

    Args:
        clusters: label per item.
        seed: another seed, other halves.
    """
    sizes: dict[str, int] = {}
    for name in clusters:
        sizes[name] = sizes.get(name, 0) + 1
    order = sorted(
        sizes, key=lambda name: (hashlib.sha256(f"{seed}\n{name}".encode()).digest(), name)
    )
    filled = [0, 0]
    choosing: Mapping[str, bool]
    choosing = {}
    for name in order:
        side = int(filled[1] < filled[0])
        filled[side] += sizes[name]
        choosing[name] = side == 0
    return np.array([choosing[name] for name in clusters], bool)
