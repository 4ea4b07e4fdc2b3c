"""Which batch is rehearsed: the one that has the most on the device at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.plan import Prepared
from train.plan.layout import widths
from train.plan.schedule import Schedule
from train.plan.settings import Decided
from train.plan.tempering import distance_rows

Rows = NDArray[np.int64]

_MICRO_BATCHES = 4
"""Of a step, at most: the costliest ones. More would take longer and show nothing new."""


@dataclass(frozen=True)
class Batch:
    """A plan whose every step is the same batch."""

    prepared: Prepared
    saved_after: int
    """The step after which a checkpoint is saved; the one that follows is the last."""
    rows: int
    """In each step."""
    longest: int
    """Tokens of the longest sequence in it."""
    tokens: int
    """Computed for each step, padding counted."""
    longest_step_tokens: int
    """The same of the whole step that it is the beginning of."""
    mean_step_tokens: float
    """The same of the mean step of the run."""

    @property
    def shape(self) -> list[tuple[int, int]]:
        """Sequences and padded tokens of each micro-batch."""
        return _shapes(self.prepared, self.prepared.schedule)[0]


def longest_batch(prepared: Prepared) -> Batch:
    """Return the beginning of the step whose largest micro-batch computes the most tokens.

    Where rows have images, the micro-batch that shows the most pixels comes with it.

    Rows of a step are sorted by length, so its first micro-batches are its largest. Where
    completions are generated, the step is whole: its prompts are answered together.
    """
    plan, schedule, padded = prepared.plan, prepared.schedule, prepared.rows.padded
    costs = [[count * width for count, width in step] for step in _shapes(prepared, schedule)]
    step = max(range(schedule.steps), key=lambda step: (max(costs[step]), sum(costs[step])))
    sequences, size = schedule.sequences(step), int(plan["micro_batch_size"])
    generated = "completions" in plan.settings
    if not generated:
        size = min(size, len(sequences))
        sequences = sequences[: size * min(_MICRO_BATCHES, len(sequences) // size)]
    if not generated:
        sequences = _with_images(prepared, _with_distance(prepared, sequences, size), size)
    rows = np.concatenate(sequences)
    again = int(plan.method.get("iterations", 1))  # steps that learn from one set of completions
    lengths = np.tile([len(one) for one in sequences], again + 1)
    made = Schedule(
        order=np.tile(rows, again + 1),
        offsets=np.arange(again + 2) * len(rows),
        micro_batch_size=len(sequences) if generated else size,
        packs=None if schedule.packs is None else np.concatenate([[0], np.cumsum(lengths)]),
    )
    done = [count * width for count, width in _shapes(prepared, made)[0]]
    settings = {
        **plan.settings,
        "micro_batch_size": Decided(size, plan.settings["micro_batch_size"].reason),
        "checkpoint_every": Decided(again, "rehearsal"),
    }
    rehearsed = replace(
        plan, steps=max(plan.steps, again + 1), batch_size=len(rows), settings=settings
    )
    return Batch(
        prepared=replace(prepared, plan=rehearsed, schedule=made),
        saved_after=again,
        rows=len(rows),
        longest=max(int(padded[one].sum()) for one in sequences) // prepared.rows.per_row,
        tokens=sum(done),
        longest_step_tokens=sum(costs[step]),
        mean_step_tokens=sum(map(sum, costs)) / schedule.steps,
    )


def _with_distance(prepared: Prepared, sequences: list[Rows], size: int) -> list[Rows]:
    """Return the sequences with one, in the first micro-batch, whose distance is measured.

    The longest rows may all be such that `tempering.kl` says nothing of.
    """
    kl, schedule = prepared.plan.tempering["kl"], prepared.schedule
    if kl is None:
        return sequences
    is_on = distance_rows(kl["on"], prepared.rows)
    if any(is_on[one].any() for one in sequences):
        return sequences
    counted = [one for one in map(np.atleast_1d, schedule.order) if is_on[one].any()]
    if not counted:
        return sequences
    longest = max(counted, key=lambda one: int(prepared.rows.padded[one].sum()))
    return [*sequences[: size - 1], longest, *sequences[size:]]


def _with_images(prepared: Prepared, sequences: list[Rows], size: int) -> list[Rows]:
    """Return the sequences with, as their last micro-batch, the one that shows the most pixels.

    What the longest rows are long by may be text, while images cost the vision tower's memory.
    """
    pixels, schedule = prepared.rows.pixels, prepared.schedule
    if not pixels.any():
        return sequences

    def shown(micro_batch: list[Rows]) -> int:
        return int(pixels[np.concatenate(micro_batch)].sum())

    every = (
        micro_batch
        for step in range(schedule.steps)
        for micro_batch in _micro_batches(schedule.sequences(step), size)
        if len(micro_batch) == size
    )
    richest = max(every, key=shown, default=None)
    if richest is None or shown(richest) <= max(map(shown, _micro_batches(sequences, size))):
        return sequences
    return [*sequences[: size * (_MICRO_BATCHES - 1)], *richest]


def _micro_batches(sequences: list[Rows], size: int) -> list[list[Rows]]:
    return [sequences[start : start + size] for start in range(0, len(sequences), size)]


def _shapes(prepared: Prepared, schedule: Schedule) -> list[list[tuple[int, int]]]:
    flat = prepared.plan.levers["padding_free"].value == "on"
    return widths(schedule, prepared.rows, flat=flat)
