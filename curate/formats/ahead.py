"""Making the next item while the caller works on this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Yield an iterator over the items, of which one is always made in advance, in a thread.

    It pays where making one is done outside Python, as decoding and hashing are. What making an
    item raises is raised where that item would come; nothing is made after the end of the context.
    """
    with ThreadPoolExecutor(1) as pool:
        yield _one_ahead(items, pool)


def _one_ahead(items: Iterator[T], pool: ThreadPoolExecutor) -> Iterator[T]:
    def more() -> tuple[T] | None:
        for item in items:
            return (item,)
        return None

    coming = pool.submit(more)
    while (found := coming.result()) is not None:
        coming = pool.submit(more)
        yield found[0]
