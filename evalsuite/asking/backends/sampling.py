"""Sampled and greedy decoding in batches, each row with a random stream of its own.

`model.generate` has one stream for a batch, so an answer would depend on its neighbours; here the
same seed draws the same answer (up to rounding, which batches of other shapes change a little).
Imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from evalsuite.asking.backends.batched import Drawn
from evalsuite.asking.requests import ChatRequest
from evalsuite.engine.forward import Engine, is_out_of_memory
from evalsuite.engine.prefill import prefill
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import choose_placement, choose_threads, load_model

_COMPACT_BELOW = 0.75
"""Rows that ended leave the cache once this share is left."""


@dataclass
class _Row:
    """One request while it is answered."""

    place: int
    request: ChatRequest
    stream: torch.Generator
    tokens: list[int]


class SamplingEngine:
    """A loaded model that draws answers."""

    def __init__(self, engine: Engine, stop_ids: frozenset[int]) -> None:
        self.engine = engine
        self.stop_ids = stop_ids

    @classmethod
    def load(cls, path: Path, tokenizer: ChatTokenizer, dtype: str) -> SamplingEngine:
        """Load the weights where this machine is fastest."""
        placement = choose_placement(dtype)
        model = load_model(path, dtype=placement.dtype, device=placement.device)
        if placement.device == "cpu":
            torch.set_num_threads(choose_threads(model.num_parameters())[0])
        pad = tokenizer.pad_id if tokenizer.pad_id is not None else 0
        return cls(Engine(model, pad), tokenizer.eos_ids)

    def draw(self, batch: Sequence[tuple[ChatRequest, list[int]]]) -> list[Drawn]:
        """Answer every request, in order; a batch that does not fit in memory is halved."""
        try:
            return self._draw(batch)
        except RuntimeError as error:
            if len(batch) < 2 or not is_out_of_memory(error):
                raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(batch) // 2
        return self.draw(batch[:middle]) + self.draw(batch[middle:])

    @torch.inference_mode()
    def _draw(self, batch: Sequence[tuple[ChatRequest, list[int]]]) -> list[Drawn]:
        engine = self.engine
        rows = [
            _Row(place, request, _stream(request), []) for place, (request, _) in enumerate(batch)
        ]
        answers: dict[int, Drawn] = {}
        logits, mask, positions, cache = prefill(engine, [prompt for _, prompt in batch])
        while True:
            chosen = [self._next(row, line) for row, line in zip(rows, logits.cpu(), strict=True)]
            for row, token in zip(rows, chosen, strict=True):
                self._note(row, token, answers)
            alive = [place for place, row in enumerate(rows) if row.place not in answers]
            if not alive:
                return [answers[place] for place in range(len(batch))]
            tokens = torch.tensor(chosen, device=engine.device)
            if len(alive) <= _COMPACT_BELOW * len(rows):
                keep = torch.tensor(alive, device=engine.device)
                cache.batch_select_indices(keep)
                tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
                rows = [rows[place] for place in alive]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            logits = engine.logits(tokens.unsqueeze(1), mask, positions, cache, keep=1)[:, -1]
            positions = positions + 1

    def _note(self, row: _Row, token: int, answers: dict[int, Drawn]) -> None:
        if row.place in answers:
            return
        stopped = token in self.stop_ids
        if not stopped:
            row.tokens.append(token)
        if stopped or len(row.tokens) == row.request.max_tokens:
            answers[row.place] = Drawn(tuple(row.tokens), stopped)

    def _next(self, row: _Row, logits: Tensor) -> int:
        """Return the next token: the likeliest at temperature 0, else one drawn."""
        if row.request.temperature == 0.0:
            return int(logits.argmax())
        shares = torch.softmax(logits / row.request.temperature, dim=-1)
        if row.request.top_p < 1.0:
            shares = _nucleus(shares, row.request.top_p)
        return int(torch.multinomial(shares, 1, generator=row.stream))


def _stream(request: ChatRequest) -> torch.Generator:
    stream = torch.Generator()
    stream.manual_seed(request.sent_seed)
    return stream


def _nucleus(shares: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest tokens that reach `top_p` together (Holtzman et al. 2020)."""
    ordered, order = shares.sort(descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    ordered = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(shares).scatter(-1, order, ordered)
