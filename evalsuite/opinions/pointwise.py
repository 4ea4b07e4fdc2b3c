"""Grades: each answer by itself, by a rubric."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from evalsuite.asking.judge import Grade, Judged
from evalsuite.asking.voting import JudgeGone, VotingJudge
from evalsuite.engine.questions import Sample, shown_prompt
from evalsuite.opinions.asked import (
    Answered,
    Judgement,
    Opinion,
    People,
    Tell,
    in_parts,
    judge_record,
)
from evalsuite.scorers import JudgeScorer
from evalsuite.tasks import Item


def grade(answered: Answered, scorer: JudgeScorer, log: Path, tell: Tell) -> Judgement:
    """Return the grades of all models' answers.

    Raises:
        UsageError: another process uses the judge's log, or its key is missing.
        ModelError: there is no such local judge.
    """
    found: dict[str, list[Opinion]] = {}
    variances: list[float] = []
    problem = ""
    with closing(VotingJudge(scorer, answered.suite.path.parent, log)) as judge:
        try:
            for model, samples in answered.samples.items():
                what = f"judging {answered.task.spec.name} of {model}"
                votes = _votes(judge, samples, what, tell)
                found[model] = [_opinion(one, scorer) for one in votes]
                variances += [value for one in votes if (value := _variance(one)) is not None]
        except JudgeGone as error:
            problem = str(error)
            found = {
                model: [Opinion(detail=problem)] * len(samples)
                for model, samples in answered.samples.items()
            }
        people = People() if problem else _people(judge, answered.task.items, scorer)
        spent = judge.spent
    record = judge_record(
        answered,
        scorer,
        [one for opinions in found.values() for one in opinions],
        problem=problem,
        variances=variances,
        people=people,
        spent=spent,
    )
    return Judgement(found, record)


def _votes(
    judge: VotingJudge, samples: Sequence[Sample], what: str, tell: Tell
) -> list[tuple[Grade, ...]]:
    asked = [Judged(one.prompt, one.output, one.gold) for one in samples]
    return [one for part in in_parts(asked, what, tell) for one in judge.votes(part)]


def _opinion(votes: Sequence[Grade], scorer: JudgeScorer) -> Opinion:
    """Return the mean of the votes; an answer that lacks one has no score."""
    values = [one.value for one in votes if one.value is not None]
    if len(values) < len(votes):
        return Opinion(detail=next(one.reason for one in votes if one.value is None))
    least, most = scorer.scale
    grades = ", ".join(f"{least + value * (most - least):g}" for value in values)
    mean = statistics.fmean(values)
    return Opinion(mean, "" if mean == 1.0 else f"graded {grades} of {most}")


def _variance(votes: Sequence[Grade]) -> float | None:
    values = [one.value for one in votes if one.value is not None]
    return statistics.variance(values) if len(values) == len(votes) > 1 else None


def _people(judge: VotingJudge, items: Sequence[Item], scorer: JudgeScorer) -> People:
    """Return how judge and people agree on the answers that rows carry."""
    labelled = [(item, label) for item in items for label in item.human]
    if not labelled:
        return People()
    asked = [
        Judged(shown_prompt(item), label.answers[0], item.shown_gold) for item, label in labelled
    ]
    try:
        said = judge.votes(asked)
    except JudgeGone as error:
        return People(problem=f"not held against people's labels: {error}")
    least, most = scorer.scale
    table = np.zeros((most - least + 1, most - least + 1))
    for (_, label), votes in zip(labelled, said, strict=True):
        values = [one.value for one in votes if one.value is not None]
        if values:
            grade = round(statistics.median(values) * (most - least))
            table[grade, int(label.verdict) - least] += 1
    return People.of(table)
