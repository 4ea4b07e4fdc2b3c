"""Where in training a row is seen first: its step, and what shares its sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from train.plan import Prepared
    from train.rows import TokenRow


def seen(row: TokenRow, prepared: Prepared) -> dict[str, Any]:
    """Return what was cut of a row, and the sequence in which it is read first.

    `packed` is None where rows are not packed, or the row is in no step.
    """
    return {"cut_tokens": row.cut_tokens, "packed": _packed(row, prepared)}


def _packed(row: TokenRow, prepared: Prepared) -> dict[str, Any] | None:
    schedule, rows = prepared.schedule, prepared.rows
    if schedule.packs is None:
        return None
    index = next(place for place in range(len(rows)) if rows.row_id(place)[0] == row.row_id)
    places = np.flatnonzero(schedule.order == index)
    if not places.size:
        return None
    first = int(places[0])
    step = int(np.searchsorted(schedule.offsets, first, side="right"))
    sequence = int(np.searchsorted(schedule.packs, first, side="right"))
    begin, end = schedule.packs[sequence - 1 : sequence + 1].tolist()
    together = schedule.order[begin:end].tolist()
    return {
        "row_id": row.row_id,
        "step": step,
        "rows": [
            {"row_id": rows.row_id(one)[0], "tokens": int(rows.tokens[one])} for one in together
        ],
    }
