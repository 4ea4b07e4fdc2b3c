"""A watchdog: tells when a run does nothing for too long, and where it hangs."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Self

from workspace.events import EventLog

_FRAMES = 3


class Watchdog:
    """Raises an alarm, once for each stall, when nothing was told for `seconds`.

    It stops nothing: a slow disk may yet answer, and what hangs in a driver hears no signal.
    """

    def __init__(
        self,
        seconds: float | None,
        events: EventLog,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Watch the thread that enters; None watches nothing."""
        self.seconds = seconds
        self._events, self._note = events, note
        self._last, self._step, self._told = time.monotonic(), 0, False
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._watched = 0

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self._last = time.monotonic()
        if self.seconds is not None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def alive(self, step: int) -> None:
        """Tell that a micro-batch of `step` (from 1) begins."""
        now = time.monotonic()
        if self._told:
            self._told = False
            waited = now - self._last
            self._events.append("alarm over", alarm="stalled", step=step, seconds=round(waited, 1))
            self._note(f"going on after {waited:,.0f} s without progress")
        self._last, self._step = now, step

    def _watch(self) -> None:
        assert self.seconds is not None
        while not self._done.wait(min(1.0, self.seconds / 4)):
            waited = time.monotonic() - self._last
            if waited > self.seconds and not self._told:
                self._told = True
                self._alarm(waited)

    def _alarm(self, waited: float) -> None:
        place = self._place()
        what = f"nothing was begun for {waited:,.1f} s, of {self.seconds:,.1f} allowed"
        self._events.append("alarm", alarm="stalled", step=self._step, what=what, place=place)
        self._note(f"! step {self._step}: {what}; it is at {place}")

    def _place(self) -> str:
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return "a thread that is gone"
        found = traceback.extract_stack(frame)[-_FRAMES:]
        return " < ".join(f"{one.name} ({one.filename}:{one.lineno})" for one in reversed(found))
