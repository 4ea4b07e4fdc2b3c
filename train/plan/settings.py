"""Values the recipe left open, each decided with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.adapter_sections import LowRank
from train.methods.base import Method
from train.plan.facts import ModelFacts
from train.plan.schedule import Schedule
from train.recipe import PeftAdapter, TrainSection

_CONTEXT_CAP = 4096
_EPOCHS = 2.0
_SAMPLED_STEPS = 200


@dataclass(frozen=True)
class Decided:
    """A value in effect and where it comes from."""

    value: float | int | str
    reason: str
    """`recipe`, or why this value was chosen."""


def learning_rate(section: TrainSection, facts: ModelFacts, method: Method) -> Decided:
    """Return the highest rate of the schedule."""
    if section.learning_rate is not None:
        return Decided(section.learning_rate, "recipe")
    rate, reason = method.rates[section.adapter.rate_of, facts.is_small]
    if isinstance(section.adapter, PeftAdapter):
        reason = f"as for LoRA; {section.adapter.tuner} may want another ({reason})"
    return Decided(rate, reason)


def lora_alpha(adapter: LowRank) -> Decided:
    """Return the strength of a LoRA adapter."""
    if adapter.alpha is not None:
        return Decided(adapter.alpha, "recipe")
    return Decided(2.0 * adapter.r, "twice r")


def max_length(section: TrainSection, facts: ModelFacts) -> Decided:
    """Return the longest row allowed, in tokens."""
    if section.max_length is not None:
        return Decided(section.max_length, "recipe")
    if facts.context <= _CONTEXT_CAP:
        return Decided(facts.context, "the model's context")
    return Decided(_CONTEXT_CAP, f"a cap below the model's context of {facts.context:,}")


def epochs(section: TrainSection) -> Decided | None:
    """Return the passes over the dataset, or None where `steps` decides."""
    if section.steps is not None:
        return None
    if section.epochs is not None:
        return Decided(section.epochs, "recipe")
    return Decided(_EPOCHS, "neither steps nor epochs are given")


def micro_batch_size(
    section: TrainSection,
    facts: ModelFacts,
    schedule: Schedule,
    lengths: NDArray[np.int64],
    least: int = 1,
) -> Decided:
    """Return the rows on the device at once: the divisor of the batch size that computes least.

    Rows of a batch are sorted by length, so smaller micro-batches pad less; but each costs as
    much as some more tokens to start.

    Args:
        section: of the recipe.
        facts: of the model.
        schedule: the order of rows.
        lengths: tokens that each row costs alone, padding within it counted.
        least: fewest rows at once that the method needs; at most the batch size.
    """
    if section.micro_batch_size is not None:
        return Decided(section.micro_batch_size, "recipe")
    budget, start_cost = token_budget(facts), 64 if facts.is_small else 512
    longest = int(lengths[schedule.order].max())
    sizes = [
        size for size in range(least, section.batch_size + 1) if section.batch_size % size == 0
    ]
    costs = {
        size: _cost(schedule, lengths, size, start_cost)
        for size in sizes
        if size == sizes[0] or size * longest <= budget
    }
    best = min(costs, key=lambda size: (costs[size], -size))
    return Decided(best, f"least padding and fewest starts, at most {budget:,} tokens at once")


def token_budget(facts: ModelFacts) -> int:
    """Return the tokens that may be on the device at once where the recipe does not say."""
    return 16_384 if facts.is_small else 4_096


def _cost(schedule: Schedule, lengths: NDArray[np.int64], size: int, start_cost: int) -> float:
    """Return the tokens computed for each row, padding and starts included."""
    tokens = rows = 0
    for step in range(min(schedule.steps, _SAMPLED_STEPS)):
        batch = schedule.batch(step)
        rows += len(batch)
        for start in range(0, len(batch), size):  # the first of a micro-batch is its longest
            width = min(size, len(batch) - start)
            tokens += int(lengths[batch[start]]) * width + start_cost
    return tokens / rows


def warmup_steps(section: TrainSection, steps: int) -> Decided:
    """Return the steps over which the rate rises."""
    if isinstance(section.warmup, int):
        return Decided(min(section.warmup, steps), "recipe")
    return Decided(round(section.warmup * steps), f"{section.warmup:.0%} of the steps")


def checkpoint_every(section: TrainSection, steps: int) -> Decided:
    """Return the steps between checkpoints."""
    if section.checkpoint_every is not None:
        return Decided(section.checkpoint_every, "recipe")
    return Decided(min(500, max(10, steps // 10)), "a tenth of the steps, within 10 and 500")


def threads(section: TrainSection, facts: ModelFacts) -> Decided:
    """Return the CPU threads of torch.

    Splitting the small matrices of a small model costs more than it gains: with two threads on
    two busy cores its steps were 3 to 6 times slower than with one.
    """
    if section.threads is not None:
        return Decided(section.threads, "recipe")
    if facts.is_small:
        return Decided(1, "a model below 20 M parameters is faster on one thread")
    return Decided(_available_cores(), "the cores this process may use")


def _available_cores() -> int:
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, psutil.cpu_count(logical=False) or allowed or 1))
