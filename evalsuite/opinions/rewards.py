"""Rewards: the number that a sequence classification model gives question and answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from evalsuite.engine.classifier import Classifier
from evalsuite.engine.questions import Sample
from evalsuite.models import ChatTokenizer
from evalsuite.models.context import context_length
from evalsuite.models.rows import whole_row
from evalsuite.models.source import check_model_directory
from evalsuite.opinions.asked import Answered, Judgement, Opinion, Tell, first_problem
from evalsuite.report.judgements import JudgeRecord
from evalsuite.scorers import RewardModelScorer
from evalsuite.tasks import Item


def reward(answered: Answered, scorer: RewardModelScorer, tell: Tell) -> Judgement:
    """Return the rewards of all models' answers.

    Raises:
        ModelError: the reward model cannot be loaded, or its template refuses the messages.
    """
    source = scorer.found
    tokenizer = ChatTokenizer.from_dir(source.path)
    longest = context_length(check_model_directory(source.path))
    tell(f"loading the reward model {source.name}")
    classifier = Classifier.load(source.path, scorer.dtype, tokenizer.pad_id)
    found = {}
    for model, samples in answered.samples.items():
        tell(f"rewarding {answered.task.spec.name} of {model}")
        chats = _chats(tokenizer, answered.task.items, samples)
        found[model] = _opinions(classifier, chats, longest, tell)
    every = [one for opinions in found.values() for one in opinions]
    record = JudgeRecord(
        suite=answered.suite.spec.name,
        task=answered.task.spec.name,
        ability=answered.ability,
        kind="reward_model",
        judge=f"{source.name} on this machine",
        digest=source.digest,
        ungraded=sum(math.isnan(one.value) for one in every),
        problem=first_problem(every),
    )
    return Judgement(found, record)


def _chats(
    tokenizer: ChatTokenizer, items: Sequence[Item], samples: Sequence[Sample]
) -> list[list[int]]:
    """Return each conversation with its answer after the reward model's own template."""
    chats = []
    for item, sample in zip(items, samples, strict=True):
        row: dict[str, Any] = {
            "prompt": item.chat(),
            "completion": [{"role": "assistant", "content": sample.output}],
        }
        chats.append(whole_row(tokenizer, row))
    return chats


def _opinions(
    classifier: Classifier, chats: Sequence[Sequence[int]], longest: int, tell: Tell
) -> list[Opinion]:
    fitting = [place for place, ids in enumerate(chats) if len(ids) <= longest]
    found = [
        Opinion(detail=f"{len(ids)} tokens are more than the {longest} that the reward model reads")
        for ids in chats
    ]
    for places, rewards in classifier.rewards([chats[place] for place in fitting]):
        tell("")
        for place, value in zip(places, rewards, strict=True):
            found[fitting[place]] = _opinion(value)
    return found


def _opinion(value: float | None) -> Opinion:
    if value is None:
        return Opinion(detail="memory does not suffice for this answer alone")
    if not math.isfinite(value):
        return Opinion(detail=f"the reward model gave {value}")
    return Opinion(value, f"reward {value:.3f}")
