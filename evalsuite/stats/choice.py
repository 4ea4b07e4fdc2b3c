"""Which choice a model picks, by the log-likelihood of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax


@dataclass(frozen=True, slots=True)
class Choice:
    """The pick under each rule, and the probabilities among the choices."""

    acc: int
    """Index of the highest log-likelihood; the first of equals."""
    acc_norm: int
    """Highest log-likelihood per *character*, as lm_eval 0.4.13 counts (not bytes)."""
    acc_bytes: int
    """Highest log-likelihood per UTF-8 byte."""
    probabilities: tuple[float, ...]
    """Softmax of the log-likelihoods."""


def per_character(log_likelihoods: ArrayLike, choices: Sequence[str]) -> tuple[float, ...]:
    """Return each log-likelihood over the number of characters, the delimiter not counted."""
    return _per(log_likelihoods, [len(choice) for choice in choices])


def per_byte(log_likelihoods: ArrayLike, choices: Sequence[str]) -> tuple[float, ...]:
    """Return each log-likelihood over the number of UTF-8 bytes."""
    return _per(log_likelihoods, [len(choice.encode()) for choice in choices])


def pick(log_likelihoods: ArrayLike, choices: Sequence[str]) -> Choice:
    """Pick among `choices` by their summed log-likelihoods, in the same order.

    Raises:
        ValueError: fewer than two choices, an empty one, or a likelihood that is NaN.
    """
    values = np.asarray(log_likelihoods, dtype=float)
    if values.shape != (len(choices),) or len(choices) < 2:
        raise ValueError("one log-likelihood per choice, and at least two choices")
    if np.isnan(values).any():
        raise ValueError("a log-likelihood is NaN")
    return Choice(
        acc=int(values.argmax()),
        acc_norm=int(np.argmax(per_character(values, choices))),
        acc_bytes=int(np.argmax(per_byte(values, choices))),
        probabilities=tuple(float(p) for p in softmax(values)),
    )


def _per(log_likelihoods: ArrayLike, lengths: list[int]) -> tuple[float, ...]:
    if 0 in lengths:
        raise ValueError("a choice is empty")
    values = np.asarray(log_likelihoods, dtype=float) / np.asarray(lengths)
    return tuple(float(value) for value in values)
