"""One task's answers as a judge is given them, and what comes back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evalsuite.engine.questions import Sample
from evalsuite.report.judgements import JudgeRecord, WinRateRecord
from evalsuite.scorers import JudgeScorer, PairwiseScorer
from evalsuite.stats.preference import Agreement, cohen_kappa
from evalsuite.tasks import LoadedSuite, LoadedTask

Given = TypeVar("Given")
AT_ONCE = 64
"""Answers between two looks at whether the job is to stop."""
_TOLD_EVERY_SECONDS = 5.0
Tell = Callable[[str], None]
"""Is told what is being done; may raise to stop."""


@dataclass(frozen=True)
class Opinion:
    """What another model says of one answer."""

    value: float = math.nan
    """The score; NaN: none."""
    detail: str = ""
    """Why, or why there is none."""


@dataclass(frozen=True)
class Judgement:
    """Everything that one task's scorer said."""

    opinions: dict[str, list[Opinion]]
    """By model, in the order of the items."""
    record: JudgeRecord
    win_rates: list[WinRateRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Answered:
    """One task with the answers of all models."""

    suite: LoadedSuite
    task: LoadedTask
    ability: str
    """The ability's name in results."""
    samples: dict[str, Sequence[Sample]]
    """By model, the base first; in the order of the items."""


def in_parts(given: Sequence[Given], what: str, tell: Tell) -> Iterator[Sequence[Given]]:
    """Yield parts of what is to be asked, telling now and then how far it is."""
    told = -math.inf
    for start in range(0, len(given), AT_ONCE):
        if time.monotonic() - told > _TOLD_EVERY_SECONDS:
            tell(f"{what}: {start:,} of {len(given):,}")
            told = time.monotonic()
        else:
            tell("")
        yield given[start : start + AT_ONCE]


def first_problem(opinions: Sequence[Opinion]) -> str:
    """Return why the first answer without a score has none; empty where all have one."""
    return next((one.detail for one in opinions if math.isnan(one.value)), "")


@dataclass(frozen=True)
class People:
    """How far a judge agrees with what people said."""

    agreement: Agreement | None = None
    labels: int = 0
    problem: str = ""
    """Why it was not held against them."""

    @classmethod
    def of(cls, table: NDArray[np.float64]) -> People:
        """Return the agreement of a table of counts: rows the judge, columns people."""
        count = int(table.sum())
        return cls(cohen_kappa(table), count) if count else cls()


def judge_record(
    answered: Answered,
    scorer: JudgeScorer | PairwiseScorer,
    opinions: Sequence[Opinion],
    *,
    problem: str,
    variances: Sequence[float],
    people: People,
    spent: str,
) -> JudgeRecord:
    """Return what is to be known of one task's judge.

    Args:
        answered: the task.
        scorer: who judged it.
        opinions: all that were asked for.
        problem: why the judge gave no more; empty where it gave all.
        variances: of the votes on each answer or pair.
        people: how far it agrees with them.
        spent: what it cost.
    """
    found = people.agreement
    return JudgeRecord(
        suite=answered.suite.spec.name,
        task=answered.task.spec.name,
        ability=answered.ability,
        kind=scorer.kind,
        judge=scorer.backend.described,
        votes=scorer.votes,
        vote_variance=float(np.mean(variances)) if variances and not problem else None,
        ungraded=sum(math.isnan(one.value) for one in opinions),
        problem=problem or first_problem(opinions) or people.problem,
        human_labels=people.labels,
        agreement=found.observed if found else None,
        kappa=found.kappa if found and math.isfinite(found.kappa) else None,
        spent=spent,
    )
