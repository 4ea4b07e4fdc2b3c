"""Rewards that are opinions: of a reward model, and of a judge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.models import ChatTokenizer, ModelSection, ModelSource
from evalsuite.models.context import context_length
from evalsuite.models.reward import find_reward_model
from evalsuite.models.rows import whole_row
from evalsuite.models.source import check_model_directory, is_hub_name
from train.reinforcement_sections import JudgeReward, ModelReward
from train.rewards import Completion, Plain, RewardPlace

if TYPE_CHECKING:
    from evalsuite.asking.judge import AnswerJudge
    from evalsuite.engine.classifier import Classifier


class ModelledReward(Plain):
    """The logit of a reward model, of the prompt and completion after its own template."""

    top: float | None = None
    compares: bool = True

    def __init__(self, section: ModelReward, base_dir: Path) -> None:
        self.section, self.base_dir = section, base_dir
        self.name, self.weight = section.shown, section.weight

    @cached_property
    def source(self) -> ModelSource:
        """The model's directory, checked as far as its config goes.

        Raises:
            ModelError: there is none, it is no reward model, or it has no chat template.
        """
        model = self.section.model
        assert model is not None  # a stage's is put in before it is asked for
        where = f"train.method.rewards: {model}"
        return find_reward_model(model, self.section.revision, self.base_dir, where=where)

    @cached_property
    def _tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer.from_dir(self.source.path)

    @cached_property
    def _longest(self) -> int:
        return context_length(check_model_directory(self.source.path))

    @cached_property
    def _classifier(self) -> Classifier:
        from evalsuite.engine.classifier import Classifier

        return Classifier.load(self.source.path, self.section.dtype, self._tokenizer.pad_id)

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return the logit of each; None where it is longer than the model reads."""
        chats = [self._read(one) for one in completions]
        found: list[float | None] = [None] * len(chats)
        fitting = [place for place, ids in enumerate(chats) if len(ids) <= self._longest]
        for places, rewards in self._classifier.rewards([chats[place] for place in fitting]):
            for place, value in zip(places, rewards, strict=True):
                found[fitting[place]] = value
        return found

    def _read(self, one: Completion) -> list[int]:
        if isinstance(one.prompt, str):
            row: dict[str, Any] = {"prompt": one.prompt, "completion": one.text}
        else:
            answer = {"role": "assistant", "content": one.text}
            row = {"prompt": list(one.prompt), "completion": [answer]}
        return whole_row(self._tokenizer, row)

    def notes(self) -> list[str]:
        """Return which model it is."""
        return [f"reward {self.name}: {self.source.name} (digest {self.source.digest[:12]})"]

    def close(self) -> None:
        """Let go of the weights."""
        self.__dict__.pop("_classifier", None)


class JudgedReward(Plain):
    """The grade of a judge, which is asked for once."""

    top: float | None = None
    compares: bool = True
    gaps: bool = True

    def __init__(self, section: JudgeReward, place: RewardPlace) -> None:
        self.section, self.place = section, place
        self.name, self.weight = section.shown, section.weight
        if not section.show_answer:
            self.compares = False
        self.ungraded = 0
        """Completions without a grade so far."""
        self._judge: AnswerJudge | None = None

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return the grade of each, 0 to 1; None where the judge's reply is no grade.

        Raises:
            LimitExceeded: the budget is gone.
            WorkError: the endpoint answers nobody.
        """
        from evalsuite.asking.judge import AnswerJudge, Judged

        if self._judge is None:
            log = self.place.directory / f"judge-{self.name}"
            self._judge = AnswerJudge(self.section, base_dir=self.place.base_dir, log=log)
        asked = [Judged(_question(one.prompt), one.text, one.gold) for one in completions]
        found = [grade.value for grade in self._judge.grades(asked)]
        self.ungraded += found.count(None)
        return found

    def notes(self) -> list[str]:
        """Return who is shown what, and what it cost."""
        told = [f"reward {self.name}: completions are shown to {self.section.backend.described}"]
        if self._judge is not None:
            told.append(f"reward {self.name}: {self._judge.spent}")
        if self.ungraded:
            told.append(f"! reward {self.name}: {self.ungraded:,} completions got no grade")
        return told

    def close(self) -> None:
        """Close the judge and its log."""
        if self._judge is not None:
            self._judge.close()
            self._judge = None


def _question(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return str(prompt[0]["content"])
    return "\n".join(f"{turn['role'].upper()}: {turn['content']}" for turn in prompt)


def _is_here(section: ModelReward, base_dir: Path) -> bool:
    """Whether it can be looked at now: a stage's is made, a hub's fetched, by the run."""
    named = section.model
    return named is not None and not is_hub_name(ModelSection(path=named), base_dir)


def demand_rewards(sections: Sequence[Any], base_dir: Path) -> list[str]:
    """Refuse rewards that cannot work here, before a row is read; return what should be known.

    Raises:
        UsageError: a library, isolation or key is missing.
        ModelError: a reward model that is none.
    """
    from evalsuite.asking.backends.opening import check_backend
    from train.reinforcement_sections import ScoreReward
    from train.rewards import Scored

    told: list[str] = []
    for section in sections:
        if isinstance(section, ScoreReward):
            told += Scored(section, base_dir).notes()
        elif isinstance(section, ModelReward) and _is_here(section, base_dir):
            told += ModelledReward(section, base_dir).notes()
        elif isinstance(section, JudgeReward):
            check_backend(section.backend)
    return told
