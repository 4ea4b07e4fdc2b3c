"""Counts what is being answered, so that an end can wait for it."""

from __future__ import annotations

import threading


class Answering:
    """Entered around every answer."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *raised: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is being answered; return whether that came to be."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, seconds)
