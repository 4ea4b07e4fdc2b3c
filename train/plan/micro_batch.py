"""Another number of rows at once, with the same rows in each step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.methods import METHODS
from train.plan.packing import with_padding
from train.plan.plan import Prepared, padding_share, schedule_digest
from train.plan.settings import Decided


def with_micro_batch(prepared: Prepared, size: int, reason: str) -> Prepared:
    """Return the plan with `size` rows at once; rows, order and batch size stay.

    Where completions are generated, the schedule is not split: they are mixed before.
    """
    plan, schedule = prepared.plan, prepared.schedule
    if int(plan["micro_batch_size"]) == size:
        return prepared
    if "completions" not in plan.settings:
        schedule = replace(schedule, micro_batch_size=size)
    settings = {**plan.settings, "micro_batch_size": Decided(size, reason)}
    changed = replace(
        plan,
        settings=settings,
        padding_share=padding_share(schedule, prepared.rows, plan.levers),
        schedule_digest=schedule_digest(prepared.rows, schedule),
    )
    ledger = prepared.ledger
    if ledger.packing is not None:
        is_flat = plan.levers["padding_free"].value == "on"
        at_once = np.full(schedule.steps, size)
        packing = with_padding(
            ledger.packing, schedule, prepared.rows, flat=is_flat, at_once=at_once
        )
        ledger = replace(ledger, packing=packing)
    return replace(prepared, plan=changed, schedule=schedule, ledger=ledger)


def smaller_micro_batch(prepared: Prepared) -> int | None:
    """Return the most rows (or packed sequences) at once, up to half, that divide a step, or None.

    None where a row is alone already, or the method needs more than one beside another.
    """
    plan, schedule = prepared.plan, prepared.schedule
    least = METHODS[plan.method["kind"]].least_at_once
    # Where rows are packed, every step has as many sequences, but for a last smaller one.
    whole = plan.batch_size if schedule.packs is None else schedule.most_sequences
    for size in range(int(plan["micro_batch_size"]) // 2, max(1, least) - 1, -1):
        if whole % size == 0:
            return size
    return None
