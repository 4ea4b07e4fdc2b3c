"""Two evaluations of the same items, paired across their tuned models.

The models need not share a base or a tokenizer: what is paired is their scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from evalsuite.baselines.against import kept_suite, keyed
from evalsuite.engine.pairing import ability_names, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE
from evalsuite.engine.samples import read_samples, write_samples
from evalsuite.engine.unmeasured import Key, Missing, Unmeasured
from evalsuite.gate import judge
from evalsuite.report import ComparisonRecord, Results, write_reports, write_results
from evalsuite.report.document import ModelRecord, SuiteRecord
from evalsuite.tasks import LoadedSuite
from evalsuite.verdict import Verdict
from workspace.files import publish_directory

Keyed = dict[Key, list[Sample]]
"""(suite, task) → samples of one model in the order of the items."""


@dataclass(frozen=True)
class Side:
    """One evaluation of one tuned model, and what its models are called beside the other's."""

    directory: Path
    results: Results
    base: str
    tuned: str

    @property
    def names(self) -> Mapping[str, str]:
        """What the evaluation calls its models → what they are called here."""
        return {BASE: self.base, self.results.comparisons[0].tuned: self.tuned}


@dataclass(frozen=True)
class Crossed:
    """A finished comparison."""

    directory: Path
    verdict: Verdict
    """Of the second tuned model against the first: every ability is one to keep."""
    reports: tuple[Path, ...]


def cross(
    first: Side,
    second: Side,
    suites: Sequence[LoadedSuite],
    directory: Path,
    *,
    command: str = "",
) -> Crossed:
    """Judge the second tuned model against the first and write it as an evaluation is written.

    It does not belong below `evals/`: what is there says how a model does against its own base.

    Each ability passes if it certainly (1 - alpha, one-sided) lost no more than its suite's margin,
    also those of target suites: both models have gained them, and nothing says how much more the
    second should. A failed canary of either evaluation makes this one invalid. Items that one of
    the two was not put, since they are longer than it reads, are left out, and noted.

    Args:
        first: the evaluation of what is held as good.
        second: the evaluation of what is to take its place.
        suites: that both answered.
        directory: to make.
        command: what was typed.

    Raises:
        DataError: the samples of one are missing or damaged.
    """
    kept = [kept_suite(suite) for suite in suites]
    sides = (first, second)
    answered = [_by_model(read_samples(side.directory / "samples.parquet")) for side in sides]
    tuned = [
        keyed(samples.get(side.results.comparisons[0].tuned, ()), kept)
        for samples, side in zip(answered, sides, strict=True)
    ]
    canaries = [one for side in sides for one in side.results.comparisons[0].verdict.canaries]
    both, notes = _answered_by_both(tuned[0], tuned[1])
    gaps = [_gaps(side, kept, one) for side, one in zip(sides, tuned, strict=True)]
    verdict = judge(pair_abilities(kept, both[0], both[1], *gaps), canaries)
    results = Results(
        id=directory.name,
        title=f"{second.tuned} against {first.tuned}",
        created=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        models=[model for side in sides for model in _models(side, first)],
        suites=[_as_kept(one) for one in first.results.suites],
        comparisons=[ComparisonRecord(base=first.tuned, tuned=second.tuned, verdict=verdict)],
        environment=second.results.environment,
        commands=[command] if command else [],
        notes=[
            "every ability is judged as one to keep: the second model is to be no worse than the "
            "first by more than the margin",
            f"paired from {first.results.id} and {second.results.id}",
            *notes,
        ],
    )
    with publish_directory(directory) as temporary:
        write_samples(
            temporary / "samples.parquet",
            (
                replace(sample, model=side.names[model])
                for samples, side in zip(answered, sides, strict=True)
                for model, found in samples.items()
                if model in side.names
                for sample in found
            ),
        )
        write_results(temporary, results)
        reports = write_reports(temporary)
    return Crossed(directory, verdict, tuple(directory / path.name for path in reports))


def _answered_by_both(first: Keyed, second: Keyed) -> tuple[tuple[Keyed, Keyed], list[str]]:
    """Return the samples of the items that both answered, and a note for each task with others."""
    both: tuple[Keyed, Keyed] = ({**first}, {**second})
    notes = []
    for key in first.keys() & second.keys():
        ids = [{sample.item_id for sample in side[key]} for side in (first, second)]
        for side, one in zip(both, (first, second), strict=True):
            side[key] = [sample for sample in one[key] if sample.item_id in ids[0] & ids[1]]
        if alone := len(ids[0] ^ ids[1]):
            notes.append(f"{key[1]}: {alone:,} items that one of the two alone answered left out")
    return both, sorted(notes)


def _gaps(side: Side, suites: Sequence[LoadedSuite], answered: Keyed) -> Missing:
    """Return the tasks that a side's model has no answers to, and why, as its evaluation says."""
    results = {one.name: one for one in side.results.comparisons[0].verdict.abilities}
    return {
        key: Unmeasured(found.state, found.detail.removeprefix(f"task {key[1]}: "))
        for key, name in ability_names(suites).items()
        if key not in answered
        and (found := results.get(name)) is not None
        and found.state != "measured"
    }


def _as_kept(record: SuiteRecord) -> SuiteRecord:
    return record.model_copy(update={"purpose": "retention"})


def _by_model(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.model, []).append(sample)
    return found


def _models(side: Side, first: Side) -> list[ModelRecord]:
    """Return the records of a side's models: the first tuned one is what is compared with."""
    role: Literal["base", "tuned"] = "base" if side is first else "tuned"
    return [
        model.model_copy(update={"name": side.names[model.name], "role": role})
        for model in side.results.models
        if model.name in side.names
    ]
