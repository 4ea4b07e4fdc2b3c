"""Readings of both models to figures, by the formulas of `evalsuite.stats`. Pure; no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evalsuite.overfitting.records import (
    Bounds,
    DriftFigures,
    Extractable,
    Gap,
    Membership,
    PartLoss,
    Recital,
)
from evalsuite.overfitting.rows import HELD_OUT, SweepRow
from evalsuite.stats.membership import membership_auc, true_positive_rate
from evalsuite.stats.memorisation import (
    base_adjusted_gap,
    counterfactual_rate,
    extraction_probability,
)

PREFIXES = (0, 16, 32, 50)
"""Tokens of an answer given before it is to be recited; 0 is the prompt alone."""
SUFFIX = 50
"""Tokens recited after a prefix: k = m = 50 is what extraction is usually measured with (Carlini
et al. 2021). After the prompt alone the whole answer counts."""
SHORTEST_SUFFIX = 16
"""Shorter ends of an answer follow from its beginning too easily."""
SHORTEST_BITS = 20
"""What the base must need to write a shorter answer whole, for it to count as recited: a label is
right on its own rows a little more often than on fresh ones by luck, a telephone number is not."""
SAMPLES = (1, 10, 100, 1000)
"""Numbers of samples at which extractable rows are counted."""
FEWEST = 20
"""Rows on either side below which nothing is compared."""
_EVEN = 0.5


@dataclass(frozen=True)
class Compared:
    """What both models make of one row."""

    row: SweepRow
    base: NDArray[np.float64]
    """Log-likelihood of each learnt token."""
    tuned: NDArray[np.float64]
    base_greedy: NDArray[np.bool_]
    """Whether each learnt token is the most likely one."""
    tuned_greedy: NDArray[np.bool_]
    kl: float = math.nan
    """KL(tuned‖base), mean over tokens; NaN where it could not be computed."""
    reverse_kl: float = math.nan
    same_top: float = math.nan

    @property
    def loss_base(self) -> float:
        """Loss per token of the base."""
        return float(-self.base.mean())

    @property
    def loss_tuned(self) -> float:
        """Loss per token of the tuned model."""
        return float(-self.tuned.mean())


def of_parts(rows: Iterable[Compared], *parts: str) -> list[Compared]:
    """Return the rows of some parts."""
    return [one for one in rows if one.row.part in parts]


def part_losses(rows: Sequence[Compared]) -> list[PartLoss]:
    """Return the loss of both models on each part that there is."""
    return [_part(name, of_parts(rows, name)) for name in dict.fromkeys(r.row.part for r in rows)]


def _part(name: str, rows: Sequence[Compared]) -> PartLoss:
    return PartLoss(
        part=name,
        rows=len(rows),
        tokens=sum(len(one.base) for one in rows),
        base=float(np.mean([one.loss_base for one in rows])),
        tuned=float(np.mean([one.loss_tuned for one in rows])),
        change=mean_bounds([one.loss_tuned - one.loss_base for one in rows]),
    )


def mean_bounds(values: ArrayLike) -> Bounds:
    """Return a mean with its 95 % t interval; with one value the interval is that value."""
    found = np.asarray(values, dtype=float)
    if found.size < 2:
        value = float(found.mean())
        return Bounds(value=value, low=value, high=value)
    error = float(found.std(ddof=1)) / math.sqrt(found.size)
    half = float(stats.t.ppf(0.975, found.size - 1)) * error
    value = float(found.mean())
    return Bounds(value=value, low=value - half, high=value + half)


def gap_of(rows: Sequence[Compared]) -> Gap | None:
    """Return the generalisation gap, corrected for the base's; None with too few rows."""
    train, held = of_parts(rows, "trained"), of_parts(rows, *HELD_OUT)
    if min(len(train), len(held)) < FEWEST:
        return None
    found = base_adjusted_gap(
        [one.loss_base for one in train],
        [one.loss_tuned for one in train],
        [one.loss_base for one in held],
        [one.loss_tuned for one in held],
    )
    half = float(stats.norm.ppf(0.975)) * found.standard_error
    gained = float(np.mean([one.loss_base - one.loss_tuned for one in train]))
    return Gap(
        tuned=found.tuned,
        base=found.base,
        adjusted=Bounds(
            value=found.difference, low=found.difference - half, high=found.difference + half
        ),
        share=found.difference / gained if gained > 0 else None,
    )


def membership_of(rows: Sequence[Compared]) -> Membership | None:
    """Return how well rows of training are told from fresh ones; None with too few rows."""
    train, held = of_parts(rows, "trained"), of_parts(rows, *HELD_OUT)
    if min(len(train), len(held)) < FEWEST:
        return None
    ours, theirs = ([one.loss_base - one.loss_tuned for one in side] for side in (train, held))
    auc = membership_auc(ours, theirs)
    low, high, _ = auc.interval()
    return Membership(
        auc=Bounds(value=auc.value, low=low, high=high), found=true_positive_rate(ours, theirs)
    )


def recitals_of(rows: Sequence[Compared]) -> list[Recital]:
    """Return verbatim recital after each prefix that enough rows have enough to recite for.

    The intervals hold for all prefixes together (Bonferroni).
    """
    train, held = of_parts(rows, "trained"), of_parts(rows, *HELD_OUT)
    sides = [
        (k, [one for one in train if _reaches(one, k)], [one for one in held if _reaches(one, k)])
        for k in PREFIXES
    ]
    enough = [one for one in sides if min(len(one[1]), len(one[2])) >= FEWEST]
    return [_recital(*one, looks=len(enough)) for one in enough]


def _reaches(one: Compared, prefix: int) -> bool:
    if len(one.base) >= prefix + SHORTEST_SUFFIX:
        return True
    return prefix == 0 and -float(one.base.sum()) / math.log(2) > SHORTEST_BITS


def _suffix(greedy: NDArray[np.bool_], prefix: int) -> NDArray[np.bool_]:
    return greedy if prefix == 0 else greedy[prefix : prefix + SUFFIX]


def _recital(
    prefix: int, train: Sequence[Compared], held: Sequence[Compared], *, looks: int
) -> Recital:
    tuned, tuned_held = (
        np.array([_suffix(one.tuned_greedy, prefix).all() for one in side], dtype=float)
        for side in (train, held)
    )
    base, base_held = (
        np.array([_suffix(one.base_greedy, prefix).all() for one in side], dtype=float)
        for side in (train, held)
    )
    own = [_suffix(one.tuned_greedy, prefix) for one in train]
    return Recital(
        prefix=prefix,
        trained=len(train),
        held_out=len(held),
        tuned_trained=float(tuned.mean()),
        tuned_held_out=float(tuned_held.mean()),
        base_trained=float(base.mean()),
        base_held_out=float(base_held.mean()),
        prefix_share=float(np.mean([_common(one) / len(one) for one in own])),
        token_share=float(np.mean([one.mean() for one in own])),
        counterfactual=_counterfactual(tuned, base, tuned_held, base_held, looks),
    )


def _common(greedy: NDArray[np.bool_]) -> int:
    """Return how many tokens are written before the first difference."""
    return len(greedy) if greedy.all() else int(greedy.argmin())


def _counterfactual(
    tuned: NDArray[np.float64],
    base: NDArray[np.float64],
    tuned_held: NDArray[np.float64],
    base_held: NDArray[np.float64],
    looks: int,
) -> Bounds:
    own = counterfactual_rate(float(tuned.mean()), float(base.mean()))
    fresh = counterfactual_rate(float(tuned_held.mean()), float(base_held.mean()))
    on_train, on_held = tuned - base, tuned_held - base_held
    # One flip more on either side, after Agresti and Min: without any the error would be zero.
    error = math.sqrt(
        max(on_train.var(ddof=1), 1 / on_train.size) / on_train.size
        + max(on_held.var(ddof=1), 1 / on_held.size) / on_held.size
    )
    half = float(stats.norm.ppf(1 - 0.025 / looks)) * error
    return Bounds(value=own - fresh, low=own - fresh - half, high=own - fresh + half)


def extractable_of(rows: Sequence[Compared]) -> list[Extractable]:
    """Return shares of rows that so many samples draw whole with probability 0.5."""
    train, held = of_parts(rows, "trained"), of_parts(rows, *HELD_OUT)
    if not train or not held:
        return []
    return [
        Extractable(
            samples=count,
            tuned_trained=_drawn([one.tuned for one in train], count),
            tuned_held_out=_drawn([one.tuned for one in held], count),
            base_trained=_drawn([one.base for one in train], count),
        )
        for count in SAMPLES
    ]


def _drawn(logprobs: Sequence[NDArray[np.float64]], samples: int) -> float:
    chances = (math.exp(float(one.sum())) for one in logprobs)
    return float(np.mean([extraction_probability(min(p, 1.0), samples) >= _EVEN for p in chances]))


def drift_of(rows: Sequence[Compared]) -> list[DriftFigures]:
    """Return drift on rows of the task, held-out ones where there are any, and on general ones."""
    measured = [one for one in rows if math.isfinite(one.kl)]
    task = of_parts(measured, *HELD_OUT) or of_parts(measured, "trained")
    general = of_parts(measured, "general") or of_parts(measured, "replayed")
    found = []
    for prompts, some in (("task", task), ("general", general)):
        if some:
            found.append(
                DriftFigures.model_validate(
                    {
                        "prompts": prompts,
                        "rows": len(some),
                        "tokens": sum(len(one.base) for one in some),
                        "kl": mean_bounds([one.kl for one in some]),
                        "reverse_kl": float(np.mean([one.reverse_kl for one in some])),
                        "same_top": float(np.mean([one.same_top for one in some])),
                    }
                )
            )
    return found
