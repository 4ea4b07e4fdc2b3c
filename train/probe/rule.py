"""Which step of a run is the best by its probes. Pure: scores in, a step out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_ROUNDING = 1e-9
"""A fall of exactly the margin is within it."""


@dataclass(frozen=True)
class Ability:
    """What a probe scores."""

    name: str
    """`suite/ability`."""
    purpose: Literal["target", "retention"]
    margin: float
    """Largest fall below the base that counts as kept, in score points."""


@dataclass(frozen=True)
class Probed:
    """The scores at a step."""

    step: int
    """Optimiser steps done."""
    scores: Mapping[str, float]
    """Of each ability: the mean over its items."""


@dataclass(frozen=True)
class Rule:
    """How steps are compared."""

    abilities: Sequence[Ability]
    base: Mapping[str, float]
    """Scores of the base."""

    def target(self, probed: Probed) -> float | None:
        """Return the mean score over the target abilities, or None where there is none."""
        found = [probed.scores[one.name] for one in self.abilities if one.purpose == "target"]
        return sum(found) / len(found) if found else None

    def beyond(self, probed: Probed) -> list[Ability]:
        """Return the abilities to be kept that fell by more than their margin."""
        return [one for one in self._kept() if self._excess(probed, one) > 0.0]

    def violation(self, probed: Probed) -> float:
        """Return by how much the worst ability fell beyond its margin; 0 where none did."""
        worst = max((self._excess(probed, one) for one in self._kept()), default=0.0)
        return round(worst, 9)  # so that equals are equal

    def best(self, history: Sequence[Probed]) -> Probed | None:
        """Return the best of the probed steps.

        That is the highest target score among the steps that kept every ability, the earlier of
        equals; without a target the latest of them. Where no step kept every ability, it is the
        one whose worst ability fell least beyond its margin.
        """
        kept = [one for one in history if not self.beyond(one)]
        if not kept:
            return min(history, key=lambda one: (self.violation(one), one.step), default=None)
        return max(kept, key=self._merit)

    def since_best(self, history: Sequence[Probed]) -> int:
        """Return how many probes came after the best one."""
        best = self.best(history)
        return sum(one.step > best.step for one in history) if best else 0

    def why(self, history: Sequence[Probed]) -> str:
        """Return why the best step is the best, for a person."""
        best = self.best(history)
        if best is None:
            return "nothing was probed"
        beyond, target = self.beyond(best), self.target(best)
        of = f"of {len(history)} probed steps"
        if beyond:
            names = ", ".join(one.name for one in beyond)
            return f"no step kept every ability within its margin; least is lost here ({names})"
        if target is None:
            return f"the latest {of} that kept every ability within its margin"
        if not any(self._kept()):
            return f"highest target score ({target:.3f}) {of}; nothing says what is forgotten"
        return f"highest target score ({target:.3f}) {of} with every ability within its margin"

    def _kept(self) -> list[Ability]:
        return [one for one in self.abilities if one.purpose == "retention"]

    def _excess(self, probed: Probed, ability: Ability) -> float:
        """Return by how much an ability fell beyond its margin, or 0."""
        fall = self.base[ability.name] - probed.scores[ability.name]
        return max(0.0, fall - ability.margin) if fall > ability.margin + _ROUNDING else 0.0

    def _merit(self, probed: Probed) -> tuple[float, int]:
        target = self.target(probed)
        return (0.0, probed.step) if target is None else (target, -probed.step)
