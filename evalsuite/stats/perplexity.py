"""Perplexity in its several conventions, from summed log-likelihoods per sequence."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Perplexity:
    """The same likelihood per word, byte and token; pooled over sequences unless said."""

    word: float
    """exp(−Σ ll / Σ words)."""
    byte: float
    """exp(−Σ ll / Σ bytes)."""
    bits_per_byte: float
    """−Σ ll / Σ bytes / ln 2: comparable between tokenizers."""
    token: float
    """exp(−Σ ll / Σ tokens)."""
    mean_sequence: float
    """exp of the mean over sequences of the loss per token."""


def count_words(text: str) -> int:
    """Count words as lm_eval does: pieces between runs of white space, empty ends included."""
    return len(re.split(r"\s+", text))


def perplexity(
    log_likelihoods: ArrayLike, words: ArrayLike, sizes: ArrayLike, tokens: ArrayLike
) -> Perplexity:
    """Pool over sequences.

    Args:
        log_likelihoods: summed natural-log likelihood per sequence.
        words: words per sequence, see `count_words`.
        sizes: UTF-8 bytes per sequence.
        tokens: scored tokens per sequence.
    """
    ll, w, b, t = (
        np.asarray(values, dtype=float) for values in (log_likelihoods, words, sizes, tokens)
    )
    if not (ll.shape == w.shape == b.shape == t.shape) or ll.size == 0:
        raise ValueError("every sequence needs its likelihood, words, bytes and tokens")
    if min(w.min(), b.min(), t.min()) <= 0:
        raise ValueError("a sequence without words, bytes or tokens has no perplexity")
    loss = -float(ll.sum())
    return Perplexity(
        word=math.exp(loss / w.sum()),
        byte=math.exp(loss / b.sum()),
        bits_per_byte=loss / float(b.sum()) / math.log(2),
        token=math.exp(loss / t.sum()),
        mean_sequence=math.exp(float((-ll / t).mean())),
    )
