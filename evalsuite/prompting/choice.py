"""Which prompt is the best one, what it reaches, and what tuning adds to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.prompting.baselines import mean_interval
from evalsuite.prompting.own import ZERO_SHOT
from evalsuite.prompting.scores import Flags, Scores, chooses
from evalsuite.report.document import BestPrompt, PromptGain
from evalsuite.stats.comparison import compare

LEAST = 10
"""Independent items (clusters) that each half needs: of fewer an interval says next to nothing."""


@dataclass(frozen=True)
class Asked:
    """One ability under every way of asking that was tried on all its items."""

    ability: str
    suite: str
    ways: tuple[Scores, ...]
    """Of the same items in the same order; zero-shot is the first."""
    min_gain: float
    """The suite's: the gain that tuning must exceed."""


@dataclass(frozen=True)
class Chosen:
    """The best prompt, and the items that may say what it reaches."""

    record: BestPrompt
    way: Scores
    """The chosen way's scores on the items that did not choose it."""
    reporting: Flags
    """Those items, of all."""


def choose(asked: Asked, *, seed: int) -> Chosen | None:
    """Choose the best way on one half of the items and say what it reaches on the other.

    The best of several means is too high on the items that chose it; on others it is what a new
    item may expect. Of ways that score alike the one with the shorter prompts is taken.

    Args:
        asked: all ways.
        seed: of the halves.

    Returns:
        None where a half has fewer than `LEAST` independent items.
    """
    plain = asked.ways[0]
    choosing = chooses(plain.clusters, seed)
    if any(len(set(plain.only(half).clusters)) < LEAST for half in (choosing, ~choosing)):
        return None
    best = max(
        asked.ways,
        key=lambda way: (
            round(float(way.values[choosing].mean()), 9),
            -float(way.prompt_tokens[choosing].mean()),
        ),
    )
    kept, before = best.only(~choosing), plain.only(~choosing)
    interval = mean_interval(kept.values.tolist(), kept.clusters)
    over = compare(before.values, kept.values, kept.labels)
    record = BestPrompt(
        ability=asked.ability,
        suite=asked.suite,
        name=best.name,
        seed=seed,
        chosen_on=int(choosing.sum()),
        chosen_score=float(best.values[choosing].mean()),
        n=len(kept.ids),
        score=float(kept.values.mean()),
        low=interval.low,
        high=interval.high,
        prompt_tokens=float(kept.prompt_tokens.mean()),
        plain_score=float(before.values.mean()),
        plain_prompt_tokens=float(before.prompt_tokens.mean()),
        over_plain=over.difference if best.name != ZERO_SHOT else 0.0,
        over_plain_low=over.interval.low if best.name != ZERO_SHOT else 0.0,
        over_plain_high=over.interval.high if best.name != ZERO_SHOT else 0.0,
    )
    return Chosen(record, kept, ~choosing)


def gain(chosen: Chosen, asked: Asked, tuned: Scores, evaluation: str = "") -> PromptGain | None:
    """Compare a tuned model with the best prompt, pair by pair, on the items that report.

    Args:
        chosen: what `choose` returned.
        asked: what it was given.
        tuned: the tuned model's scores of the same items, asked as it will be.
        evaluation: the id of the earlier evaluation that tried the prompts; empty for this one.

    Returns:
        None if the tuned model was not asked the same items.
    """
    aligned = tuned.like(asked.ways[0])
    if aligned is None:
        return None
    own = aligned.only(chosen.reporting)
    found = compare(chosen.way.values, own.values, chosen.way.labels)
    return PromptGain(
        ability=asked.ability,
        tuned=tuned.name,
        prompt=chosen.record.name,
        evaluation=evaluation,
        n=found.n,
        score=found.base,
        tuned_score=found.tuned,
        difference=found.difference,
        low=found.interval.low,
        high=found.interval.high,
        min_gain=asked.min_gain,
        prompt_tokens=float(np.mean(chosen.way.prompt_tokens)),
        tuned_prompt_tokens=float(np.mean(own.prompt_tokens)),
    )


def side_by_side(
    ability: str, suite: str, ways: Sequence[Scores], min_gain: float
) -> tuple[Asked, list[str]]:
    """Put the ways that were tried on all items in one order.

    Returns:
        What can be compared, and the names of ways that were not tried on all items.
    """
    plain = next(way for way in ways if way.name == ZERO_SHOT)
    aligned = [(way, way.like(plain)) for way in ways]
    partial = [way.name for way, found in aligned if found is None]
    return Asked(ability, suite, tuple(found for _, found in aligned if found), min_gain), partial
