"""The training loop of the built-in model: answers only, no token wasted on padding or prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from evalsuite.builtin.muon import Muon
from evalsuite.builtin.pretraining import Message, Mixture, draw_chats
from evalsuite.builtin.tokens import segments

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: a linear warm-up, then a line from one rate to another."""

    steps: int
    first: float = 1.0
    """Rate at the start of the line, as a share of the highest; more than 1 counts as 1."""
    last: float = 0.0
    """Rate at its end."""
    warmup: int = 40
    chats: int = 64
    """Chats in a step."""
    chunks: int = 6
    """Parts of a step, sorted by length, each padded to its own longest chat."""
    muon_lr: float = 0.02
    adam_lr: float = 3e-3

    def rate(self, step: int) -> float:
        """Share of the highest rate at `step`, from 0."""
        line = self.first + (self.last - self.first) * step / self.steps
        return min(1.0, (step + 1) / self.warmup, line)


@dataclass(frozen=True)
class Encoded:
    """A chat as tokens."""

    ids: list[int]
    trained: list[bool]
    """True where the token belongs to an answer or ends one."""


def fit(
    model: Any,
    tokenizer: Tokenizer,
    schedule: Schedule,
    mixture: Mixture,
    *,
    seed: int = 0,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Trains in place; `on_step` gets the steps done and the mean loss per answer token."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    ids = {id(p) for p in hidden}
    muon = Muon(hidden)
    adam = torch.optim.AdamW(
        [p for p in model.parameters() if id(p) not in ids],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    stream = encoded_chats(tokenizer, seed, mixture)
    model.train()
    step = 0
    while step < schedule.steps:
        rate = schedule.rate(step)
        loss = _accumulate(model, list(islice(stream, schedule.chats)), schedule.chunks)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = rate * schedule.adam_lr
        adam.step()
        muon.step(rate * schedule.muon_lr)
        model.zero_grad(set_to_none=True)
        step += 1
        on_step(step, loss)
    model.eval()


def encoded_chats(tokenizer: Tokenizer, seed: int, mixture: Mixture) -> Iterator[Encoded]:
    """The endless pre-training stream, tokenised in batches."""
    chats = draw_chats(seed, mixture)
    while True:
        batch: list[list[Message]] = list(islice(chats, 512))
        pieces = [segments(chat) for chat in batch]
        encoded = iter(tokenizer.encode_batch([text for p in pieces for text, _ in p]))
        for chat in pieces:
            ids: list[int] = []
            trained: list[bool] = []
            for _, is_answer in chat:
                tokens = next(encoded).ids
                ids += tokens
                trained += [is_answer] * len(tokens)
            yield Encoded(ids, trained)


def _accumulate(model: Any, chats: list[Encoded], chunks: int) -> float:
    """Adds the gradient of the mean loss per answer token; returns that loss."""
    chats = sorted(chats, key=lambda chat: len(chat.ids))
    size = -(-len(chats) // chunks)
    answer_tokens = sum(sum(chat.trained) for chat in chats)
    total = 0.0
    for first in range(0, len(chats), size):
        ids, trained = _pad(chats[first : first + size])
        # Padding follows the chat and attention is causal, so no mask is needed; the output matrix
        # is applied to answer positions alone.
        states = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = trained[:, 1:]
        logits = model.lm_head(states[wanted])
        loss = functional.cross_entropy(logits, ids[:, 1:][wanted], reduction="sum")
        loss = loss / answer_tokens
        torch.autograd.backward(loss)
        total += loss.item()
    return total


def _pad(chats: list[Encoded]) -> tuple[Tensor, Tensor]:
    length = max(len(chat.ids) for chat in chats)
    ids = torch.zeros(len(chats), length, dtype=torch.long)
    trained = torch.zeros(len(chats), length, dtype=torch.bool)
    for row, chat in enumerate(chats):
        ids[row, : len(chat.ids)] = torch.tensor(chat.ids)
        trained[row, : len(chat.ids)] = torch.tensor(chat.trained)
    return ids, trained
