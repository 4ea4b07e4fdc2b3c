"""A model on this machine, by transformers. Imports torch late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.asking.backends.batched import Asked, BatchedBackend, Drawn
from evalsuite.asking.backends.configs import LocalConfig

if TYPE_CHECKING:
    from evalsuite.asking.backends.sampling import SamplingEngine


class LocalBackend(BatchedBackend):
    """Answers in this process, on the GPU or the CPU, with no more than the core dependencies."""

    def __init__(self, config: LocalConfig, base_dir: Path) -> None:
        super().__init__(config, base_dir, context=0)
        self.dtype = config.dtype
        self._engine: SamplingEngine | None = None

    async def draw(self, batch: Sequence[Asked]) -> Sequence[Drawn]:
        """Answer every request of a batch, in order."""
        return await asyncio.to_thread(self._draw, batch)

    def _draw(self, batch: Sequence[Asked]) -> list[Drawn]:
        from evalsuite.asking.backends.sampling import SamplingEngine

        if self._engine is None:
            self._engine = SamplingEngine.load(self.path, self.tokenizer, self.dtype)
        return self._engine.draw(batch)

    def let_go(self) -> None:
        """Free the weights."""
        self._engine = None
