"""Rewards of drawn answers, by a sequence classification model on this machine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.asking.requests import Turn
from evalsuite.models import ChatTokenizer, ModelSource
from evalsuite.models.context import context_length
from evalsuite.models.reward import find_reward_model
from evalsuite.models.rows import whole_row
from evalsuite.models.source import check_model_directory

if TYPE_CHECKING:
    from curate.synth.generators.configs import Rewarding
    from evalsuite.engine.classifier import Classifier


class RewardModel:
    """Says what answers are worth; loaded when the first is asked about.

    The answers to one question are read together and questions one after the other, so that
    neither neighbours nor the order in which replies come change a reward.
    """

    def __init__(self, config: Rewarding) -> None:
        self.config = config
        self._one_at_a_time = asyncio.Lock()

    @cached_property
    def source(self) -> ModelSource:
        """Its directory. Raises as `reward_source`."""
        return reward_source(self.config, Path())

    @property
    def described(self) -> str:
        """What made rows say of it: the same wherever it lies."""
        return f"reward of model {self.source.digest[:12]}"

    @cached_property
    def _tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer.from_dir(self.source.path)

    @cached_property
    def _classifier(self) -> Classifier:
        from evalsuite.engine.classifier import Classifier

        return Classifier.load(self.source.path, self.config.dtype, self._tokenizer.pad_id)

    async def rewards(self, turns: Sequence[Turn], texts: Sequence[str]) -> list[float | None]:
        """Return the logit of each answer to `turns`, in the chat template of the model.

        None: the model does not read so much, or memory does not suffice.

        Raises:
            ModelError: it cannot be loaded, or its template refuses the chat.
        """
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._measure, turns, texts)

    def _measure(self, turns: Sequence[Turn], texts: Sequence[str]) -> list[float | None]:
        prompt = [{"role": turn.role, "content": turn.content} for turn in turns]
        chats = [self._read(prompt, text) for text in texts]
        longest = context_length(check_model_directory(self.source.path))
        fitting = [place for place, ids in enumerate(chats) if len(ids) <= longest]
        found: list[float | None] = [None] * len(chats)
        for places, rewards in self._classifier.rewards([chats[place] for place in fitting]):
            for place, value in zip(places, rewards, strict=True):
                known = value is not None and math.isfinite(value)
                found[fitting[place]] = value if known else None
        return found

    def _read(self, prompt: list[dict[str, str]], text: str) -> list[int]:
        answer = {"role": "assistant", "content": text}
        row: dict[str, Any] = {"prompt": prompt, "completion": [answer]}
        return whole_row(self._tokenizer, row)


def reward_source(config: Rewarding, base_dir: Path) -> ModelSource:
    """Return the directory of a reward model, checked as far as its config goes.

    Raises:
        ModelError: there is none, or it is no sequence classification model with one label.
    """
    where = f"preference.reward: {config.model}"
    return find_reward_model(config.model, config.revision, base_dir, where=where)
