"""An evaluation from end to end: tasks → requests → answers → scores → verdict → reports."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.baselines.against import keyed
from evalsuite.canaries import BATCHED, Noise
from evalsuite.deciding import measure_and_decide
from evalsuite.engine.pairing import ability_names
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.engine.samples import write_samples
from evalsuite.overfitting.table import FILE as OWN_DATA
from evalsuite.overfitting.table import write_rows
from evalsuite.prompting.findings import Findings, PromptTrial, find_out
from evalsuite.report import (
    ComparisonRecord,
    ModelRecord,
    NoiseFloor,
    Results,
    SuiteRecord,
    write_reports,
    write_results,
)
from evalsuite.report.document import SequenceRecord
from evalsuite.sequence import sequence_of
from evalsuite.served.request import ServedRequest
from evalsuite.sizing.draw import said_of_draw
from evalsuite.tasks import LoadedSuite
from workspace.files import publish_directory
from workspace.layout import Workspace, new_id

if TYPE_CHECKING:
    from evalsuite.engine.measured import Measured


@dataclass(frozen=True)
class EvalResult:
    """A finished evaluation."""

    directory: Path
    results: Results
    recommendation: str
    """Whether to tune, in one sentence per target; empty where no prompts were ever tried."""
    reports: tuple[Path, ...]


def run_evaluation(
    request: EvalRequest | ServedRequest, workspace: Workspace, watch: Watch
) -> EvalResult:
    """Measure, judge and write `evals/<id>/`, all of it or nothing.

    Answers are kept batch by batch: the same command after a kill goes on where it was.

    Raises:
        UsageError, DataError, ModelError: something given cannot be measured.
        Stopped: raised by `watch` between two batches.
    """
    request.check()
    started, created = time.monotonic(), datetime.now(UTC).astimezone()
    decided = measure_and_decide(request, workspace, watch)
    measured, comparisons = decided.measured, decided.comparisons
    told = _told_of_prompts(request, measured, comparisons, workspace.evals)
    recommendation = " ".join(one.sentence for one in told.recommendations)
    sequence, gap = _sequence(request, measured, comparisons)
    results = Results(
        id=new_id(request.name),
        created=created.isoformat(timespec="seconds"),
        models=[*measured.models, *_stored(request)],
        suites=[suite_record(suite) for suite in request.suites],
        comparisons=[*comparisons, *decided.against],
        canaries=measured.of_base,
        prompt_baselines=told.baselines,
        best_prompts=told.best,
        prompt_gains=told.gains,
        recommendations=told.recommendations,
        failures=list(decided.failures),
        overfitting=list(decided.own_data),
        triage=measured.triage,
        sequence=sequence,
        noise_floor=_noise_floor(measured.noise),
        judges=measured.judges,
        win_rates=measured.win_rates,
        environment=measured.environment,
        commands=[request.command] if request.command else [],
        notes=[
            *said_of_draw(request.suites),
            *measured.notes,
            *told.notes,
            *decided.notes,
            *([gap] if gap else []),
        ],
        seconds=round(time.monotonic() - started, 3),
    )
    directory = workspace.evals / results.id
    with publish_directory(directory) as temporary:
        write_samples(temporary / "samples.parquet", _rows(decided.request, measured))
        if measured.own_data:
            write_rows(temporary / OWN_DATA, measured.own_data)
        write_results(temporary, results)
        reports = write_reports(temporary)
    measured.published()
    return EvalResult(
        directory, results, recommendation, tuple(directory / path.name for path in reports)
    )


def _sequence(
    request: EvalRequest | ServedRequest,
    measured: Measured,
    comparisons: Sequence[ComparisonRecord],
) -> tuple[SequenceRecord | None, str]:
    if not isinstance(request, EvalRequest) or not request.sequence:
        return None, ""
    invalid = [one.tuned for one in comparisons if one.verdict.status == "invalid"]
    if invalid:
        return None, f"no figures of the sequence: {', '.join(invalid)} is invalid"
    names = request.model_names()
    return sequence_of(request.suites, names, measured.samples, measured.missing, BASE)


def _stored(request: EvalRequest | ServedRequest) -> list[ModelRecord]:
    against = request.against if isinstance(request, EvalRequest) else None
    return [] if against is None else [against.record]


def _told_of_prompts(
    request: EvalRequest | ServedRequest,
    measured: Measured,
    comparisons: Sequence[ComparisonRecord],
    evals: Path,
) -> Findings:
    """Return what prompts reach and what valid tuned models add to the best of them."""
    valid = {
        one.tuned: measured.samples[one.tuned]
        for one in comparisons
        if one.verdict.status != "invalid"
    }
    return find_out(request, measured.trials, valid, measured.models[0], evals)


def _rows(request: EvalRequest | ServedRequest, measured: Measured) -> Iterator[Sample]:
    names = ability_names(request.suites)
    for model in measured.samples.values():
        for key, samples in model.items():
            yield from (replace(sample, ability=names[key]) for sample in samples)
    if isinstance(request, EvalRequest) and request.against is not None:
        for key, samples in keyed(request.against.samples, request.suites).items():
            for sample in samples:
                yield replace(sample, model=request.against.name, ability=names[key])
    for trial in measured.trials:
        yield from _trial_rows(trial, names[trial.suite, trial.task])


def _trial_rows(trial: PromptTrial, ability: str) -> Iterator[Sample]:
    for sample in trial.samples:
        yield replace(sample, model=f"{BASE}, {trial.name}", ability=ability)


def suite_record(suite: LoadedSuite) -> SuiteRecord:
    """Return what results say of a suite."""
    spec = suite.spec
    return SuiteRecord(
        name=spec.name,
        purpose=spec.purpose,
        path=str(suite.path),
        digest=suite.digest,
        items=sum(len(task.items) for task in suite.tasks),
        tasks=len(suite.tasks),
        margin=spec.margin,
        alpha=spec.alpha,
        min_items=spec.min_items,
        min_gain=spec.min_gain,
    )


def _noise_floor(noise: Noise | None) -> NoiseFloor | None:
    if noise is None:
        return None
    largest = noise.largest_logprob_difference
    return NoiseFloor(
        items=noise.items,
        flips=noise.flips,
        largest_log_probability_difference=None if math.isnan(largest) else largest,
        detail="the base answered the same items in batches of three"
        if noise.how == BATCHED
        else "the base was asked the same items twice",
    )


__all__ = ["EvalRequest", "EvalResult", "Watch", "run_evaluation"]
