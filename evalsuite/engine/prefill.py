"""Reading prompts: what they begin with alike is read once. Imports torch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from evalsuite.engine.forward import Engine, pad_left, positions_of
from evalsuite.engine.prefixes import SHORTEST_SHARED, Family, families, shared_prefix

_WORTH = 0.9
"""A further pass must spare at least a tenth of the positions."""


class Stem:
    """What all prompts of a task begin with (a system turn, examples), kept as read by one model.

    Where it ends is the task's, not the batch's: sums are rounded alike in whatever order batches
    are answered.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = tuple(ids)
        self._cache: DynamicCache | None = None

    def begins(self, prompts: Sequence[Sequence[int]]) -> bool:
        """Whether all prompts begin with it and go on."""
        length = len(self.ids)
        return all(
            len(prompt) > length and tuple(prompt[:length]) == self.ids for prompt in prompts
        )

    def cache(self, engine: Engine) -> DynamicCache:
        """Return a cache of one row that may be changed; the model reads at the first call."""
        if self._cache is None:
            self._cache = engine.new_cache()
            ids = torch.tensor([self.ids], device=engine.device)
            mask = torch.ones_like(ids)
            engine.logits(ids, mask, positions_of(mask), self._cache, keep=1)
        fresh = copy.copy(self._cache)
        # Layers put new tensors in the place of old ones and never write into them.
        fresh.layers = [copy.copy(layer) for layer in self._cache.layers]
        return fresh


class Prefilled(NamedTuple):
    """Prompts as read."""

    logits: Tensor
    """Of the next token, float32 [rows, vocabulary]."""
    mask: Tensor
    """[rows, cached tokens], 1 where attended to."""
    next_positions: Tensor
    """Position of the next token, [rows, 1]."""
    cache: DynamicCache


def prefill(engine: Engine, prompts: Sequence[Sequence[int]]) -> Prefilled:
    """Read all prompts.

    Up to three passes: what all begin with (kept over batches where the engine has a stem), what
    groups of them begin with (questions on one passage), and what is each prompt's own.
    """
    stem = _stem(engine, prompts)
    done = len(stem.ids)
    cache = stem.cache(engine) if done else engine.new_cache()
    groups = _worthwhile(prompts, done) if engine.shares_prefixes else []
    rows = len(groups) or len(prompts)
    if done and rows > 1:
        cache.batch_repeat_interleave(rows)
    mask = torch.ones((rows, done), dtype=torch.long, device=engine.device)
    ends = [done] * len(prompts)
    if groups:
        heads = [prompts[group.members[0]][done : group.length] for group in groups]
        _, mask = _read(engine, heads, mask, cache)
        for group in groups:
            for member in group.members:
                ends[member] = group.length
        owner = {member: number for number, group in enumerate(groups) for member in group.members}
        chosen = torch.tensor([owner[row] for row in range(len(prompts))], device=engine.device)
        cache.batch_select_indices(chosen)
        mask = mask[chosen]
    rests = [prompt[end:] for prompt, end in zip(prompts, ends, strict=True)]
    logits, mask = _read(engine, rests, mask, cache)
    return Prefilled(logits, mask, mask.sum(dim=1, keepdim=True), cache)


def _read(
    engine: Engine, rows: Sequence[Sequence[int]], before: Tensor, cache: DynamicCache
) -> tuple[Tensor, Tensor]:
    """Read rows after what is in the cache; return the last logits and the whole mask."""
    ids, own = pad_left(rows, engine.pad_id, engine.device)
    mask = torch.cat([before, own], dim=1)
    positions = positions_of(mask)[:, before.shape[1] :]
    return engine.logits(ids, mask, positions, cache, keep=1)[:, -1], mask


def _stem(engine: Engine, prompts: Sequence[Sequence[int]]) -> Stem:
    if not engine.shares_prefixes:
        return Stem(())
    if engine.stem is not None and engine.stem.begins(prompts):
        return engine.stem
    length = shared_prefix(prompts)
    return Stem(prompts[0][:length] if length >= SHORTEST_SHARED else ())


def _worthwhile(prompts: Sequence[Sequence[int]], done: int) -> list[Family]:
    """Return the groups whose beginnings are best read first; none if that would not pay."""
    longest = max(map(len, prompts)) - done
    best: list[Family] = []
    least = _WORTH * len(prompts) * longest
    for share in (0.5, 0.0):
        groups = families(prompts, done, share)
        heads = max(group.length for group in groups) - done
        rests = max(
            len(prompts[member]) - group.length for group in groups for member in group.members
        )
        positions = len(groups) * heads + len(prompts) * rests
        if positions < least and all(group.length > done for group in groups):
            best, least = groups, positions
    return best
