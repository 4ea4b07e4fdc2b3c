"""The items on which two models differ, from `samples.parquet`: losses first, a fair share each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workspace.errors import DataError

KEYS = ("task", "ability", "item_id", "model", "score")
TEXTS = ("prompt", "gold", "output")
Kind = Literal["lost", "gained"]


@dataclass(frozen=True, slots=True)
class Flip:
    """One item that both models answered with different success."""

    ability: str
    """Ability the item belongs to."""
    item_id: str
    """Id within its task."""
    kind: Kind
    """Whether the tuned model scores lower or higher."""
    prompt: str
    """What was asked, shortened."""
    gold: str
    """What was wanted, shortened."""
    base_output: str
    """The base's answer, shortened."""
    tuned_output: str
    """The tuned model's answer, shortened."""
    base_score: float
    """Score of the base."""
    tuned_score: float
    """Score of the tuned model."""


@dataclass(frozen=True, slots=True)
class Flips:
    """What can be shown, and how much there is."""

    shown: tuple[Flip, ...]
    """Losses first, by ability in the order asked for."""
    lost: int
    """Items lost in all."""
    gained: int
    """Items gained in all."""

    @property
    def hidden(self) -> int:
        """Items that differ but are not in `shown`."""
        return self.lost + self.gained - len(self.shown)


class Samples:
    """The stored answers of one evaluation, paired on demand."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            DataError: missing, damaged, or without one of the columns.
        """
        try:
            self._table = pq.read_table(path, columns=[*KEYS, *TEXTS])
        except FileNotFoundError:
            raise DataError("the stored answers are missing", where=str(path)) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                "the stored answers cannot be read",
                where=str(path),
                cause=f"{error}.",
                cure=f"The file must be Parquet with the columns {', '.join(KEYS + TEXTS)}.",
            ) from error
        # Two suites may call a task alike; the ability's name tells them apart.
        rows: dict[str, dict[tuple[str, str, str], int]] = defaultdict(dict)
        names = ("model", "ability", "task", "item_id")
        columns = [self._table[name].to_pylist() for name in names]
        for index, (model, ability, task, item) in enumerate(zip(*columns, strict=True)):
            rows[model][ability, task, item] = index
        self._rows = dict(rows)
        self._ability = self._table["ability"].to_pylist()
        self._score = np.asarray(self._table["score"].to_pylist(), dtype=float)

    def flips(
        self,
        base: str,
        tuned: str,
        abilities: Sequence[str],
        *,
        most_lost: int = 150,
        most_gained: int = 50,
        text_limit: int = 1_000,
    ) -> Flips:
        """Pair two models and pick what to show.

        Args:
            base: name in the column `model`.
            tuned: the other name.
            abilities: those to look at, in the order to show them.
            most_lost: losses shown at most; where there are more, each ability gets its share and
                the largest differences come first.
            most_gained: the same for gains.
            text_limit: characters kept of each text.
        """
        ours, theirs = self._rows.get(base, {}), self._rows.get(tuned, {})
        pairs = [(ours[key], theirs[key]) for key in ours.keys() & theirs.keys()]
        lost: dict[str, list[tuple[int, int]]] = {name: [] for name in abilities}
        gained: dict[str, list[tuple[int, int]]] = {name: [] for name in abilities}
        for a, b in sorted(pairs):
            name, difference = self._ability[a], self._score[b] - self._score[a]
            if name in lost and np.isfinite(difference) and difference:
                (lost if difference < 0 else gained)[name].append((a, b))
        shown = [
            *self._take(self._share(lost, most_lost), "lost", text_limit),
            *self._take(self._share(gained, most_gained), "gained", text_limit),
        ]
        return Flips(tuple(shown), *(sum(map(len, side.values())) for side in (lost, gained)))

    def _share(self, side: dict[str, list[tuple[int, int]]], most: int) -> list[tuple[int, int]]:
        """Deal out `most` places round by round, so that one ability cannot crowd out others."""

        def extent(pair: tuple[int, int]) -> float:
            return -abs(float(self._score[pair[1]] - self._score[pair[0]]))

        ranked = [sorted(pairs, key=extent) for pairs in side.values()]
        dealt = set(islice((p for p in chain(*zip_longest(*ranked)) if p is not None), most))
        return [pair for pairs in ranked for pair in pairs if pair in dealt]

    def _take(self, pairs: Sequence[tuple[int, int]], kind: Kind, limit: int) -> Iterable[Flip]:
        if not pairs:
            return
        first = self._table.take([a for a, _ in pairs]).to_pylist()
        second = self._table.take([b for _, b in pairs]).to_pylist()
        for a, b in zip(first, second, strict=True):
            yield Flip(
                ability=a["ability"],
                item_id=str(a["item_id"]),
                kind=kind,
                prompt=shorten(a["prompt"], limit),
                gold=shorten(a["gold"], limit),
                base_output=shorten(a["output"], limit),
                tuned_output=shorten(b["output"], limit),
                base_score=float(a["score"]),
                tuned_score=float(b["score"]),
            )


def shorten(text: str | None, limit: int) -> str:
    """Return the text, or its beginning and how many characters are left out.

    >>> shorten("abcdef", 4)
    'abcd … (2 more characters)'
    """
    if text is None:
        return ""
    left = len(text) - limit
    return text if left <= 0 else f"{text[:limit]} … ({left:,} more characters)"
