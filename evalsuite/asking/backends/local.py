"""A model on this machine: requests that wait are answered together. Imports torch late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.asking.backends.base import AttemptFailed
from evalsuite.asking.backends.configs import LocalConfig
from evalsuite.asking.requests import ChatRequest, Reply, Usage
from evalsuite.models import ChatTokenizer, ModelSection, resolve_model
from evalsuite.models.context import context_length
from evalsuite.models.source import check_model_directory
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.asking.backends.sampling import Drawn, SamplingEngine

_GATHER_SECONDS = 0.01
"""How long the first of a batch waits for others."""


class LocalBackend:
    """Answers in batches, in a thread, longest prompts first."""

    def __init__(self, config: LocalConfig, base_dir: Path) -> None:
        section = ModelSection(path=config.path, revision=config.revision, dtype=config.dtype)
        source = resolve_model(section, base_dir)
        self.config = config
        self.model = source.digest
        self.described = config.described
        self.retries = 0
        self.patience_seconds = 0.0
        self.concurrency = config.batch_rows
        self.tokenizer = ChatTokenizer.from_dir(source.path)
        self.context = context_length(check_model_directory(source.path))
        self._path = source.path
        self._engine: SamplingEngine | None = None
        self._waiting: list[tuple[ChatRequest, list[int], asyncio.Future[Drawn]]] = []
        self._worker: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """There is always a place: what waits is the next batch."""
        yield

    def worst(self, request: ChatRequest) -> Usage:
        """Return the most that one attempt can use: the prompt is known to the token."""
        return self._priced(len(self._prompt(request)), request.max_tokens)

    def _prompt(self, request: ChatRequest) -> list[int]:
        return self.tokenizer.encode_prompt(request.chat())

    def _priced(self, input_tokens: int, output_tokens: int) -> Usage:
        price = self.config.price
        money = (input_tokens * price.input + output_tokens * price.output) / 1e6
        return Usage(input_tokens, output_tokens, money, 1)

    async def attempt(self, request: ChatRequest, key: str) -> Reply:
        """Answer the request in the next batch."""
        try:
            prompt = self._prompt(request)
        except ModelError as error:
            raise AttemptFailed("rejected", str(error), used=Usage()) from None
        if len(prompt) + request.max_tokens > self.context:
            raise AttemptFailed(
                "rejected",
                f"{len(prompt)} tokens of prompt and {request.max_tokens} of answer are more than "
                f"the {self.context} that the model reads",
                used=Usage(),
            )
        answer: asyncio.Future[Drawn] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, prompt, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        drawn = await answer
        text = self.tokenizer.decode(drawn.tokens)
        if not text.strip():
            raise AttemptFailed(
                "rejected", "the reply is empty", used=self._priced(len(prompt), len(drawn.tokens))
            )
        usage = self._priced(len(prompt), len(drawn.tokens))
        return Reply(text, "stop" if drawn.stopped else "length", usage)

    async def _work(self) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        while self._waiting:
            # Alike in length share a batch; the order is the same for the same requests.
            self._waiting.sort(key=lambda one: (-len(one[1]), one[0].sent_seed))
            batch = self._waiting[: self.config.batch_rows]
            del self._waiting[: self.config.batch_rows]
            try:
                drawn = await asyncio.to_thread(
                    self._draw, [(request, prompt) for request, prompt, _ in batch]
                )
            except Exception as error:
                for _, _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, _, answer), one in zip(batch, drawn, strict=True):
                if not answer.done():
                    answer.set_result(one)

    def _draw(self, batch: Sequence[tuple[ChatRequest, list[int]]]) -> list[Drawn]:
        from evalsuite.asking.backends.sampling import SamplingEngine

        if self._engine is None:
            self._engine = SamplingEngine.load(self._path, self.tokenizer, self.config.dtype)
        return self._engine.draw(batch)

    async def close(self) -> None:
        """Let the batch under way end, and let go of the weights."""
        if self._worker is not None:
            self._waiting.clear()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._engine = None

    def record(self) -> dict[str, Any]:
        """Return what identifies the model."""
        return {"path": str(self._path), "digest": self.model}
