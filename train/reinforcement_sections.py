"""The settings of learning by reward: `train.method: {kind: grpo, …}` and `{kind: rloo, …}`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from evalsuite.asking.judge_config import JudgeConfig
from evalsuite.scorers import ScorerConfig
from evalsuite.scorers.regex import Pattern
from workspace.recipe import Section

PLACE = "{answer}"
"""Where the row's answer goes in `example`."""
_CLIPPED_ABOVE = 1.0


class ScoreReward(Section):
    """What one of the scorers that also judge models gives: from 0 (wrong) to 1 (right)."""

    kind: Literal["score"] = "score"
    """What a scorer of the suites gives."""
    scorer: ScorerConfig
    """By name or with its settings, as in a suite's tasks; its files are relative to the recipe."""
    weight: float = Field(default=1.0, gt=0.0)
    """The reward is the sum of all, each times its weight."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """In events and samples. Left out: the scorer's."""

    @property
    def shown(self) -> str:
        """The name in events."""
        return self.name or self.scorer.kind


class FormatReward(Section):
    """1 if the whole completion is of a form, else 0, whatever it says."""

    kind: Literal["format"]
    """Whether a completion has a form."""
    pattern: Pattern
    """A regular expression that the whole completion must match; `.` spans lines too."""
    weight: float = Field(default=1.0, gt=0.0)
    """The reward is the sum of all, each times its weight."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """In events and samples. Left out: `format`."""

    @property
    def shown(self) -> str:
        """The name in events."""
        return self.name or self.kind


class LengthReward(Section):
    """0 up to `beyond` tokens, then falling in a line to -1 at `max_new_tokens` (the soft
    punishment of DAPO, arXiv 2503.14476, section 3.4).
    """

    kind: Literal["length"]
    """What is taken off for long completions."""
    beyond: int = Field(ge=1)
    """Tokens of a completion, its end token included, that cost nothing."""
    weight: float = Field(default=1.0, gt=0.0)
    """What the longest completion loses."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """In events and samples. Left out: `length`."""

    @property
    def shown(self) -> str:
        """The name in events."""
        return self.name or self.kind


class ModelReward(Section):
    """What a reward model gives prompt and completion: any number, higher is better."""

    kind: Literal["model"]
    """A reward model."""
    model: str | None = None
    """A run of `method: reward` (`runs/ID`), or the directory (relative to the recipe) or hub name
    of a sequence classification model with one label and a chat template."""
    stage: str | None = None
    """In place of `model`, in `train.stages`: the earlier stage that makes it."""
    revision: str | None = None
    """Hub names only."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of its weights."""
    weight: float = Field(default=1.0, gt=0.0)
    """The reward is the sum of all, each times its weight."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """In events and samples. Left out: `model`."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.model is None) == (self.stage is None):
            raise ValueError("either `model` or, in train.stages, `stage`")
        return self

    @property
    def shown(self) -> str:
        """The name in events."""
        return self.name or self.kind


class JudgeReward(JudgeConfig):
    """The grade that a judge gives a completion: from 0 (the scale's lowest) to 1."""

    kind: Literal["judge"]
    """A judge."""
    weight: float = Field(default=1.0, gt=0.0)
    """The reward is the sum of all, each times its weight."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """In events and samples. Left out: `judge`."""

    @property
    def shown(self) -> str:
        """The name in events."""
        return self.name or self.kind


def _reward_by_name(value: Any) -> Any:
    """Accept `exact` and `{scorer: exact, weight: 2}` for `{kind: score, scorer: exact, …}`."""
    if isinstance(value, str):
        return {"kind": "score", "scorer": value}
    if isinstance(value, dict) and "scorer" in value:
        return {"kind": "score", **value}
    return value


RewardSection = Annotated[
    Annotated[
        ScoreReward | FormatReward | LengthReward | ModelReward | JudgeReward,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_reward_by_name),
]
"""A scorer by its name, `{scorer: …, weight: …}`, or `{kind: …}`: format, length, model, judge."""


class Alarms(Section):
    """When a run that learns by reward has gone wrong. An alarm is an event and a printed note."""

    window: int = Field(default=10, ge=1)
    """Steps over which each value is averaged: single steps are noise."""
    no_signal: float = Field(default=0.8, gt=0.0, le=1.0)
    """Share of groups whose completions all have the same reward, from which nothing is learnt.
    Above 0.8 four fifths of the computation are wasted: the prompts are too easy or too hard."""
    length_growth: float = Field(default=2.0, gt=1.0)
    """Mean length of completions against that of the first window. Twice as long without having
    been asked for is how models meet a reward that can be talked into."""
    kl: float = Field(default=0.5, gt=0.0)
    """Distance from the model as it was, in nats a token. At 0.5 the model gives what it writes
    1.6 times the probability that it had, token after token: it is another model by then."""
    stop: bool = False
    """Stop the run at an alarm (exit code 6) instead of going on."""


class RewardedSection(Section):
    """What all methods share in which the model writes and what it wrote is scored."""

    rewards: tuple[RewardSection, ...] = Field(min_length=1)
    """What a completion is worth: a list, summed with weights. Each is tested on known good and bad
    answers before the first step."""
    example: str = PLACE
    """What a right completion looks like, `{answer}` standing for the row's own: every reward must
    give it the most that it can give. `<think>…</think> {answer}` where a format asks for more
    than the answer alone."""
    max_new_tokens: int = Field(default=256, ge=1)
    """Where a completion is cut; each costs as much memory as a row that is so much longer."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Of sampling; lower finds less that is new."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Sample from the most likely tokens that have this share together."""

    @property
    def names(self) -> tuple[str, ...]:
        """The rewards' names, in order."""
        return tuple(reward.shown for reward in self.rewards)

    @model_validator(mode="after")
    def _rewards_fit(self) -> Self:
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"a name of its own for each reward; {twice[0]} is given twice")
        for reward in self.rewards:
            if isinstance(reward, LengthReward) and reward.beyond >= self.max_new_tokens:
                raise ValueError(
                    f"a length reward with beyond below max_new_tokens ({self.max_new_tokens}), "
                    f"found {reward.beyond}"
                )
        if all(isinstance(reward, LengthReward) for reward in self.rewards):
            raise ValueError("a reward beside length, which an empty completion meets best")
        if PLACE not in self.example:
            raise ValueError(f"an example with {PLACE} in it, found {self.example!r}")
        return self


class ReinforcementSection(RewardedSection):
    """What GRPO and RLOO share: prompts, completions that the model writes, and their reward."""

    num_generations: int = Field(default=8, ge=2, le=1024)
    """Completions of each prompt, which are compared with each other. `batch_size` and
    `micro_batch_size` count prompts: a step computes `batch_size` times as many completions."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Of sampling; lower finds less that is new. The loss is at the same temperature."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Sample from the most likely tokens that have this share together. Below 1 the loss is no
    longer that of the distribution sampled from."""
    beta: float = Field(default=0.05, ge=0.0)
    """Pull back to the model as it was. 0 needs no second computation and was measured to wreck
    what is not rewarded: other abilities fell from above 0.9 to 0.5."""
    epsilon: float = Field(default=0.2, gt=0.0)
    """How far below 1 the ratio of new to old probability counts (PPO's clip); only matters where
    `iterations` is above 1, for else new and old are the same."""
    epsilon_high: float | None = Field(default=None, gt=0.0)
    """How far above 1. Left out: as `epsilon`; DAPO takes 0.28."""
    iterations: int = Field(default=1, ge=1)
    """Optimiser steps for each set of completions: more learns more from what was generated, and
    from ever older completions."""
    samples_every: int | None = Field(default=None, ge=1)
    """Steps between completions kept in samples.parquet. Left out: a twentieth of the steps."""
    alarms: Alarms = Alarms()
    """When something has gone wrong."""


GrpoLoss = Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo"]


class GrpoSection(ReinforcementSection):
    """Group relative policy optimisation: sample several completions of each prompt and make those
    more likely that were better than their group (arXiv 2402.03300).
    """

    kind: Literal["grpo"]
    """Group relative policy optimisation."""
    loss: GrpoLoss = "dapo"
    """`dapo` (arXiv 2503.14476) weighs all tokens alike; `grpo` is the paper's, a mean for each
    completion, which favours short right ones; `dr_grpo` (2503.20783) divides by
    `max_new_tokens`; `bnpo` by the tokens of the micro-batch; `cispo` (2506.13585) bounds the
    ratio by `epsilon_high` and stops no gradient; `sapo` (2511.20347), `luspo` (2602.05261, by
    sequences) and `vespo` (2602.10693) have bounds of their own and no use for `epsilon`, `luspo`
    apart."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Divide the advantages by the rewards' standard deviation in the group, in the batch, or not
    at all (Dr. GRPO: the division favours prompts that are nearly always or never solved)."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.loss == "cispo" and (self.epsilon_high or 0.0) < _CLIPPED_ABOVE:
            raise ValueError(
                "epsilon_high of at least 1 for loss cispo, where it bounds the ratio itself and "
                f"not its distance from 1 (5.0 is usual), found {self.epsilon_high}"
            )
        return self


class RlooSection(ReinforcementSection):
    """REINFORCE leave-one-out: each completion against the mean of the others of its prompt; the
    distance from the model as it was is part of the reward (arXiv 2402.14740).
    """

    kind: Literal["rloo"]
    """REINFORCE leave-one-out."""


class RftSection(RewardedSection):
    """Rejection-sampling fine-tuning: sample completions of every prompt from the model as it is,
    keep those that the rewards call right, and learn to write them (arXiv 2308.01825).
    """

    kind: Literal["rft"]
    """Rejection-sampling fine-tuning."""
    samples: int = Field(default=8, ge=1, le=1024)
    """Completions of each prompt. More solve harder prompts and take longer."""
    threshold: float | None = None
    """Least reward of a completion that is kept. Left out: the most that all rewards give
    together, which a reward model or judge does not have."""
    most_kept: int = Field(default=4, ge=1)
    """Completions kept of one prompt, the best first; equal texts count once. More would let easy
    prompts outweigh hard ones."""

    @property
    def least(self) -> float:
        """The least reward that is kept."""
        if self.threshold is not None:
            return self.threshold
        tops = [one.weight for one in self.rewards if not isinstance(one, LengthReward)]
        return sum(tops)

    @model_validator(mode="after")
    def _threshold_is_known(self) -> Self:
        opinions = [one.shown for one in self.rewards if isinstance(one, ModelReward | JudgeReward)]
        if opinions and self.threshold is None:
            raise ValueError(f"a threshold, since {opinions[0]} has no highest value")
        return self
