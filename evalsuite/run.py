"""An evaluation from end to end: tasks → requests → answers → scores → verdict → reports."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.canaries import Noise
from evalsuite.engine.pairing import ability_names, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.engine.samples import write_samples
from evalsuite.gate import judge
from evalsuite.prompting.findings import Findings, PromptTrial, find_out
from evalsuite.report import (
    ComparisonRecord,
    NoiseFloor,
    Results,
    SuiteRecord,
    write_reports,
    write_results,
)
from evalsuite.tasks import LoadedSuite
from evalsuite.verdict import Canary
from workspace.files import publish_directory
from workspace.layout import Workspace, new_id

if TYPE_CHECKING:
    from evalsuite.engine.measure import Measured


@dataclass(frozen=True)
class EvalResult:
    """A finished evaluation."""

    directory: Path
    results: Results
    recommendation: str
    """Whether to tune, in one sentence per target; empty where no prompts were ever tried."""
    reports: tuple[Path, ...]


def run_evaluation(request: EvalRequest, workspace: Workspace, watch: Watch) -> EvalResult:
    """Measure, judge and write `evals/<id>/`, all of it or nothing.

    Answers are kept batch by batch: the same command after a kill goes on where it was.

    Raises:
        UsageError, DataError, ModelError: something given cannot be measured.
        EvaluationInvalid: a model gave NaN.
        Stopped: raised by `watch` between two batches.
    """
    request.check()
    started, created = time.monotonic(), datetime.now(UTC).astimezone()
    from evalsuite.engine.measure import measure

    measured = measure(request, workspace.make(workspace.evals), watch)
    watch.doing("judging and writing reports")
    comparisons = list(_comparisons(request, measured))
    told = _told_of_prompts(request, measured, comparisons, workspace.evals)
    recommendation = " ".join(one.sentence for one in told.recommendations)
    results = Results(
        id=new_id(request.name),
        created=created.isoformat(timespec="seconds"),
        models=measured.models,
        suites=[_suite_record(suite) for suite in request.suites],
        comparisons=comparisons,
        canaries=[measured.noise.canary] if measured.noise else [],
        prompt_baselines=told.baselines,
        best_prompts=told.best,
        prompt_gains=told.gains,
        recommendations=told.recommendations,
        noise_floor=_noise_floor(measured.noise),
        environment=measured.environment,
        commands=[request.command] if request.command else [],
        notes=[*measured.notes, *told.notes],
        seconds=round(time.monotonic() - started, 3),
    )
    directory = workspace.evals / results.id
    with publish_directory(directory) as temporary:
        write_samples(temporary / "samples.parquet", _rows(request, measured))
        write_results(temporary, results)
        reports = write_reports(temporary)
    return EvalResult(
        directory, results, recommendation, tuple(directory / path.name for path in reports)
    )


def _comparisons(request: EvalRequest, measured: Measured) -> Iterator[ComparisonRecord]:
    noise: list[Canary] = [measured.noise.canary] if measured.noise else []
    for name in request.model_names():
        abilities = pair_abilities(request.suites, measured.samples[BASE], measured.samples[name])
        verdict = judge(abilities, [*measured.canaries[name], *noise])
        yield ComparisonRecord(base=BASE, tuned=name, verdict=verdict)


def _told_of_prompts(
    request: EvalRequest,
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


def _rows(request: EvalRequest, measured: Measured) -> Iterator[Sample]:
    names = ability_names(request.suites)
    for model in measured.samples.values():
        for key, samples in model.items():
            yield from (replace(sample, ability=names[key]) for sample in samples)
    for trial in measured.trials:
        yield from _trial_rows(trial, names[trial.suite, trial.task])


def _trial_rows(trial: PromptTrial, ability: str) -> Iterator[Sample]:
    for sample in trial.samples:
        yield replace(sample, model=f"{BASE}, {trial.name}", ability=ability)


def _suite_record(suite: LoadedSuite) -> SuiteRecord:
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
    return NoiseFloor(
        items=noise.items,
        flips=noise.flips,
        largest_log_probability_difference=noise.largest_logprob_difference,
        detail="the base answered the same items in batches of three",
    )


__all__ = ["EvalRequest", "EvalResult", "Watch", "run_evaluation"]
