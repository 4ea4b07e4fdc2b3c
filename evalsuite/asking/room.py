"""One model with its log, asked from code that does not wait: a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from evalsuite.asking.backends.base import Backend
from evalsuite.asking.backends.configs import AnyBackend
from evalsuite.asking.backends.opening import open_backend
from evalsuite.asking.budget import Budget
from evalsuite.asking.desk import Desk
from evalsuite.asking.log import open_log
from evalsuite.asking.purse import Purse

Result = TypeVar("Result")

_GRACE_SECONDS = 30.0
"""So long may requests that are under way still be answered when a room is closed."""


class Room:
    """Holds a model, its log and its budget open."""

    def __init__(
        self,
        backend: AnyBackend,
        budget: Budget,
        *,
        base_dir: Path,
        log: Path,
        what: str,
        cure: str,
    ) -> None:
        """Open the log and the model.

        Args:
            backend: which model answers.
            budget: what may be spent, what the log knows included.
            base_dir: where a local model's path begins.
            log: directory of the request log.
            what: the work, for the error where another process does it.
            cure: what to do then.

        Raises:
            UsageError: another process uses the log, or the key is not in the environment.
            ModelError: there is no such local model.
        """
        self._held = ExitStack()
        try:
            self.log = self._held.enter_context(open_log(log, what=what, cure=cure))
            self._loop = asyncio.new_event_loop()
            self._held.callback(self._loop.close)
            thread = threading.Thread(target=self._loop.run_forever, name=what, daemon=True)
            thread.start()
            self._held.callback(thread.join)
            self._held.callback(lambda: self._loop.call_soon_threadsafe(self._loop.stop))
            self.backend, self.desk = self.run(self._opened(backend, budget, base_dir))
        except BaseException:
            self._held.close()
            raise

    async def _opened(
        self, config: AnyBackend, budget: Budget, base_dir: Path
    ) -> tuple[Backend, Desk]:
        backend = open_backend(config, base_dir)
        purse = Purse(budget, spent=self.log.spent, unsure=self.log.unsure)
        return backend, Desk(backend, self.log, purse)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work in the loop and return what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Close the model, the loop and the log, in this order.

        Nothing more is sent; what is under way has half a minute to be answered and kept.
        """
        with self._held:
            self.run(self._ended())

    async def _ended(self) -> None:
        self.desk.stopping.set()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=_GRACE_SECONDS)
            late -= {self.log.flusher}  # what it writes was paid for
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.log.flushed()
        await self.backend.close()
