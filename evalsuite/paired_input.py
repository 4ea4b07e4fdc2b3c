"""Paired scores as they come in: well formed or refused, and without what is no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evalsuite.verdict import PairedAbility


def checked(abilities: Sequence[PairedAbility]) -> Sequence[PairedAbility]:
    """Return the abilities as they are.

    Raises:
        ValueError: a name or an item id occurs twice, lengths differ, or a term is out of range.
    """
    names = [ability.name for ability in abilities]
    if len(set(names)) < len(names):
        raise ValueError(f"an ability occurs twice: {_first_twice(names)!r}")
    for ability in abilities:
        _check(ability)
    return abilities


def _check(ability: PairedAbility) -> None:
    if len(set(ability.item_ids)) < len(ability.item_ids):
        twice = _first_twice(ability.item_ids)
        raise ValueError(f"{ability.name}: an item occurs twice: {twice!r}")
    sizes = {np.size(ability.base), np.size(ability.tuned), len(ability.item_ids)}
    if ability.clusters is not None:
        sizes.add(len(ability.clusters))
    if len(sizes) > 1:
        raise ValueError(f"{ability.name}: scores, ids and clusters differ in length: {sizes}")
    if ability.margin < 0 or ability.min_gain < 0 or not 0 < ability.alpha < 0.5:
        raise ValueError(f"{ability.name}: margin, min_gain or alpha is out of range")


def without_nan(ability: PairedAbility) -> PairedAbility:
    """A score that is no number is an error of the measurement, never a zero."""
    base, tuned = np.asarray(ability.base, dtype=float), np.asarray(ability.tuned, dtype=float)
    bad = int((~np.isfinite(base) | ~np.isfinite(tuned)).sum())
    if not bad:
        return ability
    detail = f"{bad:,} of {base.size:,} pairs hold a score that is not a finite number"
    return replace(
        ability, state="error", detail=detail, base=(), tuned=(), item_ids=(), clusters=None
    )


def _first_twice(names: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
