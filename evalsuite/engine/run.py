"""Asking one model everything: batches, the store of answers, memory that runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch

from evalsuite.engine.batching import Batch, BatchLimits, common_stem, plan_batches
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine, is_out_of_memory
from evalsuite.engine.generate import generate
from evalsuite.engine.loglikelihood import score_choices
from evalsuite.engine.perplexity import score_texts
from evalsuite.engine.prefill import Stem
from evalsuite.engine.requests import (
    Answer,
    ChoiceRequest,
    GenerateRequest,
    NoProbability,
    Request,
    TextRequest,
)
from workspace.errors import EvaluationInvalid, WorkError


class GaveNaN(EvaluationInvalid):
    """A model's weights are damaged, or overflow in this precision."""

    def __init__(self, index: int) -> None:
        super().__init__(
            "the model gave NaN",
            cause="Its weights are damaged or overflow in this precision.",
            cure="Try `model.dtype: float32`; if it stays, the run itself has diverged.",
        )
        self.index = index
        """Of the request that was answered so."""


OnBatch = Callable[[int], None]
"""Called after each batch with the number of requests it answered."""

_RUNNERS: dict[str, Callable[[Engine, Sequence[Any]], Sequence[Answer]]] = {
    GenerateRequest.kind: generate,
    ChoiceRequest.kind: score_choices,
    TextRequest.kind: score_texts,
}


@dataclass
class Pass:
    """Requests in their batches, to be put to several models alike."""

    requests: Sequence[Request]
    batches: list[Batch] = field(default_factory=list)
    halvings: int = 0
    """How often a batch was halved for want of memory; later models get the halves."""
    stem: tuple[int, ...] = ()
    """What all prompts begin with, read once for each model."""

    @classmethod
    def plan(cls, requests: Sequence[Request], limits: BatchLimits) -> Pass:
        """Put `requests` into batches."""
        stem = common_stem(requests)
        return cls(requests, plan_batches(requests, limits, len(stem)), stem=stem)


@dataclass(frozen=True)
class Answers:
    """What one model answered."""

    answers: tuple[Answer, ...]
    """In the order of the requests."""
    reused: int
    """How many came from the store."""


def ask(
    engine: Engine,
    asked: Pass,
    store: AnswerStore | None = None,
    on_batch: OnBatch = lambda count: None,
) -> Answers:
    """Answer every request of `asked`.

    Raises:
        WorkError: one request alone does not fit in memory.
        GaveNaN: the model did, at one of the requests.
    """
    found: list[Answer | None] = [None] * len(asked.requests)
    engine = replace(engine, stem=Stem(asked.stem) if asked.stem else None)
    reused = 0
    waiting = list(reversed(asked.batches))
    done: list[Batch] = []
    while waiting:
        batch = waiting.pop()
        requests = [asked.requests[index] for index in batch.indices]
        answers = store.get(batch.key, [request.kind for request in requests]) if store else None
        if answers is None:
            try:
                answers = _answered(engine, requests)
            except NoProbability as error:
                raise GaveNaN(batch.indices[error.place]) from error
            if answers is None:
                asked.halvings += 1
                waiting += reversed(batch.halves(asked.requests))
                continue
            if store:
                store.put(batch.key, answers)
        elif store and not store.is_fresh(batch.key):
            reused += len(answers)
        for index, answer in zip(batch.indices, answers, strict=True):
            found[index] = answer
        done.append(batch)
        on_batch(len(answers))
    asked.batches = done
    return Answers(tuple(cast("list[Answer]", found)), reused)


def _answered(engine: Engine, requests: Sequence[Request]) -> list[Answer] | None:
    """Return the answers, or None if the batch is too large for the memory there is."""
    try:
        return list(_RUNNERS[requests[0].kind](engine, requests))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if len(requests) == 1:
            raise WorkError(
                "one item alone does not fit in memory",
                cause=f"It takes {requests[0].size} tokens.",
                cure="Use a larger GPU, bfloat16, or shorter items.",
            ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None
