"""What every backend offers, and how an attempt can fail."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from evalsuite.asking.requests import ChatRequest, Reply, Usage

FailureKind = Literal["transient", "refused", "unreachable", "rejected", "fatal"]
"""transient: try again, a few times (500, a cut reply, a stall). refused: no room now (429, 503).
unreachable: no connection. rejected: this request will never be answered (400). fatal: none will
(401, a quota)."""


class AttemptFailed(Exception):
    """One attempt gave no usable answer."""

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        used: Usage | None = None,
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.used = used
        """What it cost; None: the server may have worked for it."""
        self.wait_seconds = wait_seconds
        """How long the server asks to wait."""


class Backend(Protocol):
    """A model that answers."""

    model: str
    """Name in the log's keys: the server's model, or the digest of a local one."""
    described: str
    """For people: which model, and where rows go."""
    retries: int
    patience_seconds: float
    concurrency: int
    """How many requests it takes at once."""

    def worst(self, request: ChatRequest) -> Usage:
        """Return the most that one attempt can use."""
        ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for a place among the requests under way and for the pace allowed."""
        ...

    async def attempt(self, request: ChatRequest, key: str) -> Reply:
        """Send the request once.

        Raises:
            AttemptFailed: with what can be done about it.
        """
        ...

    async def close(self) -> None:
        """Let go of connections or weights."""
        ...
