"""The items of suites put to a model that is only served. No torch."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from evalsuite.asking.desk import RequestFailed
from evalsuite.asking.requests import ChatRequest, Reply, Turn
from evalsuite.asking.room import Room
from evalsuite.engine.questions import Sample, score_of, shown_prompt
from evalsuite.scorers import is_opinion
from evalsuite.tasks import Item, LoadedSuite, Task
from evalsuite.tasks.item import content_digest
from workspace.errors import UsageError

Key = tuple[str, str]


def askable(suites: Sequence[LoadedSuite]) -> tuple[tuple[LoadedSuite, ...], list[str]]:
    """Return the suites with the tasks alone that a chat endpoint can be put, and what is left out.

    Choices and perplexity need log-likelihoods of given texts, which such endpoints do not give.

    Raises:
        UsageError: nothing is left.
    """
    left, notes = [], []
    for suite in suites:
        tasks = tuple(task for task in suite.tasks if can_be_put(task.spec))
        notes += [
            f"{task.spec.name}: not put, {_why_not(task.spec)}"
            for task in suite.tasks
            if task not in tasks
        ]
        if tasks:
            left.append(replace(suite, tasks=tasks))
    if not left:
        raise UsageError(
            "no task can be put to an endpoint",
            cause="All are choices or perplexity, which need log-likelihoods, or benchmarks of "
            "lm_eval, or scored by another model.",
            cure="Add tasks of kind generation with a scorer of their own to a suite.",
        )
    return tuple(left), notes


def can_be_put(spec: Task) -> bool:
    """Whether a chat endpoint can be put a task, and its answers be scored here."""
    return spec.kind == "generation" and not is_opinion(spec.scorer)


def _why_not(spec: Task) -> str:
    if spec.kind == "generation":
        return "its answers are scored by another model"
    if spec.kind == "lm_eval":
        return "lm_eval asks benchmarks of loaded models"
    return f"an endpoint gives no log-likelihoods for {spec.kind}"


def put(
    suites: Sequence[LoadedSuite], room: Room, model: str, told: Callable[[int, int], None]
) -> dict[Key, list[Sample]]:
    """Ask every item at temperature 0 and score the answers; one that failed has no score (NaN).

    Args:
        suites: with generation tasks alone.
        room: the model, its log and its budget.
        model: its name in the samples.
        told: called with answers and items after each answer.

    Raises:
        BudgetGone, WorkError: as `Desk.ask`.
    """
    asked = [
        (suite, task.spec, item) for suite in suites for task in suite.tasks for item in task.items
    ]
    done = 0

    async def one(spec: Task, item: Item) -> Sample:
        nonlocal done
        began = time.monotonic()
        try:
            reply, _ = await room.desk.ask(_request(spec, item))
        except RequestFailed as failure:
            return _sample(spec, item, model, None, str(failure), time.monotonic() - began)
        finally:
            done += 1
            told(done, len(asked))
        return _sample(spec, item, model, reply, "", time.monotonic() - began)

    async def all_of_them() -> list[Sample]:
        return await asyncio.gather(*(one(spec, item) for _, spec, item in asked))

    found: dict[Key, list[Sample]] = {}
    for (suite, spec, _), sample in zip(asked, room.run(all_of_them()), strict=True):
        found.setdefault((suite.spec.name, spec.name), []).append(sample)
    return found


def _request(spec: Task, item: Item) -> ChatRequest:
    turns = tuple(Turn(message.role, message.content) for message in item.messages)
    # Equal questions of different items are different looks at the model.
    number = int(content_digest([spec.name, item.id])[:7], 16)
    return ChatRequest(turns, 0.0, 1.0, spec.max_new_tokens, seed=number)


def _sample(
    spec: Task, item: Item, model: str, reply: Reply | None, problem: str, seconds: float
) -> Sample:
    score = score_of(spec.scorer, reply.text, item) if reply else None
    return Sample(
        task=spec.name, ability=spec.measures, item_id=item.id, cluster=item.cluster, model=model,
        prompt=shown_prompt(item), gold=item.shown_gold, output=reply.text if reply else "",
        score=score.value if score else math.nan,
        detail=score.detail if score else problem,
        logprob=math.nan,
        prompt_tokens=reply.usage.input_tokens if reply else 0,
        output_tokens=reply.usage.output_tokens if reply else 0,
        latency_seconds=seconds,
        cut=bool(reply and reply.cut),
    )  # fmt: skip
