"""What tuning took away: transfer over a sequence of tasks, and retention after a single tune."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Transfer:
    """Summary of scores over a sequence of tuning stages."""

    accuracy: float
    """Mean score over all tasks after the last stage."""
    backward: float
    """BWT: mean change of earlier tasks since they were learnt; negative is forgetting."""
    forward: float
    """FWT: mean head start over the untrained model on tasks not yet learnt."""
    forgetting: float
    """F: mean drop from each earlier task's best score to its last."""


def transfer(scores: ArrayLike, untrained: ArrayLike) -> Transfer:
    """Summarise the matrix of a sequence of tunes.

    Args:
        scores: shape (T, T); row t holds the score on each task after stage t.
        untrained: shape (T,); the scores of the untouched base.

    Source: Lopez-Paz and Ranzato 2017 (accuracy, backward, forward); Chaudhry et al. 2018
    (forgetting, the best score taken from the stage where the task was learnt onwards).

    Raises:
        ValueError: fewer than two stages, or shapes that do not fit.
    """
    matrix, start = np.asarray(scores, dtype=float), np.asarray(untrained, dtype=float)
    stages = matrix.shape[0]
    if matrix.shape != (stages, stages) or start.shape != (stages,) or stages < 2:
        raise ValueError("scores must be T × T and untrained of length T, with T of at least 2")
    last, learnt = matrix[-1], np.diagonal(matrix)
    best = [matrix[task:-1, task].max() for task in range(stages - 1)]
    before = [matrix[task - 1, task] for task in range(1, stages)]
    return Transfer(
        accuracy=float(last.mean()),
        backward=float((last[:-1] - learnt[:-1]).mean()),
        forward=float((np.asarray(before) - start[1:]).mean()),
        forgetting=float((np.asarray(best) - last[:-1]).mean()),
    )


@dataclass(frozen=True, slots=True)
class SingleTune:
    """Summary over abilities of one tune."""

    differences: tuple[float, ...]
    """Tuned minus base per ability."""
    mean: float
    """Mean difference."""
    worst: float
    """Smallest difference."""
    mean_loss: float
    """Mean of max(0, −difference): gains elsewhere do not buy back losses."""


def single_tune(base: ArrayLike, tuned: ArrayLike) -> SingleTune:
    """Summarise one tune from the two scores of each ability, in the same order."""
    d = np.asarray(tuned, dtype=float) - np.asarray(base, dtype=float)
    if d.ndim != 1 or d.size == 0:
        raise ValueError("one score per ability and model, and at least one ability")
    return SingleTune(
        differences=tuple(float(value) for value in d),
        mean=float(d.mean()),
        worst=float(d.min()),
        mean_loss=float(np.clip(-d, 0, None).mean()),
    )


def retention(
    base: float, tuned: float, chance: float = 0.0, *, base_standard_error: float = 0.0
) -> float | None:
    """Return the share of the base's skill above chance that is left.

    None when the base itself is not clearly above chance (within two standard errors): a ratio
    over almost nothing means nothing.

    >>> round(retention(0.62, 0.60, 0.25) or 0, 6)
    0.945946
    """
    above = base - chance
    if above <= 0 or above <= 2 * base_standard_error:
        return None
    return (tuned - chance) / above
