"""Reading a model for parity: its answers, and what it thinks of others' answers. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.engine.forward import Engine, pad_right, positions_of
from evalsuite.engine.generate import generate
from evalsuite.engine.requests import GenerateRequest
from evalsuite.engine.sides import Resident, full_model
from evalsuite.engine.subjects import Subject
from evalsuite.models import ModelSource
from evalsuite.models.load import Placement
from train.export.parity import Gap
from train.export.prompts import ANSWER_TOKENS, Prompt

_MOST_BYTES = 512 * 1024**2
"""Memory for log-probabilities of a whole vocabulary at every compared token."""
TOGETHER = 4
"""Prompts in a batch, where the order of arithmetic is to differ."""


@dataclass(frozen=True)
class Answered:
    """The run's own greedy answers, which every reading is compared on."""

    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]

    def texts(self) -> list[tuple[int, ...]]:
        """Return prompt and answer of each, as the model reads them."""
        return [p + a for p, a in zip(self.prompts, self.answers, strict=True)]


def answer(engine: Engine, prompts: Sequence[Prompt], stop_ids: frozenset[int]) -> Answered:
    """Let a model answer greedily, each prompt by itself."""
    stops = tuple(sorted(stop_ids))
    given = [
        generate(engine, [GenerateRequest(prompt.ids, ANSWER_TOKENS, stops)])[0].output
        for prompt in prompts
    ]
    return Answered(tuple(prompt.ids for prompt in prompts), tuple(given))


@torch.inference_mode()
def log_probabilities(engine: Engine, answered: Answered, *, together: int = 1) -> list[Tensor]:
    """Return what a model gives every next token, from the answer's first to behind its last.

    Args:
        engine: the model.
        answered: the texts.
        together: how many are read in one batch.

    Returns:
        For each text, float32 [answer tokens + 1, vocabulary] on the CPU, in natural logarithms;
        texts beyond the memory for it are left out at the end.
    """
    out: list[Tensor] = []
    held = 0
    texts = answered.texts()
    for first in range(0, len(texts), together):
        batch = texts[first : first + together]
        ids, mask = pad_right(batch, engine.pad_id, engine.device)
        logits = engine.logits(ids, mask, positions_of(mask), None, keep=0)
        for row, text in enumerate(batch):
            start = len(answered.prompts[first + row]) - 1
            found = logits[row, start : len(text)].log_softmax(dim=-1).cpu()
            held += found.numel() * found.element_size()
            if held > _MOST_BYTES and out:
                return out
            out.append(found)
    return out


def gap(run: Sequence[Tensor], other: Sequence[Tensor]) -> Gap:
    """Compare two readings of the same texts."""
    tokens = top = 0
    total = largest = 0.0
    for ours, theirs in zip(run, other, strict=False):
        size = min(ours.shape[-1], theirs.shape[-1])  # vocabularies may be padded
        ours, theirs = ours[:, :size].double(), theirs[:, :size].double()
        shares = ours.exp()
        kl = torch.where(shares > 0, shares * (ours - theirs), 0.0).sum(dim=-1)
        tokens += len(kl)
        total += float(kl.sum())
        largest = max(largest, float(kl.max()))
        top += int((ours.argmax(dim=-1) != theirs.argmax(dim=-1)).sum())
    mean = total / tokens
    return Gap(tokens, mean if mean != mean else max(0.0, mean), largest, top)


@contextmanager
def run_engine(
    subject: Subject, base: ModelSource, placement: Placement, pad_id: int
) -> Iterator[Engine]:
    """Load a run's model as it was published.

    The base is the unquantised one, also where the adapter was trained on 4 bits: that is what is
    merged.
    """
    if subject.kind == "full":
        with full_model(subject, placement, pad_id) as engine:
            yield engine
        return
    with Resident.load(base, placement, pad_id).wearing(subject) as worn:
        yield worn.engine
