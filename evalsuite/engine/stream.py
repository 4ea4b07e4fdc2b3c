"""One answer, token by token, as it is written. Imports torch.

Without a temperature it is what `engine.generate` writes, token for token: chat, serving and
evaluation cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.engine.forward import Engine
from evalsuite.engine.prefill import prefill
from evalsuite.models import ChatTokenizer

_COLDEST = 1e-6
"""Temperatures below count as 0: divided by them, logits would be infinite."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 0.0
    """0, or less than a millionth: the most likely one, as in evaluation."""
    top_p: float = 1.0
    """Only the most likely tokens that together have this probability."""
    seed: int | None = None
    """Of the draws; None: another one each time."""


GREEDY = Sampling()


def stream_tokens(
    engine: Engine,
    prompt: Sequence[int],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    sampling: Sampling = GREEDY,
    within: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[int]:
    """Yield the tokens of an answer until a stop token, which is yielded last, or the limit.

    Args:
        engine: the model.
        prompt: token ids.
        max_new_tokens: most tokens.
        stop_ids: where it ends.
        sampling: how tokens are chosen.
        within: entered around every pass through the model: an adapter may be off in it.

    Raises:
        FloatingPointError: the model gave NaN.
    """
    draws = None
    if sampling.temperature >= _COLDEST:
        draws = torch.Generator()
        draws.manual_seed(sampling.seed) if sampling.seed is not None else draws.seed()
    with torch.inference_mode(), within():
        logits, mask, positions, cache = prefill(engine, [prompt])
    for count in range(max_new_tokens):
        token = _chosen(logits[0], sampling, draws)
        yield token
        if token in stop_ids or count + 1 == max_new_tokens:
            return
        with torch.inference_mode(), within():
            mask = torch.cat([mask, mask.new_ones(1, 1)], dim=1)
            ids = torch.tensor([[token]], device=engine.device)
            logits = engine.logits(ids, mask, positions, cache, keep=1)[:, -1]
            positions = positions + 1


def _chosen(logits: Tensor, sampling: Sampling, draws: torch.Generator | None) -> int:
    if bool(logits.isnan().any()):
        raise FloatingPointError("the model gave NaN instead of a probability")
    if draws is None:
        return int(logits.argmax())
    shares = (logits.cpu().double() / sampling.temperature).softmax(dim=-1)
    if sampling.top_p < 1:
        ordered, places = shares.sort(descending=True)
        # a token is kept while those before it have less than top_p, and the first always
        is_late = ordered.cumsum(dim=-1) - ordered >= sampling.top_p
        is_late[0] = False
        ordered[is_late] = 0
        shares = torch.zeros_like(shares).scatter(0, places, ordered)
    return int(torch.multinomial(shares, 1, generator=draws))


class TextStream:
    """Tokens to text as they come: never half a character, and never what begins a stop text."""

    def __init__(self, tokenizer: ChatTokenizer, stops: Sequence[str] = ()) -> None:
        """`stops` are texts at which the answer ends; they are not part of it."""
        self.tokenizer = tokenizer
        self.stops = tuple(stop for stop in stops if stop)
        self.stopped = False
        """Whether a stop text was met."""
        self._ids: list[int] = []
        self._prefix = self._read = 0
        self._pending = ""

    def add(self, token: int) -> str:
        """Take a token and return the text that is certain now."""
        self._ids.append(token)
        before = self.tokenizer.decode(self._ids[self._prefix : self._read])
        now = self.tokenizer.decode(self._ids[self._prefix :])
        if now.endswith(_REPLACEMENT) or len(now) <= len(before):
            return ""
        self._prefix, self._read = self._read, len(self._ids)
        return self._released(now[len(before) :])

    def end(self) -> str:
        """Return what was held back, the answer being whole."""
        if self.stopped:
            return ""
        before = self.tokenizer.decode(self._ids[self._prefix : self._read])
        rest = self.tokenizer.decode(self._ids[self._prefix :])[len(before) :]
        text = self._released(rest)
        if self.stopped:
            return text
        held, self._pending = self._pending, ""
        return text + held

    def _released(self, text: str) -> str:
        """Return text up to a stop text; hold back what may become one."""
        text = self._pending + text
        found = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._pending = True, ""
            return text[: min(found)]
        keep = max(
            (
                size
                for stop in self.stops
                for size in range(1, min(len(stop), len(text) + 1))
                if text.endswith(stop[:size])
            ),
            default=0,
        )
        self._pending = text[len(text) - keep :] if keep else ""
        return text[: len(text) - keep] if keep else text
