"""Rewards of whole chats by a sequence classification model with one label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.steps.base import StepContext
from curate.steps.scoring.base import Found, Measured, Record
from curate.steps.scoring.chats import check_known, check_length, supervised, whole_chat
from curate.steps.scoring.configs import Reward
from curate.steps.scoring.language_model import TOO_LARGE, by_passages, finite
from curate.steps.scoring.models import scoring_model

if TYPE_CHECKING:
    from evalsuite.engine.classifier import Classifier

VERSION = 1
Chats = tuple[list[int], ...]


class RewardScorer:
    """The one logit of the model over all tokens of the chat after its template.

    Of type preference both sides are scored, and margin = reward(chosen) − reward(rejected), as
    Bradley and Terry's model of preferences has it: p(chosen is better) = 1 / (1 + exp(−margin)).
    """

    def __init__(self, config: Reward, context: StepContext) -> None:
        self.model = scoring_model(config.model, config.revision, context)
        self.kind = context.type
        self.dtype = config.dtype
        own = config.column
        self.columns: tuple[str, ...] = (own,)
        if self.kind == "preference":
            self.columns = (own, f"{own}_rejected", f"{own}_margin")
        self.described = f"{self.model.source.name} on this machine"
        self.fingerprint: Mapping[str, Any] = {
            "kind": "reward",
            "version": VERSION,
            "type": context.type,
            "model": self.model.source.digest,
            "dtype": config.dtype,
        }
        self._classifier: Classifier | None = None

    def excused(self, source: str | None, user_id: str | None) -> str:
        """Any row may be scored."""
        return ""

    def measure(self, records: Sequence[Record]) -> Found:
        """Yield the reward of each row, of both answers and their difference for a preference."""
        yield from by_passages(records, self._chats, self._measure)

    def _chats(self, record: Record) -> Chats:
        sides = ("chosen", "rejected") if self.kind == "preference" else ("chosen",)
        model = self.model
        chats = tuple(
            whole_chat(model.tokenizer, supervised(record, self.kind, side)) for side in sides
        )
        for ids in chats:
            check_length(ids, model.context)
            check_known(ids, model.vocabulary, model.tokenizer)
        return chats

    def _measure(self, rows: Sequence[Chats]) -> Found:
        from evalsuite.engine.classifier import Classifier

        if self._classifier is None:
            pad = self.model.tokenizer.pad_id
            self._classifier = Classifier.load(self.model.path, self.dtype, pad)
        sides = len(rows[0])
        chats = [ids for row in rows for ids in row]
        known: dict[int, float | None] = {}
        for places, rewards in self._classifier.rewards(chats):
            known.update(zip(places, rewards, strict=True))
            done = [
                row
                for row in sorted({place // sides for place in places})
                if all(row * sides + side in known for side in range(sides))
            ]
            if done:
                yield (
                    done,
                    [self._found([known[row * sides + i] for i in range(sides)]) for row in done],
                )

    def _found(self, rewards: Sequence[float | None]) -> Measured:
        known = [one for one in rewards if one is not None]
        if len(known) < len(rewards):
            return TOO_LARGE
        return finite(*known, *([known[0] - known[1]] if len(known) == 2 else []))

    def notes(self) -> tuple[str, ...]:
        """Nothing more."""
        return ()

    def close(self) -> None:
        """Let go of the weights."""
        self._classifier = None
