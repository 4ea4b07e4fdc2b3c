"""How fast requests may begin: at once so many, a minute so many, and none while told to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pace:
    """Places for requests under way, spaced beginnings, and pauses that all observe."""

    def __init__(self, concurrency: int, per_minute: float | None) -> None:
        self._places = asyncio.Semaphore(concurrency)
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._order = asyncio.Lock()
        self._next = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place while a request is under way; begins when the pace allows."""
        async with self._places:
            await self._begin()
            yield

    def pause(self, seconds: float) -> None:
        """Let nothing begin for so long: the server has no room."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)

    async def _begin(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._order:  # first come, first served
            while (rest := max(self._next, self._paused_until) - clock()) > 0:
                await asyncio.sleep(rest)
            self._next = clock() + self._interval
