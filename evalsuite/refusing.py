"""The end of `temper eval --gate`: one error for all that stands against the models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from evalsuite.gate import enforce
from evalsuite.report.document import Results
from workspace.errors import TemperError

_ORDER = {"invalid": 0, "fail": 1, "inconclusive": 2, "pass": 3}


def refuse(
    results: Results,
    report: Path,
    *,
    gate: bool,
    inconclusive: Literal["pass", "fail", "inconclusive"],
    told: bool,
) -> None:
    """Raise what the worst verdict deserves, with the headline of every one that stops.

    Args:
        results: the evaluation.
        report: where the error points.
        gate: without one only an invalid verdict is an error.
        inconclusive: what an undecided verdict counts as.
        told: whether a person was shown what lost abilities did when they were asked again.

    Raises:
        GateFailed, GateInconclusive, EvaluationInvalid: of the worst comparison.
    """
    stops: list[tuple[str, TemperError]] = []
    for one in sorted(results.comparisons, key=lambda one: _ORDER[one.verdict.status]):
        if not gate and one.verdict.status != "invalid":
            continue
        try:
            enforce(one.verdict, inconclusive=inconclusive)
        except TemperError as error:
            stops.append((one.key, error))
    if not stops:
        return
    several = len(results.comparisons) > 1
    causes = [f"{key}: {error.cause}" if several else error.cause for key, error in stops]
    cures = [error.cure for _, error in stops]
    if not told:
        causes += [f"{one.tuned}: {one.sentence}" for one in results.triage]
        cures = [one.advice for one in results.triage] + cures
    worst = stops[0][1]
    worst.cause = "\n".join(causes)
    worst.cure = " ".join(dict.fromkeys(cures))
    worst.where = str(report)
    raise worst
