"""Which requests share a forward pass: by a token budget, alike in length, always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalsuite.engine.prefixes import SHORTEST_SHARED, families, shared_prefix
from evalsuite.engine.requests import Request
from evalsuite.tasks.item import content_digest

_ALIKE = 0.5
"""Prompts are put side by side for what they have in common if it is half of the shorter one."""


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
    """SHA-256 over the requests and `stem`: equal composition gives equal rounding."""
    stem: int = 0
    """Tokens that are read before the batch, as all prompts begin with them."""

    def halves(self, requests: Sequence[Request]) -> tuple[Batch, Batch]:
        """Return the batch in two parts."""
        middle = len(self.indices) // 2
        return (
            _batch(self.indices[:middle], requests, self.stem),
            _batch(self.indices[middle:], requests, self.stem),
        )


def common_stem(requests: Sequence[Request]) -> tuple[int, ...]:
    """Return what the prompts of all requests begin with; empty where it is too short to matter."""
    prompts = [request.begins for request in requests]
    if not all(prompts):
        return ()
    length = shared_prefix(prompts)
    return prompts[0][:length] if length >= SHORTEST_SHARED else ()


def plan_batches(requests: Sequence[Request], limits: BatchLimits, stem: int = 0) -> list[Batch]:
    """Return batches of one kind each, longest first, so that memory runs out at once or never.

    Prompts that begin alike (questions on one passage) are side by side. Depends on the requests
    alone: base and tuned models get the same batches.

    Args:
        requests: what is asked.
        limits: how large a batch may be.
        stem: tokens that all prompts begin with.
    """
    longest, name = _families(requests, stem)
    order = sorted(
        range(len(requests)),
        key=lambda index: (
            requests[index].kind, -longest[index], name[index],
            -requests[index].size, requests[index].key,
        ),
    )  # fmt: skip
    return [_batch(indices, requests, stem) for indices in _groups(order, requests, limits)]


def _families(requests: Sequence[Request], stem: int) -> tuple[list[int], list[str]]:
    """Return for each request the size of the longest that begins alike, and a name for them."""
    longest = [request.size for request in requests]
    name = [request.key for request in requests]
    for family in families([request.begins for request in requests], stem, _ALIKE):
        most = max(longest[member] for member in family.members)
        first = min(name[member] for member in family.members)
        for member in family.members:
            longest[member], name[member] = most, first
    return longest, name


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


def _batch(indices: Sequence[int], requests: Sequence[Request], stem: int) -> Batch:
    asked = [requests[index].key for index in indices]
    return Batch(tuple(indices), content_digest([stem, asked]), stem)
