"""Plants: for each of some rows one further row, of which it is known whether it must go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from curate.calibration.copies import EDITS
from curate.calibration.siblings import SIBLINGS, Pair
from curate.calibration.words import Material

_TRIES = 4


@dataclass(frozen=True)
class Plant:
    """A row that was made of another."""

    source: int
    """Place of that row among those given."""
    kind: str
    """Its class: a key of `EDITS` or of `SIBLINGS`."""
    is_copy: bool
    prompt: str
    answer: str


def plant(
    rows: list[Pair],
    sources: list[int],
    material: Material,
    rng: Random,
    is_label: Callable[[str], bool],
) -> list[Plant]:
    """Return a plant for each source, copies and siblings by turns.

    Args:
        rows: prompt and answer of each row.
        sources: places of the rows to make plants of.
        material: the words and values of all rows.
        rng: decides everything that is left open.
        is_label: whether an answer is so short that an edit would make another of it.
    """
    planted = []
    for turn, source in enumerate(sources):
        made = (_copy if turn % 2 == 0 else _sibling)(rows, source, material, rng, is_label)
        if made is not None:
            planted.append(made)
    return planted


def _copy(
    rows: list[Pair],
    source: int,
    material: Material,
    rng: Random,
    is_label: Callable[[str], bool],
) -> Plant | None:
    prompt, answer = rows[source]
    for kind in rng.sample(list(EDITS), len(EDITS)):
        new = EDITS[kind](prompt, material, rng)
        if new != prompt:
            said = answer if is_label(answer) else EDITS[kind](answer, material, rng)
            return Plant(source, kind, True, new, said)
    return None


def _sibling(
    rows: list[Pair],
    source: int,
    material: Material,
    rng: Random,
    is_label: Callable[[str], bool],
) -> Plant | None:
    for kind in rng.sample(list(SIBLINGS), len(SIBLINGS)):
        for _ in range(_TRIES):
            stranger = rows[rng.randrange(len(rows))]
            new = SIBLINGS[kind](rows[source], stranger, material, rng)
            if new is not None and new != rows[source]:
                return Plant(source, kind, False, *new)
    return None
