"""One served model: items in, scored samples out; nothing is paid for twice."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.asking.backends.endpoint import EndpointBackend
from evalsuite.asking.budget import Budget
from evalsuite.asking.desk import Answer, Desk, RequestFailed
from evalsuite.asking.purse import BudgetGone
from evalsuite.asking.requests import ChatRequest, Reply, Turn
from evalsuite.asking.room import Room
from evalsuite.engine.questions import Sample, score_of, shown_prompt
from evalsuite.engine.unmeasured import Unmeasured
from evalsuite.served.likelihood import LikelihoodBackend
from evalsuite.stats.choice import pick
from evalsuite.tasks import Item, LoadedTask, Task
from evalsuite.tasks.item import content_digest
from workspace.errors import LimitExceeded

_AT_ONCE = 4
"""Rounds of requests under way between two looks at whether to stop."""
OnAnswers = Callable[[int], None]


class CannotMeasure(Exception):
    """A task has no scores by this model."""

    def __init__(self, why: Unmeasured) -> None:
        super().__init__(why.reason)
        self.why = why


@dataclass(frozen=True)
class Likelihood:
    """What a server says of one choice."""

    logprob: float
    tokens: int
    prompt_tokens: int
    reason: str = ""
    """Why it says nothing."""

    @classmethod
    def of(cls, reply: Reply) -> Likelihood:
        """Read a reply of `LikelihoodBackend`."""
        told = json.loads(reply.text)
        if "reason" in told:
            return cls(math.nan, 0, 0, str(told["reason"]))
        return cls(float(told["logprob"]), int(told["tokens"]), reply.usage.input_tokens)


@dataclass
class ServedModel:
    """A model behind an address, with the log of what it answered."""

    name: str
    config: EndpointConfig
    room: Room
    likelihood: Desk
    log: Path
    """Directory of the log: removed once the results are on disk, as what is behind an address
    may be another model tomorrow."""
    remembered: str = ""
    """What an interrupted evaluation has left."""

    @classmethod
    def open(cls, name: str, config: EndpointConfig, budget: Budget, logs: Path) -> ServedModel:
        """Open the log and the client.

        Raises:
            UsageError: another evaluation asks this model, or its key is not set.
        """
        log = logs / content_digest([config.base_url, config.model])
        file = log / "requests.jsonl"
        when = datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.is_file() else None
        room = Room(
            config, budget, base_dir=Path(), log=log, what=f"evaluation of {config.described}",
            cure="Wait until it has ended, or stop it: see `temper jobs`.",
        )  # fmt: skip
        assert isinstance(room.backend, EndpointBackend)
        room.backend.takes_empty = True

        async def beside() -> Desk:
            desk = room.desk
            backend = LikelihoodBackend(config)
            return Desk(backend, room.log, desk.purse, stopping=desk.stopping)

        note = ""
        if when is not None and len(room.log):
            note = (
                f"{len(room.log):,} answers of {name} are those that an interrupted evaluation got "
                f"before {when:%Y-%m-%d %H:%M} UTC"
            )
        return cls(name, config, room, room.run(beside()), log, note)

    def close(self) -> None:
        """Close clients, loop and log."""
        self.room.run(self.likelihood.backend.close())
        self.room.close()

    def samples(
        self, task: LoadedTask, on_answers: OnAnswers, *, again: bool = False
    ) -> list[Sample]:
        """Return the scored answers to a task.

        Args:
            task: whose items are asked.
            on_answers: told the number of answers after every few; may raise to stop.
            again: ask as if the answers were not known.

        Raises:
            CannotMeasure: a request was given up, or the server does not give what the task takes.
            LimitExceeded: the budget is gone.
            WorkError: the server answers nobody.
        """
        spec = task.spec
        if spec.kind == "perplexity":
            reason = f"{self.name}: a served model does not tell how likely a text is"
            raise CannotMeasure(Unmeasured("incompatible", reason))
        if spec.kind == "choice":
            return self._chosen(spec, task.items, on_answers)
        asks = [_asked(item, spec.max_new_tokens, sample=int(again)) for item in task.items]
        replies = self._all(self.room.desk, asks, on_answers, each=1)
        return [
            self._written(spec, item, reply)
            for item, reply in zip(task.items, replies, strict=True)
        ]

    def _written(self, spec: Task, item: Item, reply: Reply) -> Sample:
        score = score_of(spec.scorer, reply.text, item)
        return Sample(
            spec.name, spec.measures, item.id, item.cluster, self.name, shown_prompt(item),
            item.shown_gold, reply.text, score.value if score else math.nan,
            score.detail if score else "", math.nan, reply.usage.input_tokens,
            reply.usage.output_tokens, math.nan, reply.cut,
        )  # fmt: skip

    def _chosen(self, spec: Task, items: Sequence[Item], on_answers: OnAnswers) -> list[Sample]:
        def ask(asks: Sequence[ChatRequest], told: OnAnswers, each: float) -> list[Likelihood]:
            replies = self._all(self.likelihood, asks, told, each=each)
            found = [Likelihood.of(reply) for reply in replies]
            reason = next((one.reason for one in found if one.reason), "")
            if reason:
                raise CannotMeasure(Unmeasured("incompatible", f"{self.name}: {reason}"))
            return found

        ask(_choices(items[0])[:1], lambda count: None, 1)  # before all others are paid for
        asks = [one for item in items for one in _choices(item)]
        found = iter(ask(asks, on_answers, len(asks) / len(items)))
        return [self._choice(spec, item, [next(found) for _ in item.choices]) for item in items]

    def _choice(self, spec: Task, item: Item, told: Sequence[Likelihood]) -> Sample:
        best = getattr(pick([one.logprob for one in told], item.choices), spec.metric)
        right = item.choices[best] == item.gold
        return Sample(
            spec.name, spec.measures, item.id, item.cluster, self.name, shown_prompt(item),
            item.gold, item.choices[best], float(right), "" if right else "another choice",
            told[best].logprob, told[best].prompt_tokens, told[best].tokens, math.nan, False,
        )  # fmt: skip

    def _all(
        self, desk: Desk, asks: Sequence[ChatRequest], on_answers: OnAnswers, *, each: float
    ) -> list[Reply]:
        """Ask everything, some at a time; tell answers by the item, of `each` requests."""
        step = max(1, self.config.concurrency * _AT_ONCE)
        replies: list[Reply] = []
        for start in range(0, len(asks), step):
            found = self.room.run(_gathered(desk, asks[start : start + step]))
            self._check(found, len(asks))
            before = int(len(replies) / each)
            replies += [one[0] for one in found if not isinstance(one, BaseException)]
            on_answers(int(len(replies) / each) - before)
        return replies

    def _check(self, found: Sequence[Answer | BaseException], count: int) -> None:
        failed = [one for one in found if isinstance(one, BaseException)]
        for one in failed:
            if isinstance(one, BudgetGone):
                raise LimitExceeded(
                    f"the budget for {self.name} is gone",
                    where=self.config.described,
                    cause=f"The next request could exceed `evaluate.served.budget.{one.limit}`.",
                    cure="Raise it, and the same command goes on: what was answered is kept.",
                ) from one
            if not isinstance(one, RequestFailed):
                raise one
        if failed:
            reason = (
                f"{self.name}: {len(failed):,} of {count:,} requests were given up, the first "
                f"with: {failed[0]}"
            )
            raise CannotMeasure(Unmeasured("error", reason))


def _asked(item: Item, longest: int, *, sample: int = 0) -> ChatRequest:
    turns = tuple(Turn(message.role, message.content) for message in item.messages)
    return ChatRequest(turns, 0.0, 1.0, longest, 0, sample)


def _choices(item: Item) -> list[ChatRequest]:
    """Return one request per choice: the chat with the choice as the answer's beginning."""
    bare = _asked(item, 1)
    return [
        ChatRequest((*bare.messages, Turn("assistant", choice)), 0.0, 1.0, 1, 0)
        for choice in item.choices
    ]


async def _gathered(desk: Desk, asks: Sequence[ChatRequest]) -> list[Answer | BaseException]:
    return await asyncio.gather(*(desk.ask(one) for one in asks), return_exceptions=True)
