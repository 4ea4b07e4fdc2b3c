"""The line to the terminal: how long an answer takes, how much is written, when to be calm.

The driver counts what is written and asks the terminal where its cursor is; every terminal answers
that. It asks while keys are pressed only: at rest nothing is written. In tmux it is tmux that
answers, so a slow line behind it is not seen; `--calm` is for that.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

SLOW_SECONDS = 0.3
"""A round trip from which on a line is slow."""
QUICK_SECONDS = 0.15
"""A round trip down to which it stays slow, so that it does not go back and forth."""
ASK_EVERY_SECONDS = 15.0
_KEPT = 3
_WINDOW_SECONDS = 10.0


@dataclass
class Link:
    """What is known of the line. Told by the driver's threads, read by the app."""

    written: int = 0
    """Bytes since the start."""
    round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """The latest ones, in seconds."""
    is_slow: bool = False
    _asked: float | None = None
    _last_asked: float = float("-inf")
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    def wrote(self, size: int, now: float | None = None) -> None:
        """Count bytes."""
        now = time.monotonic() if now is None else now
        self.written += size
        self._marks.append((now, size))
        while self._marks and self._marks[0][0] < now - _WINDOW_SECONDS:
            self._marks.popleft()

    def bytes_per_second(self, now: float | None = None) -> float:
        """Return the mean of the last ten seconds."""
        now = time.monotonic() if now is None else now
        return sum(size for at, size in [*self._marks] if at >= now - _WINDOW_SECONDS) / (
            _WINDOW_SECONDS
        )

    def may_ask(self, now: float | None = None) -> bool:
        """Tell whether it is time to ask the terminal; if so, the question is taken as asked.

        A question that was never answered is asked again a while later.
        """
        now = time.monotonic() if now is None else now
        if now - self._last_asked < ASK_EVERY_SECONDS:
            return False
        self._asked = self._last_asked = now
        return True

    def answered(self, now: float | None = None) -> bool:
        """Take the terminal's answer; False if nothing was asked.

        It is slow when two answers in a row were late, and no longer once all kept ones came
        quickly: one late answer is a terminal that was busy.
        """
        if self._asked is None:
            return False
        now = time.monotonic() if now is None else now
        self.round_trips.append(now - self._asked)
        self._asked = None
        latest = [*self.round_trips][-2:]
        if len(latest) == 2 and min(latest) > SLOW_SECONDS:
            self.is_slow = True
        elif len(self.round_trips) == _KEPT and max(self.round_trips) < QUICK_SECONDS:
            self.is_slow = False
        elif self.round_trips[-1] > SLOW_SECONDS:
            self._last_asked = float("-inf")  # ask again at the next key: was it the line?
        return True

    @property
    def round_trip(self) -> float | None:
        """The median of the latest ones, in seconds; None before the first answer."""
        return sorted(self.round_trips)[len(self.round_trips) // 2] if self.round_trips else None

    def told(self, now: float | None = None) -> str:
        """Return it in a few characters: `24 ms 0.3 KiB/s`; empty before the first answer."""
        if self.round_trip is None:
            return ""
        speed = self.bytes_per_second(now) / 1024
        return f"{self.round_trip * 1000:.0f} ms {speed:.1f} KiB/s"
