"""From answers to what is to be thought of them: verdicts, own data, failures, comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.answering import answered
from evalsuite.baselines.against import demand_backend, held_against, left_out, only_answered
from evalsuite.engine.pairing import pair_abilities
from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.gate import judge
from evalsuite.overfitting.findings import found_on_own_data
from evalsuite.overfitting.judgement import gated
from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.report import ComparisonRecord
from evalsuite.served.request import ServedRequest
from evalsuite.sizing.looks import measure_in_looks
from evalsuite.tasks.wanted import said_of_examples
from evalsuite.verdict import Verdict
from evalsuite.why.explain import failure_groups
from evalsuite.why.records import FailureGroup
from evalsuite.why.rows import training_rows
from workspace.layout import Workspace

if TYPE_CHECKING:
    from evalsuite.engine.measured import Measured


@dataclass(frozen=True)
class Decided:
    """Everything that was answered, and what follows from it."""

    request: EvalRequest | ServedRequest
    """With the items that were asked."""
    measured: Measured
    comparisons: Sequence[ComparisonRecord]
    """Of every tuned model with the base."""
    against: Sequence[ComparisonRecord]
    """With a stored model, if one was named."""
    own_data: Sequence[OverfittingRecord]
    failures: Sequence[FailureGroup]
    notes: Sequence[str]


def measure_and_decide(
    request: EvalRequest | ServedRequest, workspace: Workspace, watch: Watch
) -> Decided:
    """Have everything answered and judge it. Raises as `evalsuite.run.run_evaluation`."""
    asked, measured, verdicts = _judged(request, workspace.make(workspace.evals), watch)
    watch.doing("judging and writing reports")
    own_data = {
        name: found_on_own_data(name, found, verdicts[name])
        for name, found in measured.own_data.items()
    }
    if asked.settings.overfitting.gate:
        verdicts |= {name: gated(verdicts[name], found) for name, found in own_data.items()}
    failures, notes = _failures(asked, measured, verdicts, workspace)
    return Decided(
        request=asked,
        measured=measured,
        comparisons=[
            ComparisonRecord(base=BASE, tuned=name, verdict=one) for name, one in verdicts.items()
        ],
        against=list(_against(asked, measured)) if isinstance(asked, EvalRequest) else [],
        own_data=list(own_data.values()),
        failures=failures,
        notes=[*remarks(request, asked, measured), *notes],
    )


def _judged(
    request: EvalRequest | ServedRequest, evals: Path, watch: Watch
) -> tuple[EvalRequest | ServedRequest, Measured, dict[str, Verdict]]:
    """Return what was asked, what was answered, and the verdict on each tuned model."""
    if isinstance(request, EvalRequest):
        request = _comparable(request)
        sizing = request.settings.sizing
        if sizing is not None and request.subjects:
            measured, verdicts = measure_in_looks(request, evals, watch, answered, sizing)
            return request, measured, verdicts
    measured = answered(request, evals, watch)
    return request, measured, _verdicts(request, measured)


def _comparable(request: EvalRequest) -> EvalRequest:
    """Return the request with the items alone that the stored model answered, if there is one.

    Raises:
        UsageError: it was asked other items, or measured on another device or in other precision.
    """
    if request.against is None:
        return request
    from evalsuite.models.load import choose_placement

    placement = choose_placement(request.dtype)
    now = {"device": placement.device}
    if not any(subject.quantization for subject in request.subjects):
        now["dtype"] = placement.dtype
    demand_backend(request.against, now)
    settings = request.settings.model_copy(update={"sizing": None})
    suites = only_answered(request.against, request.suites)
    return replace(request, suites=suites, settings=settings)


def _verdicts(request: EvalRequest | ServedRequest, measured: Measured) -> dict[str, Verdict]:
    base, missing = measured.samples.get(BASE, {}), measured.missing
    return {
        name: judge(
            pair_abilities(
                request.suites,
                base,
                measured.samples[name],
                missing.get(BASE, {}),
                missing.get(name, {}),
            ),
            measured.checks(name),
        )
        for name in request.model_names()
    }


def _against(request: EvalRequest, measured: Measured) -> Iterator[ComparisonRecord]:
    """Hold each tuned model, or the base alone, against the stored model."""
    if request.against is None:
        return
    demand_backend(request.against, measured.environment)
    for name in _held(request):
        yield held_against(
            request.against,
            request.suites,
            name,
            measured.samples[name],
            measured.checks(name),
            measured.missing.get(name, {}),
        )


def _held(request: EvalRequest) -> list[str]:
    return [BASE] if request.alone else request.model_names()


def remarks(
    request: EvalRequest | ServedRequest, asked: EvalRequest | ServedRequest, measured: Measured
) -> Iterator[str]:
    """Yield what was wished and not done, and what a stored model alone answered."""
    why = "served models are" if isinstance(request, ServedRequest) else "with --against models are"
    looks = isinstance(request, EvalRequest) and request.against is None
    if request.settings.sizing is not None and not looks:
        yield f"sizing: {why} asked all items at once"
    if isinstance(asked, ServedRequest) and asked.settings.few_shot:
        yield said_of_examples(asked.suites)
    if isinstance(asked, EvalRequest) and asked.against is not None:
        for name in _held(asked):
            yield from left_out(asked.against, asked.suites, name, measured.samples[name])


def _failures(
    request: EvalRequest | ServedRequest,
    measured: Measured,
    verdicts: Mapping[str, Verdict],
    workspace: Workspace,
) -> tuple[list[FailureGroup], list[str]]:
    """Group what failed, and link it to the training rows of the run."""
    groups: list[FailureGroup] = []
    notes: list[str] = []
    subjects = request.subjects if isinstance(request, EvalRequest) else ()
    runs = dict(zip(request.model_names(), subjects, strict=False))
    for name, verdict in verdicts.items():
        if all(one.verdict == "pass" for one in verdict.abilities):
            continue
        rows = training_rows(runs[name], workspace) if name in runs else _SERVED
        said = rows if isinstance(rows, str) else rows.note
        notes += [f"failures: {said}"] if said else []
        groups += failure_groups(
            name, verdict, request.suites, measured.samples[BASE], measured.samples[name], rows
        )
    return groups, notes


_SERVED = "what a served model was trained on is not known here"
