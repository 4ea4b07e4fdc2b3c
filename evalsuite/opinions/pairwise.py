"""Comparisons: the tuned answer against the base's, each pair in both orders."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from evalsuite.asking.voting import Games, JudgeGone, Pair, PairJudge
from evalsuite.engine.questions import Sample, shown_prompt
from evalsuite.engine.request import BASE
from evalsuite.opinions.asked import (
    Answered,
    Judgement,
    Opinion,
    People,
    Tell,
    in_parts,
    judge_record,
)
from evalsuite.opinions.winning import win_rate_of
from evalsuite.report.judgements import WinRateRecord
from evalsuite.scorers import PairwiseScorer
from evalsuite.stats.preference import swapped_games
from evalsuite.tasks import Item

TIE = 0.5
"""The base's score of every item: against itself it would win as often as not."""
_VERDICTS = ("one", "neither", "other")


def compare(answered: Answered, scorer: PairwiseScorer, log: Path, tell: Tell) -> Judgement:
    """Return how each tuned model's answers do against the base's. Raises as `pointwise.grade`."""
    base = answered.samples[BASE]
    tuned = {model: found for model, found in answered.samples.items() if model != BASE}
    found: dict[str, list[Opinion]] = {}
    every: list[Games | None] = []
    rates: list[WinRateRecord] = []
    problem = ""
    with closing(PairJudge(scorer, answered.suite.path.parent, log)) as judge:
        try:
            for model, samples in tuned.items():
                what = f"comparing {answered.task.spec.name} of {model} with the base's"
                games = _games(judge, base, samples, what, tell)
                found[model] = list(map(_opinion, games))
                every += games
                rate = win_rate_of(answered, model, games, found[model])
                rates += [rate] if rate else []
        except JudgeGone as error:
            problem, rates = str(error), []
            found = {model: [Opinion(detail=problem)] * len(base) for model in tuned}
        people = People() if problem else _people(judge, answered.task.items)
        spent = judge.spent
    record = judge_record(
        answered,
        scorer,
        [one for opinions in found.values() for one in opinions],
        problem=problem,
        variances=_variances(every),
        people=people,
        spent=spent,
    )
    return Judgement({BASE: [Opinion(TIE)] * len(base), **found}, record, rates)


def _games(
    judge: PairJudge, base: Sequence[Sample], tuned: Sequence[Sample], what: str, tell: Tell
) -> list[Games | None]:
    """Return what became of each pair; None where both answers are the same text: a tie."""
    differ = [
        place
        for place, (one, other) in enumerate(zip(tuned, base, strict=True))
        if one.output.strip() != other.output.strip()
    ]
    pairs = [
        Pair(tuned[place].prompt, tuned[place].output, base[place].output, tuned[place].gold)
        for place in differ
    ]
    found: list[Games | None] = [None] * len(tuned)
    said = [one for part in in_parts(pairs, what, tell) for one in judge.games(part)]
    for place, games in zip(differ, said, strict=True):
        found[place] = games
    return found


def _opinion(games: Games | None) -> Opinion:
    if games is None:
        return Opinion(TIE, "both answers are the same text")
    if games.problem:
        return Opinion(detail=games.problem)
    score = swapped_games(games.first, games.second).mean
    said = f"first: {''.join(games.first)}, second: {''.join(games.second)}"
    return Opinion(score, "" if score == 1.0 else said)


def _variances(games: Sequence[Games | None]) -> list[float]:
    """Return the variance of the votes on each pair, each the mean of its two orders."""
    votes = [
        swapped_games(one.first, one.second).scores
        for one in games
        if one is not None and len(one.first) > 1
    ]
    return [statistics.variance(scores) for scores in votes]


def _people(judge: PairJudge, items: Sequence[Item]) -> People:
    """Return how judge and people agree on the pairs that rows carry."""
    labelled = [(item, label) for item in items for label in item.human]
    if not labelled:
        return People()
    asked = [
        Pair(shown_prompt(item), label.answers[0], label.answers[1], item.shown_gold)
        for item, label in labelled
    ]
    try:
        said = judge.games(asked)
    except JudgeGone as error:
        return People(problem=f"not held against people's labels: {error}")
    table = np.zeros((len(_VERDICTS), len(_VERDICTS)))
    for (_, label), games in zip(labelled, said, strict=True):
        if not games.problem:
            score = swapped_games(games.first, games.second).mean
            verdict = "one" if score > TIE else "other" if score < TIE else "neither"
            table[_VERDICTS.index(verdict), _VERDICTS.index(label.verdict)] += 1
    return People.of(table)
