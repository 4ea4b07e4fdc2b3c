"""What learning by reward changes in the plan: rows are prompts, and completions come on top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.plan.schedule import Schedule
from train.plan.settings import Decided
from train.recipe import TrainSection
from train.reinforcement_sections import ReinforcementSection
from workspace.errors import LimitExceeded

_SHORTEST_PROMPT = 8
_SAMPLES = 20


def rewarded(section: TrainSection) -> ReinforcementSection | None:
    """Return the method's settings if it learns by reward."""
    return section.method if isinstance(section.method, ReinforcementSection) else None


def row_limit(section: TrainSection, max_length: int) -> int:
    """Return the tokens a row may have: what `max_length` leaves beside a completion.

    Raises:
        LimitExceeded: it leaves no room for a prompt.
    """
    method = rewarded(section)
    if method is None:
        return max_length
    left = max_length - method.max_new_tokens
    if left < _SHORTEST_PROMPT:
        raise LimitExceeded(
            "max_new_tokens leaves no room for a prompt",
            where="train.method.max_new_tokens",
            cause=f"A prompt and its completion may have {max_length:,} tokens together, and a "
            f"completion alone up to {method.max_new_tokens:,}.",
            cure="Lower train.method.max_new_tokens, or raise train.max_length up to the model's "
            "context.",
        )
    return left


def costs(section: TrainSection, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tokens that each row computes: every completion with the prompt before it."""
    method = rewarded(section)
    if method is None:
        return lengths
    return (lengths + method.max_new_tokens) * method.num_generations


def generated_batches(section: TrainSection, rows: int, epochs: float | None) -> int | None:
    """Return how many batches of prompts are answered, or None where rows are learnt as they are.

    trl drops a batch that is not whole, so epochs come to the nearest number of whole ones.

    Args:
        section: of the recipe.
        rows: to learn from.
        epochs: passes over them; None where the recipe gives `steps`.
    """
    method = rewarded(section)
    if method is None:
        return None
    if section.steps is not None:
        return -(-section.steps // method.iterations)
    replay = section.tempering.replay
    share = replay.share if replay else 0.0
    return max(1, round((epochs or 1.0) * rows / (section.batch_size * (1 - share))))


def with_iterations(section: TrainSection, schedule: Schedule) -> Schedule:
    """Return the schedule with each batch as often as its completions are learnt from."""
    method = rewarded(section)
    if method is None or method.iterations == 1:
        return schedule
    steps = section.steps or schedule.steps * method.iterations
    batches = [schedule.batch(step // method.iterations) for step in range(steps)]
    offsets = np.cumsum([0, *(len(batch) for batch in batches)])
    return Schedule(np.concatenate(batches), offsets, schedule.micro_batch_size)


def decided(section: TrainSection, steps: int, checkpoint_every: Decided) -> dict[str, Decided]:
    """Return the settings that only learning by reward has, and those that it changes."""
    method = rewarded(section)
    if method is None:
        return {}
    found = {
        "completions": Decided(
            section.batch_size * method.num_generations,
            f"a step: {section.batch_size} prompts × {method.num_generations} generations of at "
            f"most {method.max_new_tokens} tokens",
        ),
        "samples_every": Decided(method.samples_every, "recipe")
        if method.samples_every
        else Decided(max(1, steps // _SAMPLES), "a twentieth of the steps"),
    }
    rest = int(checkpoint_every.value) % method.iterations
    if rest:  # completions are not saved: a checkpoint lies where new ones are generated
        found["checkpoint_every"] = Decided(
            int(checkpoint_every.value) + method.iterations - rest,
            f"{checkpoint_every.reason}; a multiple of {method.iterations} iterations",
        )
    return found


def warnings(section: TrainSection) -> list[str]:
    """Return what a person should know before the first step."""
    method = rewarded(section)
    if method is None or method.beta > 0:
        return []
    return [
        "beta is 0: nothing holds the model near what it was, and what is not rewarded is forgotten"
    ]
