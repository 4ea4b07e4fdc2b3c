"""A job that is told to stop."""

from __future__ import annotations

import threading


class Stops:
    """A job that is asked to stop when it is told."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    @property
    def stop_requested(self) -> bool:
        return self.asked.is_set()
