"""What `results.json` says of scores by other models."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JudgeRecord(_Record):
    """One task that another model scored."""

    suite: str
    """The suite."""
    task: str
    """The task."""
    ability: str
    """The ability that the task belongs to."""
    kind: Literal["judge", "pairwise", "reward_model"]
    """Grades, comparisons or rewards."""
    judge: str
    """Which model, and where answers went."""
    digest: str = ""
    """SHA-256 of a reward model's files."""
    votes: int = 1
    """Grades per answer, or verdicts per order of a pair."""
    vote_variance: float | None = None
    """Mean variance of the votes on one answer or pair, in the unit of the score; None with one
    vote."""
    ungraded: int = 0
    """Answers or pairs without a score."""
    problem: str = ""
    """Why the judge gave no more, or the first answer has no score."""
    human_labels: int = 0
    """Answers or pairs that people judged too; 0: the judge is uncalibrated."""
    agreement: float | None = None
    """Share of them on which the judge says the same."""
    kappa: float | None = None
    """Cohen's kappa of judge and people; None without labels, or where chance explains all."""
    spent: str = ""
    """What it cost."""


class WinRateRecord(_Record):
    """How often a tuned model's answers are preferred to the base's, on one task."""

    suite: str
    """The suite."""
    task: str
    """The task."""
    ability: str
    """The ability that the task belongs to."""
    tuned: str
    """Name of the tuned model in `models`."""
    n: int
    """Pairs with a verdict."""
    rate: float
    """Mean score of the tuned model: wins, and half of the ties."""
    low: float
    """Lower end of its 95 % interval (by clusters, where the task has them)."""
    high: float
    """Upper end of it."""
    wins: int
    """Pairs with a score above one half."""
    ties: int
    """Pairs with exactly one half."""
    losses: int
    """Pairs below it."""
    sign_p: float
    """Two-sided sign test over the pairs that are no ties."""
    alike: int
    """Ties that were not asked for, since both answers are the same text."""
    consistency: float | None = None
    """Share of comparisons in which both orders agree; None where none was asked for."""
    first_position_bias: float | None = None
    """Points when first minus points when second; above 0 the judge likes what comes first."""
    controlled_rate: float | None = None
    """Win rate at equal length of both answers."""
    controlled_low: float | None = None
    """Lower end of its 95 % interval."""
    controlled_high: float | None = None
    """Upper end of it."""
    length_difference: float | None = None
    """Mean characters of the tuned answers minus those of the base's."""
