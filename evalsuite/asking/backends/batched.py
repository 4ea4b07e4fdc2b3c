"""A model in this process: requests that wait are answered together. Imports no torch."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.asking.backends.base import AttemptFailed
from evalsuite.asking.backends.configs import LocalConfig, VllmConfig
from evalsuite.asking.requests import ChatRequest, Reply, Usage
from evalsuite.models import ChatTokenizer, ModelSection, resolve_model
from evalsuite.models.context import context_length
from evalsuite.models.source import check_model_directory
from workspace.errors import ModelError

_GATHER_SECONDS = 0.01
"""How long the first of a batch waits for others."""

Asked = tuple[ChatRequest, list[int]]
"""A request and its prompt as token ids."""


@dataclass(frozen=True)
class Drawn:
    """One answer."""

    tokens: tuple[int, ...]
    """Without the stop token."""
    stopped: bool
    """False: cut at the longest answer."""


class BatchedBackend(ABC):
    """Answers in batches, in a thread, longest prompts first.

    Prompts are made by `ChatTokenizer`, as in training and evaluation, so that what a request
    costs is known to the token before it is sent. The log knows the model by the digest of its
    directory: what one engine answered is not asked of another.
    """

    def __init__(self, config: LocalConfig | VllmConfig, base_dir: Path, context: int) -> None:
        """Find the model and read its tokenizer.

        Args:
            config: which model.
            base_dir: where a relative path begins.
            context: most tokens of prompt and answer; 0: what the model's config says.

        Raises:
            ModelError: there is no such model.
        """
        section = ModelSection(path=config.path, revision=config.revision)
        source = resolve_model(section, base_dir)
        self.model = source.digest
        self.described = config.described
        self.retries = 0
        self.patience_seconds = 0.0
        self.concurrency = config.batch_rows
        self.price = config.price
        self.path = source.path
        self.tokenizer = ChatTokenizer.from_dir(source.path)
        self.context = context or context_length(check_model_directory(source.path))
        self._waiting: list[tuple[ChatRequest, list[int], asyncio.Future[Drawn]]] = []
        self._worker: asyncio.Task[None] | None = None

    @abstractmethod
    async def draw(self, batch: Sequence[Asked]) -> Sequence[Drawn | AttemptFailed]:
        """Answer every request of a batch, in order."""

    @abstractmethod
    def let_go(self) -> None:
        """Free the weights."""

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
        money = (input_tokens * self.price.input + output_tokens * self.price.output) / 1e6
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
        usage = self._priced(len(prompt), len(drawn.tokens))
        if not text.strip():
            raise AttemptFailed("rejected", "the reply is empty", used=usage)
        return Reply(text, "stop" if drawn.stopped else "length", usage)

    async def _work(self) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        while self._waiting:
            # Alike in length share a batch; the order is the same for the same requests.
            self._waiting.sort(key=lambda one: (-len(one[1]), one[0].sent_seed))
            batch = self._waiting[: self.concurrency]
            del self._waiting[: self.concurrency]
            drawn: Sequence[Drawn | Exception]
            try:
                drawn = await self.draw([(request, prompt) for request, prompt, _ in batch])
            except Exception as error:
                drawn = [error] * len(batch)
            for (_, _, answer), one in zip(batch, drawn, strict=True):
                if answer.done():
                    continue
                if isinstance(one, Exception):
                    answer.set_exception(one)
                else:
                    answer.set_result(one)

    async def close(self) -> None:
        """Let the batch under way end, and let go of the weights."""
        if self._worker is not None:
            self._waiting.clear()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self.let_go()

    def record(self) -> dict[str, Any]:
        """Return what identifies the model."""
        return {"path": str(self.path), "digest": self.model}
