"""Which requests share a forward pass: by a token budget, alike in length, always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalsuite.engine.requests import Request
from evalsuite.tasks.item import content_digest


@dataclass(frozen=True)
class BatchLimits:
    """How large a batch may be."""

    tokens: int = 16384
    """Rows times the longest row, padding and answers included."""
    rows: int = 256


@dataclass(frozen=True)
class Batch:
    """Positions of requests that are answered together."""

    indices: tuple[int, ...]
    key: str
    """SHA-256 over the requests: equal composition gives equal rounding."""

    def halves(self, requests: Sequence[Request]) -> tuple[Batch, Batch]:
        """Return the batch in two parts."""
        middle = len(self.indices) // 2
        return (
            _batch(self.indices[:middle], requests),
            _batch(self.indices[middle:], requests),
        )


def plan_batches(requests: Sequence[Request], limits: BatchLimits) -> list[Batch]:
    """Return batches of one kind each, longest first, so that memory runs out at once or never.

    Depends on the requests alone: base and tuned models get the same batches.
    """
    order = sorted(
        range(len(requests)),
        key=lambda index: (requests[index].kind, -requests[index].size, requests[index].key),
    )
    return [_batch(indices, requests) for indices in _groups(order, requests, limits)]


def _groups(
    order: Sequence[int], requests: Sequence[Request], limits: BatchLimits
) -> Iterator[tuple[int, ...]]:
    group: list[int] = []
    rows = longest = 0
    for index in order:
        request = requests[index]
        same_kind = not group or requests[group[0]].kind == request.kind
        wider = max(longest, request.size)
        fits = (rows + request.rows) * wider <= limits.tokens
        if group and not (same_kind and fits and rows + request.rows <= limits.rows):
            yield tuple(group)
            group, rows, wider = [], 0, request.size
        group.append(index)
        rows, longest = rows + request.rows, wider
    if group:
        yield tuple(group)


def _batch(indices: Sequence[int], requests: Sequence[Request]) -> Batch:
    return Batch(tuple(indices), content_digest([requests[index].key for index in indices]))
