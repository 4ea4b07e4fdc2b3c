"""How the rows of each step lie in tensors: padded, packed, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np

from train.plan.facts import ModelFacts
from train.plan.packing import PackingAccount, account, at_once, pack, sequences_needed
from train.plan.schedule import Schedule
from train.plan.settings import Decided, token_budget
from train.recipe import TrainSection
from train.rows import JoinedRows


@dataclass(frozen=True)
class Layout:
    """The schedule in effect and what it computes."""

    schedule: Schedule
    widths: Sequence[tuple[int, int]]
    """(sequences, tokens of each with its padding) of every micro-batch."""
    micro_batch_size: Decided
    """Sequences at once, where rows are packed."""
    packing: PackingAccount | None
    """What packing saves; None where rows are not packed."""
    warnings: Sequence[str]

    @cached_property
    def shapes(self) -> frozenset[tuple[int, int]]:
        """Different shapes of tensors."""
        return frozenset(self.widths)


def lay_out(
    section: TrainSection,
    facts: ModelFacts,
    plain: Schedule,
    rows: JoinedRows,
    levers: Mapping[str, Decided],
    *,
    capacity: int,
) -> Layout:
    """Return how rows lie.

    Args:
        section: of the recipe.
        facts: of the model.
        plain: the order of rows, each a sequence of its own.
        rows: that it points at.
        levers: `packing`, `padding_free` and `attention` count.
        capacity: tokens of a packed sequence at most.
    """
    is_flat = levers["padding_free"].value == "on"
    unused = Decided(plain.micro_batch_size, "")
    if levers["packing"].value == "off":
        shapes = list(chain.from_iterable(widths(plain, rows, flat=is_flat)))
        return Layout(plain, shapes, unused, None, _warnings(shapes, levers))
    needed = sequences_needed(plain, rows.tokens, capacity)
    size = section.micro_batch_size or at_once(
        needed, section.batch_size, 1 if is_flat else max(1, token_budget(facts) // capacity)
    )
    reason = "recipe: packed sequences at once"
    if section.micro_batch_size is None:
        reason = f"packed sequences at once, at most {token_budget(facts):,} tokens"
    packed = pack(plain, rows.tokens, capacity=capacity, needed=needed, size=size)
    saved = account(packed, plain, rows, capacity=capacity, flat=is_flat)
    shapes = list(chain.from_iterable(widths(packed, rows, flat=is_flat)))
    return Layout(packed, shapes, Decided(size, reason), saved, _warnings(shapes, levers))


def widths(schedule: Schedule, rows: JoinedRows, *, flat: bool) -> list[list[tuple[int, int]]]:
    """Return for each step the shape of every micro-batch's tensor.

    Args:
        schedule: packed or not.
        rows: that it points at.
        flat: whether the sequences of a micro-batch lie one after the other, without padding.

    Returns:
        (sequences, tokens of each with its padding) of each micro-batch.
    """
    if schedule.packs is None:
        lengths = rows.padded[schedule.order]
    else:
        lengths = np.add.reduceat(rows.tokens[schedule.order], schedule.packs[:-1])
    out: list[list[tuple[int, int]]] = []
    bounds = schedule.step_sequences.tolist()
    for first, last in pairwise(bounds):
        out.append([])
        for start in range(first, last, schedule.micro_batch_size):
            own = lengths[start : min(start + schedule.micro_batch_size, last)]
            out[-1].append((1, int(own.sum())) if flat else (len(own), int(own.max())))
    return out


def _warnings(widths: Sequence[tuple[int, int]], levers: Mapping[str, Decided]) -> list[str]:
    is_one = levers["packing"].value == "bfd" or levers["padding_free"].value == "on"
    if not is_one or "flash" in str(levers["attention"].value):
        return []
    widest = max(width for _, width in widths)
    return [
        f"rows share sequences of up to {widest:,} tokens without flash attention: attention is "
        "computed between all of them and masked, which costs the square of the sequence"
    ]
