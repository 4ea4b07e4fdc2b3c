"""Greedy decoding in batches, rows leaving as they finish.

Equal to `model.generate(do_sample=False)` token for token; what it saves is the work on rows that
have ended and the per-step overhead of the general loop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from evalsuite.engine.forward import Engine
from evalsuite.engine.prefill import prefill
from evalsuite.engine.requests import GenerateRequest, Generation, NoProbability

_COMPACT_BELOW = 0.85
"""Rows are dropped from the cache once this share is left; each drop copies the cache."""


@torch.inference_mode()
def generate(engine: Engine, requests: Sequence[GenerateRequest]) -> list[Generation]:
    """Answer every request, in order.

    Raises:
        NoProbability: the model gave NaN.
    """
    if not engine.selects_rows:
        # Left padding would enter a recurrent state, and a row cannot leave it: one at a time.
        return [_alone(engine, place, request) for place, request in enumerate(requests)]
    return _Decoding(engine, requests).run()


def _alone(engine: Engine, place: int, request: GenerateRequest) -> Generation:
    try:
        return _Decoding(engine, [request]).run()[0]
    except NoProbability:
        raise NoProbability(place) from None


class _Decoding:
    def __init__(self, engine: Engine, requests: Sequence[GenerateRequest]) -> None:
        self.engine = engine
        self.requests = requests
        self.started = time.perf_counter()
        self.answers: list[Generation | None] = [None] * len(requests)
        self.outputs: list[list[int]] = [[] for _ in requests]
        self.logprobs = [0.0] * len(requests)
        self.rows = list(range(len(requests)))
        """Request of each row of the tensors; -1 once it has ended."""

    def run(self) -> list[Generation]:
        engine = self.engine
        prompts = [request.prompt for request in self.requests]
        logits, mask, positions, cache = prefill(engine, prompts)
        while True:
            tokens = self._take(logits)
            alive = [place for place, row in enumerate(self.rows) if row >= 0]
            if not alive:
                return [answer for answer in self.answers if answer is not None]
            if len(alive) <= _COMPACT_BELOW * len(self.rows):
                keep = torch.tensor(alive, device=engine.device)
                cache.batch_select_indices(keep)
                tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
                self.rows = [self.rows[place] for place in alive]
            mask = torch.cat([mask, mask.new_ones(len(self.rows), 1)], dim=1)
            logits = engine.logits(tokens.unsqueeze(1), mask, positions, cache, keep=1)[:, -1]
            positions = positions + 1

    def _take(self, logits: Tensor) -> Tensor:
        """Note the most likely token of each live row; return them all, [rows]."""
        best, tokens = logits.max(dim=-1)
        scores = (best - logits.logsumexp(dim=-1)).tolist()
        for place, (token, score) in enumerate(zip(tokens.tolist(), scores, strict=True)):
            row = self.rows[place]
            if row < 0:
                continue
            if score != score:
                raise NoProbability(row)
            request = self.requests[row]
            self.logprobs[row] += score
            stopped = token in request.stop_ids
            if not stopped:
                self.outputs[row].append(token)
            if stopped or len(self.outputs[row]) == request.max_new_tokens:
                seconds = time.perf_counter() - self.started
                output = tuple(self.outputs[row])
                self.answers[row] = Generation(output, self.logprobs[row], stopped, seconds)
                self.rows[place] = -1
        return tokens
