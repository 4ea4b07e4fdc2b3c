"""Where a model stands before the gate: the verdicts on its very weights, from `evals/`.

A verdict counts if it was given on these weights and this base, by digest. For each suite the
newest evaluation counts; of those that count the worst decides, so that a model which failed one
suite is not cleared by passing another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.engine.subjects import Subject
from evalsuite.report.document import ComparisonRecord, ModelRecord, Results, read_results
from workspace.errors import (
    EvaluationInvalid,
    GateFailed,
    GateInconclusive,
    TemperError,
    UsageError,
)

Status = Literal["pass", "fail", "inconclusive", "invalid", "missing", "not applicable"]
_WORST = ("invalid", "fail", "inconclusive", "pass")


@dataclass(frozen=True)
class Judged:
    """One evaluation's verdict on the model."""

    evaluation: Path
    results: Results
    comparison: ComparisonRecord
    model: ModelRecord
    """The tuned model, as it was measured."""

    @property
    def status(self) -> str:
        """pass, fail, inconclusive or invalid."""
        return self.comparison.verdict.status

    @property
    def suites(self) -> frozenset[str]:
        """Names of the suites that were put."""
        return frozenset(suite.name for suite in self.results.suites)


@dataclass(frozen=True)
class Standing:
    """Whether a model may ship."""

    status: Status
    headline: str
    judged: tuple[Judged, ...] = ()
    """What counts, the worst first."""
    unreadable: tuple[str, ...] = ()
    """Evaluations that could not be read, so that they do not count."""
    override: str = ""
    """Why it ships nevertheless, in the words of the one who decided it."""

    @property
    def passed(self) -> bool:
        """Whether no override is needed."""
        return self.status in ("pass", "not applicable")

    def enforce(self, run: str) -> None:
        """Raise unless it passed or is overridden.

        Raises:
            GateFailed: a verdict on these weights is a refusal.
            GateInconclusive: undecided, or there is none.
            EvaluationInvalid: a check of the measurement failed.
        """
        if self.passed or self.override:
            return
        kinds: dict[str, type[TemperError]] = {
            "fail": GateFailed,
            "invalid": EvaluationInvalid,
        }
        titles = {
            "fail": "the gate refused this model",
            "invalid": "the evaluation of this model is not valid",
            "inconclusive": "the gate could not decide about this model",
            "missing": "this model was not evaluated",
        }
        raise kinds.get(self.status, GateInconclusive)(
            titles[self.status],
            where=str(self.judged[0].evaluation) if self.judged else run,
            cause=self.headline,
            cure=f"Evaluate it with `temper eval {run} --gate`, or export it nevertheless with "
            '--override "the reason", which the model card shows.',
        )


def find_standing(subject: Subject, base_digest: str, evals: Path) -> Standing:
    """Return where a model stands.

    Args:
        subject: the model.
        base_digest: of the base that it was tuned from.
        evals: the workspace's evaluations.
    """
    unreadable: list[str] = []
    counted: list[Judged] = []
    seen: set[str] = set()
    for judged in _newest_first(subject, base_digest, evals, unreadable):
        if judged.suites <= seen:
            continue  # each of its suites was put again since
        seen |= judged.suites
        counted.append(judged)
    if not counted:
        return Standing(
            "missing",
            "No evaluation in this workspace is of these weights on this base.",
            unreadable=tuple(unreadable),
        )
    counted.sort(key=lambda one: _WORST.index(one.status))
    worst = counted[0].comparison.verdict
    return Standing(worst.status, worst.headline, tuple(counted), tuple(unreadable))


def _newest_first(
    subject: Subject, base_digest: str, evals: Path, unreadable: list[str]
) -> Iterator[Judged]:
    for path in sorted(evals.glob("[!.]*/results.json"), reverse=True):
        try:
            results = read_results(path.parent)
        except TemperError as error:
            unreadable.append(f"{path.parent.name}: {error.title}")
            continue
        found = _on(subject, base_digest, path.parent, results)
        if found is not None:
            yield found


def _on(subject: Subject, base_digest: str, evaluation: Path, results: Results) -> Judged | None:
    models = {model.name: model for model in results.models}
    for comparison in results.comparisons:
        tuned, base = models.get(comparison.tuned), models.get(comparison.base)
        if tuned is None or base is None or base.digest != base_digest:
            continue
        weights = tuned.adapter_digest if subject.kind == "adapter" else tuned.digest
        if weights == subject.digest and bool(tuned.adapter_digest) == (subject.kind == "adapter"):
            return Judged(evaluation, results, comparison, tuned)
    return None


def checked_reason(reason: str | None) -> str:
    """Return an override's reason.

    Raises:
        UsageError: it says nothing.
    """
    if reason is None:
        return ""
    if not reason.strip():
        raise UsageError(
            "an override needs a reason",
            where="--override",
            cure="Say who decided and why: the model card shows it to everybody.",
        )
    return reason.strip()


def measured_suites(standing: Standing) -> Sequence[str]:
    """Return the names of all suites that count."""
    return sorted({name for one in standing.judged for name in one.suites})
