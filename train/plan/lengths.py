"""How long rows are, before any is cut or dropped, and which `max_length` that asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.plan.settings import Decided
from train.plan.tokens import Tokenised

_SHARE_LONGER = 0.001
"""Rows that may be longer than the proposed length: with fewer than a thousand rows, none."""
_STEP = 8
"""Lengths are proposed in multiples of it, which is what tensor cores want."""
_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
_SHOWN = 5


@dataclass(frozen=True)
class LengthCurve:
    """The lengths of all rows that could be tokenised."""

    lengths: NDArray[np.int64]
    """Tokens of each row's longest sequence, shortest first; shape (rows,)."""
    longest: Sequence[dict[str, Any]]
    """The longest rows: role, source, row_id, place, tokens."""
    limit: int
    """Tokens that a row may have."""
    reserved: int
    """What `max_length` keeps free beside a row, for a completion."""
    context: int
    """Tokens that the model's positions allow."""

    @property
    def rows(self) -> int:
        """Rows that could be tokenised."""
        return len(self.lengths)

    def longer(self, length: int) -> int:
        """Return how many rows have more than `length` tokens."""
        return self.rows - int(np.searchsorted(self.lengths, length, side="right"))

    def beyond(self, length: int) -> int:
        """Return how many tokens lie beyond the first `length` of their row."""
        return int(np.maximum(self.lengths - length, 0).sum())

    @cached_property
    def quantiles(self) -> dict[str, int]:
        """Share of the rows → the fewest tokens that so many of them do not exceed."""
        places = [max(0, int(np.ceil(share * self.rows)) - 1) for share in _QUANTILES]
        return {
            f"{share:.1%}".replace(".0%", "%"): int(self.lengths[place])
            for share, place in zip(_QUANTILES, places, strict=True)
        }

    @cached_property
    def points(self) -> list[dict[str, Any]]:
        """What each of some lengths would cost, up to the first that every row fits into."""
        median = self.quantiles["50%"]
        every = chain.from_iterable((8 * 2**power, 12 * 2**power) for power in count())
        out: list[dict[str, Any]] = []
        total = int(self.lengths.sum())
        for length in every:
            if length < median:
                continue
            longer, beyond = self.longer(length), self.beyond(length)
            out.append(
                {
                    "max_length": length + self.reserved,
                    "rows_longer": longer,
                    "rows_longer_share": round(longer / self.rows, 6),
                    "tokens_beyond": beyond,
                    "tokens_beyond_share": round(beyond / total, 6) if total else 0.0,
                }
            )
            if not longer:
                return out
        raise AssertionError("lengths have an end")

    @cached_property
    def proposed(self) -> Decided:
        """The shortest `max_length` that loses next to nothing.

        At most one row in a thousand is longer, and the model's context is not exceeded.
        """
        place = self.rows - int(_SHARE_LONGER * self.rows) - 1
        wanted = -(-int(self.lengths[place]) // _STEP) * _STEP + self.reserved
        length = min(wanted, self.context)
        longer = self.longer(length - self.reserved)
        told = f"{longer:,} of {self.rows:,} rows are longer" if longer else "no row is longer"
        if length < wanted:
            return Decided(length, f"the model's context; {told}")
        return Decided(length, told)

    def as_dict(self) -> dict[str, Any]:
        """Return what `ledger.json` says of lengths."""
        return {
            "rows": self.rows,
            "quantiles": self.quantiles,
            "curve": self.points,
            "limit": self.limit,
            "proposed_max_length": vars(self.proposed),
            "longest": list(self.longest),
        }


def length_curve(
    datasets: Sequence[Tokenised], *, limit: int, reserved: int, context: int
) -> LengthCurve | None:
    """Return the curve over all datasets of a run, or None where no row could be tokenised.

    Args:
        datasets: as tokenised, those of a row that was cut or dropped counted whole.
        limit: tokens that a row may have.
        reserved: tokens of `max_length` that are kept for a completion.
        context: of the model.
    """
    every = np.concatenate([one.lengths for one in datasets])
    known = np.sort(every[every > 0])
    if not known.size:
        return None
    longest = [row for one in datasets for row in _longest(one)]
    longest.sort(key=lambda row: -row["tokens"])
    return LengthCurve(known, longest[:_SHOWN], limit, reserved, context)


def _longest(dataset: Tokenised) -> list[dict[str, Any]]:
    rows = dataset.kept.dataset
    places = np.argsort(-dataset.lengths, kind="stable")[:_SHOWN].tolist()
    return [
        {
            "role": rows.role,
            "source": rows.rows[place].source,
            "row_id": rows.rows[place].row_id,
            "place": rows.rows[place].place,
            "tokens": int(dataset.lengths[place]),
        }
        for place in places
    ]
