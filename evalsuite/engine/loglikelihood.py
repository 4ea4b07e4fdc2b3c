"""Log-likelihood of choices: the prompt is read once, its key-value cache shared by all choices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from evalsuite.engine.forward import Engine, pad_right, positions_of, token_logprobs
from evalsuite.engine.prefill import prefill
from evalsuite.engine.requests import ChoiceAnswer, ChoiceRequest, NoProbability


@dataclass
class _Choice:
    """One continuation of one prompt."""

    prompt: int
    tokens: tuple[int, ...]
    logprob: float = 0.0
    is_greedy: bool = True


@torch.inference_mode()
def score_choices(engine: Engine, requests: Sequence[ChoiceRequest]) -> list[ChoiceAnswer]:
    """Return summed natural-log likelihoods of every choice, float32 log-softmax.

    Raises:
        NoProbability: the model gave NaN.
    """
    started = time.perf_counter()
    choices = [
        [_Choice(index, tokens) for tokens in request.choices]
        for index, request in enumerate(requests)
    ]
    every = [choice for group in choices for choice in group]
    prompts = [request.prompt for request in requests]
    if engine.selects_rows:
        first, mask, _, cache = prefill(engine, prompts)
        _add_first_tokens(first, every)
        longer = [choice for choice in every if len(choice.tokens) > 1]
        _add_other_tokens(engine, mask, cache, longer)
    else:
        _read_whole(engine, prompts, every)
    for choice in every:
        if choice.logprob != choice.logprob:
            raise NoProbability(choice.prompt)
    seconds = (time.perf_counter() - started) / len(requests)
    return [
        ChoiceAnswer(
            tuple(choice.logprob for choice in group),
            tuple(choice.is_greedy for choice in group),
            seconds,
        )
        for group in choices
    ]


def _add_first_tokens(logits: Tensor, choices: Sequence[_Choice]) -> None:
    rows = logits[[choice.prompt for choice in choices]]
    tokens = torch.tensor([choice.tokens[0] for choice in choices], device=logits.device)
    found = token_logprobs(rows, tokens).tolist()
    best = rows.argmax(dim=-1).eq(tokens).tolist()
    for choice, logprob, is_best in zip(choices, found, best, strict=True):
        choice.logprob, choice.is_greedy = logprob, is_best


def _add_other_tokens(
    engine: Engine, mask: Tensor, cache: DynamicCache, choices: Sequence[_Choice]
) -> None:
    """Add the tokens after the first of every choice that has them, all choices in one pass."""
    if not choices:
        return
    prompts = torch.tensor([choice.prompt for choice in choices], device=engine.device)
    cache.batch_select_indices(prompts)
    ids, own = pad_right([choice.tokens[:-1] for choice in choices], engine.pad_id, engine.device)
    targets, _ = pad_right([choice.tokens[1:] for choice in choices], engine.pad_id, engine.device)
    before = mask[prompts]
    whole = torch.cat([before, own], dim=1)
    positions = before.sum(dim=1, keepdim=True) + positions_of(own)
    logits = engine.logits(ids, whole, positions, cache, keep=0)
    found = token_logprobs(logits, targets).double() * own
    best = logits.argmax(dim=-1).eq(targets) | own.eq(0)
    sums, greedy = found.sum(dim=1).tolist(), best.all(dim=1).tolist()
    for choice, logprob, is_best in zip(choices, sums, greedy, strict=True):
        choice.logprob += logprob
        choice.is_greedy = choice.is_greedy and is_best


def _read_whole(
    engine: Engine, prompts: Sequence[Sequence[int]], choices: Sequence[_Choice]
) -> None:
    """Read every choice with its prompt: for models whose state cannot be handed to many rows."""
    rows = [[*prompts[choice.prompt], *choice.tokens[:-1]] for choice in choices]
    ids, mask = pad_right(rows, engine.pad_id, engine.device)
    logits = engine.logits(ids, mask, positions_of(mask), None, keep=0)
    for row, choice in enumerate(choices):
        end, count = len(rows[row]), len(choice.tokens)
        targets = torch.tensor(choice.tokens, device=engine.device)
        own = logits[row, end - count : end]
        choice.logprob = float(token_logprobs(own, targets).double().sum())
        choice.is_greedy = bool(own.argmax(dim=-1).eq(targets).all())
