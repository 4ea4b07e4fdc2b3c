"""From answers to what an evaluation says about prompts: baselines, best, gains, advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.engine.pairing import Samples, ability_names
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import EvalRequest
from evalsuite.prompting.advice import after_tuning, before_tuning, too_few
from evalsuite.prompting.baselines import summarise
from evalsuite.prompting.choice import Asked, Chosen, choose, gain, side_by_side
from evalsuite.prompting.earlier import find_earlier
from evalsuite.prompting.own import ZERO_SHOT
from evalsuite.prompting.scores import Answered, Scores, gathered
from evalsuite.report.document import (
    BestPrompt,
    ModelRecord,
    PromptBaseline,
    PromptGain,
    Recommendation,
)
from evalsuite.served.request import ServedRequest
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.terms import terms_of


@dataclass(frozen=True)
class PromptTrial:
    """The base's answers to one task under one way of asking."""

    name: str
    suite: str
    task: str
    samples: tuple[Sample, ...]


@dataclass
class Findings:
    """What is written into `results.json`."""

    baselines: list[PromptBaseline] = field(default_factory=list)
    best: list[BestPrompt] = field(default_factory=list)
    gains: list[PromptGain] = field(default_factory=list)
    recommendations: list[Recommendation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Target:
    """One target ability that is right or wrong."""

    name: str
    suite: LoadedSuite
    tasks: tuple[str, ...]

    @property
    def min_gain(self) -> float:
        """What counts as a gain."""
        task = next(task for task in self.suite.tasks if task.spec.name in self.tasks)
        return terms_of(self.suite.spec, task.spec).min_gain

    @property
    def clustered(self) -> frozenset[str]:
        return frozenset(task.spec.name for task in self.suite.tasks if task.spec.cluster)

    def scores(self, name: str, answers: Sequence[Answered]) -> Scores:
        return gathered(name, answers, self.clustered)


def find_out(
    request: EvalRequest | ServedRequest,
    trials: Sequence[PromptTrial],
    tuned: Mapping[str, Samples],
    base: ModelRecord,
    evals: Path,
) -> Findings:
    """Say what prompts reach on each target, and what tuned models add to the best of them.

    Where prompts were not tried now, those of an earlier evaluation of the same base and items
    count.

    Args:
        request: what was asked.
        trials: ways of asking the base that were tried now.
        tuned: samples of each tuned model whose comparison is valid.
        base: the base as it was measured.
        evals: the workspace's directory of evaluations.
    """
    out = Findings()
    for target in _targets(request.suites):
        ways = _tried_now(target, trials)
        evaluation, seed = "", request.prompting.section.seed
        if ways:
            out.baselines += [summarise(target.name, way) for way in ways]
        elif tuned:
            found = find_earlier(evals, base, target.suite, target.name)
            if found is None:
                continue
            evaluation, seed = found.evaluation, found.seed
            out.notes.append(f"{target.name}: the prompts are those tried in {evaluation}")
            ways = [target.scores(name, answers) for name, answers in found.answers.items()]
        if not any(way.name == ZERO_SHOT for way in ways):
            continue
        asked, partial = side_by_side(target.name, target.suite.spec.name, ways, target.min_gain)
        out.notes += [
            f"{target.name}: {name} was not tried on every task, and cannot be the best prompt"
            for name in partial
        ]
        _decide(out, request, target, asked, choose(asked, seed=seed), tuned, evaluation)
    return out


def _decide(
    out: Findings,
    request: EvalRequest | ServedRequest,
    target: _Target,
    asked: Asked,
    chosen: Chosen | None,
    tuned: Mapping[str, Samples],
    evaluation: str,
) -> None:
    if chosen is None:
        out.recommendations.append(too_few(target.name))
        return
    out.best.append(chosen.record)
    compared = False
    for name, samples in tuned.items():
        if any((target.suite.spec.name, task) not in samples for task in target.tasks):
            continue  # not measured, which the comparison says
        answers = [one for task in target.tasks for one in samples[target.suite.spec.name, task]]
        found = gain(chosen, asked, target.scores(name, answers), evaluation)
        if found is not None:
            compared = True
            out.gains.append(found)
            out.recommendations.append(after_tuning(chosen.record, found))
    if not compared:
        enough = request.prompting.section.enough
        out.recommendations.append(before_tuning(chosen.record, enough=enough))


def _targets(suites: Sequence[LoadedSuite]) -> Iterator[_Target]:
    names = ability_names(suites)
    for suite in suites:
        if suite.spec.purpose != "target":
            continue
        grouped: dict[str, list[str]] = {}
        for task in suite.tasks:
            if task.spec.is_question:
                grouped.setdefault(names[suite.spec.name, task.spec.name], []).append(
                    task.spec.name
                )
        for name, tasks in grouped.items():
            yield _Target(name, suite, tuple(tasks))


def _tried_now(target: _Target, trials: Sequence[PromptTrial]) -> list[Scores]:
    found: dict[str, list[Sample]] = {}
    for trial in trials:
        if trial.suite == target.suite.spec.name and trial.task in target.tasks:
            found.setdefault(trial.name, []).extend(trial.samples)
    return [target.scores(name, samples) for name, samples in found.items()]
