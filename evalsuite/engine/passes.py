"""Rows that share a pass through a model: by a token budget, longest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

TOKENS = 4_096
"""Rows times the longest row in one pass, padding included."""
NUMBERS = 2**26
"""Rows times positions times vocabulary: a quarter of a gigabyte in float32."""


def batches(lengths: Sequence[int], cost: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """Yield places of rows, the longest first, so that memory runs out at once or never.

    Args:
        lengths: tokens of each row.
        cost: whether so many rows padded to so many tokens fit in one pass.

    >>> list(batches([3, 9, 4], lambda rows, longest: rows * longest <= 9))
    [[1], [2, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    group: list[int] = []
    for place in order:
        if group and not cost(len(group) + 1, lengths[group[0]]):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def in_halves(
    places: list[int], work: Callable[[list[int]], list[float]]
) -> Iterator[tuple[list[int], list[float | None]]]:
    """Do work on rows together; where memory does not suffice, on half of them at a time."""
    from evalsuite.engine.forward import is_out_of_memory

    try:
        found: list[float | None] = list(work(places))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if len(places) > 1:
            middle = len(places) // 2
            yield from in_halves(places[:middle], work)
            yield from in_halves(places[middle:], work)
            return
        found = [None]
    yield places, found
