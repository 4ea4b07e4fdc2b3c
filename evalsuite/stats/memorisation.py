"""Did it learn, or does it recite? Gaps, extraction and planted canaries, against the base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class GapDifference:
    """Generalisation gap of the tuned model, corrected for what the base shows on the same rows."""

    tuned: float
    """Validation minus training loss of the tuned model, nats per token."""
    base: float
    """The same of the base: how much harder the validation rows are by themselves."""
    difference: float
    """Tuned minus base: the difference in differences."""
    standard_error: float
    """Welch's, from the per-row changes of loss."""
    z: float
    """Difference over standard error."""
    perplexity_ratio: float
    """exp of the tuned gap."""


def base_adjusted_gap(
    train_base: ArrayLike, train_tuned: ArrayLike, held_base: ArrayLike, held_tuned: ArrayLike
) -> GapDifference:
    """Compare training and held-out loss, each row's loss by both models.

    Args:
        train_base: mean completion loss per training row, by the base (nats per token).
        train_tuned: the same rows by the tuned model.
        held_base: held-out rows by the base.
        held_tuned: the same held-out rows by the tuned model.

    Raises:
        ValueError: a pair differs in length or has fewer than two rows.
    """
    tb, tt, hb, ht = (
        np.asarray(loss, dtype=float) for loss in (train_base, train_tuned, held_base, held_tuned)
    )
    if tb.shape != tt.shape or hb.shape != ht.shape or min(tb.size, hb.size) < 2:
        raise ValueError("both models must have scored the same rows, two or more on each side")
    on_train, on_held = tt - tb, ht - hb
    difference = float(on_held.mean() - on_train.mean())
    error = math.sqrt(on_train.var(ddof=1) / on_train.size + on_held.var(ddof=1) / on_held.size)
    gap = float(ht.mean() - tt.mean())
    return GapDifference(
        tuned=gap,
        base=float(hb.mean() - tb.mean()),
        difference=difference,
        standard_error=error,
        z=difference / error if error else math.copysign(math.inf, difference),
        perplexity_ratio=math.exp(gap),
    )


@dataclass(frozen=True, slots=True)
class Extraction:
    """How much of the gold text comes back word by word."""

    verbatim: float
    """Share of sequences reproduced exactly."""
    prefix: float
    """Mean share of a sequence reproduced before the first difference."""
    tokens: float
    """Mean share of positions that agree."""


def extraction(gold: Sequence[Sequence[int]], produced: Sequence[Sequence[int]]) -> Extraction:
    """Compare token sequences pairwise; a shorter answer counts as different where it ends."""
    if len(gold) != len(produced) or not gold or not all(gold):
        raise ValueError("one answer per gold sequence, and no gold sequence may be empty")
    verbatim = prefix = tokens = 0.0
    for want, have in zip(gold, produced, strict=True):
        agree = [a == b for a, b in zip(want, have, strict=False)]
        common = agree.index(False) if False in agree else len(agree)
        verbatim += list(want) == list(have)
        prefix += common / len(want)
        tokens += sum(agree) / len(want)
    return Extraction(verbatim / len(gold), prefix / len(gold), tokens / len(gold))


def counterfactual_rate(tuned: float, base: float) -> float:
    """Return how much more of the text the tuned model recites than the base, which saw none."""
    return tuned - base


def samples_to_extract(probability: float, wanted: float) -> int:
    """Return how many samples draw a text at least once with probability `wanted`.

    Args:
        probability: of the whole text in one sample, exp of its summed log-probabilities.
        wanted: for example 0.5.

    Source: (n, p)-discoverable extraction, arXiv 2410.19482.

    >>> samples_to_extract(0.01, 0.5)
    69
    """
    if not (0 < probability <= 1 and 0 < wanted < 1):
        raise ValueError("probabilities must lie between 0 and 1")
    if probability == 1:
        return 1
    return math.ceil(math.log1p(-wanted) / math.log1p(-probability))


def extraction_probability(probability: float, samples: int) -> float:
    """Return the probability that `samples` draws hold the text at least once."""
    return -math.expm1(samples * math.log1p(-probability)) if probability < 1 else 1.0


def exposure(rank: int, candidates: int) -> float:
    """Return a planted canary's exposure in bits: log2 of candidates minus log2 of its rank.

    Source: Carlini et al., The Secret Sharer, 2019.
    """
    if not 1 <= rank <= candidates:
        raise ValueError(f"a rank lies between 1 and {candidates}, got {rank}")
    return math.log2(candidates) - math.log2(rank)
