"""Log-likelihood of whole texts in rolling windows, as lm_eval 0.4.13 cuts them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from evalsuite.engine.forward import Engine, pad_right, positions_of, token_logprobs
from evalsuite.engine.requests import NoProbability, TextAnswer, TextRequest

_LOGIT_NUMBERS = 2**27
"""Rows × positions × vocabulary in one pass: half a gigabyte in float32."""


class Window(NamedTuple):
    """One pass: the last `len(targets)` positions of `inputs` predict `targets`."""

    inputs: tuple[int, ...]
    targets: tuple[int, ...]


def rolling_windows(tokens: Sequence[int], prefix: int, longest: int) -> Iterator[Window]:
    """Cut `tokens` so that each is predicted once, from at most `longest` tokens before it.

    The first window is conditioned on `prefix`. Full windows see one token before their first
    target; the last, shorter one is filled up with context (lm_eval's `get_rolling_token_windows`
    with `context_len=1`, then `make_disjoint_window`).
    """
    text = [prefix, *tokens]
    done = 0
    while done < len(tokens):
        end = min(done + longest, len(tokens))
        start = max(0, end - longest)
        yield Window(tuple(text[start:end]), tuple(tokens[done:end]))
        done = end


@torch.inference_mode()
def score_texts(engine: Engine, requests: Sequence[TextRequest]) -> list[TextAnswer]:
    """Return the summed natural-log likelihood of every text, float32 log-softmax.

    Raises:
        NoProbability: the model gave NaN.
    """
    started = time.perf_counter()
    windows = [
        (index, window)
        for index, request in enumerate(requests)
        for window in rolling_windows(request.tokens, request.prefix, request.window)
    ]
    sums = [0.0] * len(requests)
    for group in _groups(windows, engine.model.config.get_text_config().vocab_size):
        scores = _score(engine, [window for _, window in group])
        for (index, _), score in zip(group, scores, strict=True):
            sums[index] += score
    for place, score in enumerate(sums):
        if score != score:
            raise NoProbability(place)
    seconds = (time.perf_counter() - started) / len(requests)
    return [
        TextAnswer(score, len(request.tokens), seconds)
        for request, score in zip(requests, sums, strict=True)
    ]


def _groups(
    windows: Sequence[tuple[int, Window]], vocabulary: int
) -> Iterator[list[tuple[int, Window]]]:
    group: list[tuple[int, Window]] = []
    longest = 0
    for entry in windows:
        wider = max(longest, len(entry[1].inputs))
        if group and (len(group) + 1) * wider * vocabulary > _LOGIT_NUMBERS:
            yield group
            group, wider = [], len(entry[1].inputs)
        group.append(entry)
        longest = wider
    if group:
        yield group


def _score(engine: Engine, windows: Sequence[Window]) -> list[float]:
    ids, mask = pad_right([window.inputs for window in windows], engine.pad_id, engine.device)
    logits = engine.logits(ids, mask, positions_of(mask), None, keep=0)
    sums = []
    for row, window in enumerate(windows):
        end = len(window.inputs)
        targets = torch.tensor(window.targets, device=engine.device)
        scores = token_logprobs(logits[row, end - len(targets) : end], targets)
        sums.append(float(scores.double().sum()))
    return sums
