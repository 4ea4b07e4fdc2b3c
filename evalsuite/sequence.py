"""Runs tuned one after another: what each step gave the next, and what it took from the last.

The runs are named in the order of their training; the target abilities, in the order of the suites,
are what they were trained for: the first run for the first, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.engine.pairing import Samples, abilities_of, pair_abilities
from evalsuite.engine.unmeasured import Missing
from evalsuite.report.document import Band, SequenceRecord
from evalsuite.stats.clustered import ClusteredMean, clustered_mean
from evalsuite.stats.forgetting import transfer
from evalsuite.tasks import LoadedSuite
from evalsuite.verdict import PairedAbility
from workspace.errors import UsageError


def check_sequence(suites: Sequence[LoadedSuite], runs: int) -> None:
    """Refuse a sequence whose tasks cannot be told.

    Raises:
        UsageError: fewer than two runs, or not one target ability for each.
    """
    names = _targets(suites)
    if runs < 2 or len(names) != runs:
        raise UsageError(
            "--sequence takes two or more runs and one target ability for each",
            cause=f"There are {runs} runs and {len(names)} target abilities"
            + (f": {', '.join(names)}." if names else "."),
            cure="Name the runs in the order of their training, and the suites of what each was "
            "trained for in the same order.",
        )


def sequence_of(
    suites: Sequence[LoadedSuite],
    runs: Sequence[str],
    samples: Mapping[str, Samples],
    missing: Mapping[str, Missing],
    base: str,
) -> tuple[SequenceRecord | None, str]:
    """Return the summary of a sequence of runs, or None and why there is none.

    Args:
        suites: what was asked; its target abilities are the tasks, in order.
        runs: names of the models, in the order of their training.
        samples: by name of the model, the base's too.
        missing: tasks without samples, by name of the model.
        base: the name of the untrained model.
    """
    tasks = _targets(suites)

    def paired(before: str, after: str) -> dict[str, PairedAbility]:
        gaps = (missing.get(before, {}), missing.get(after, {}))
        found = pair_abilities(suites, samples.get(before, {}), samples.get(after, {}), *gaps)
        return {one.name: one for one in found if one.name in tasks}

    rows = [paired(base, run) for run in runs]
    for run, row in zip(runs, rows, strict=True):
        for task in tasks:
            if row[task].state != "measured" or not _scores(row[task])[0].size:
                why = row[task].detail or "it has no answers"
                return None, f"no figures of the sequence: {run} on {task}: {why}"
            if row[task].bounded is False:
                return None, f"no figures of the sequence: {task} has scores without bounds"
    matrix = [[float(_scores(row[task])[1].mean()) for task in tasks] for row in rows]
    start = [float(_scores(rows[0][task])[0].mean()) for task in tasks]
    found = transfer(matrix, start)
    since = [paired(run, runs[-1])[task] for run, task in zip(runs[:-1], tasks, strict=False)]
    ahead = [rows[place - 1][tasks[place]] for place in range(1, len(tasks))]
    return SequenceRecord(
        runs=list(runs), tasks=tasks, base=start, scores=matrix, accuracy=found.accuracy,
        backward=_band(found.backward, since), forward=_band(found.forward, ahead),
        forgetting=found.forgetting,
    ), ""  # fmt: skip


def _targets(suites: Sequence[LoadedSuite]) -> list[str]:
    return [one.name for one in abilities_of(suites) if one.suite.spec.purpose == "target"]


def _band(value: float, pairs: Sequence[PairedAbility]) -> Band:
    """Return a mean of differences with its 95 % interval.

    The tasks have no items in common, so that the variances of their means add; the degrees of
    freedom are Welch's and Satterthwaite's.
    """
    from scipy import stats

    found = [_difference(pair) for pair in pairs]
    variances = [one.standard_error**2 for one in found]
    total = sum(variances)
    if total == 0 or not math.isfinite(total):
        return Band(value=value)
    spread = sum(
        variance**2 / one.degrees_of_freedom for variance, one in zip(variances, found, strict=True)
    )
    half = float(stats.t.isf(0.025, total**2 / spread)) * math.sqrt(total) / len(found)
    low, high = value - half, value + half
    if all(_is_share(pair) for pair in pairs):  # t reaches beyond ±1, a mean of shares cannot
        low, high = max(-1.0, low), min(1.0, high)
    return Band(value=value, low=low, high=high)


def _is_share(pair: PairedAbility) -> bool:
    return all(bool(((side >= 0) & (side <= 1)).all()) for side in _scores(pair))


def _difference(pair: PairedAbility) -> ClusteredMean:
    base, tuned = _scores(pair)
    return clustered_mean(tuned - base, pair.clusters)


def _scores(pair: PairedAbility) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(pair.base, dtype=float), np.asarray(pair.tuned, dtype=float)
