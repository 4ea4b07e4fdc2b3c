"""One generation at a time, in the order of arrival; nobody waits for a client that does not read.

Who asks gets a `Ticket` and reads pieces from it. The worker never writes to a socket: a slow
client only lets its own pieces wait, and one that went away cancels its ticket.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from train.serve.asked import Asked, Refused
from workspace.errors import TemperError

if TYPE_CHECKING:
    from evalsuite.engine.voices import Voices

MOST_WAITING = 64
"""Requests beyond this are refused with status 429."""
_DEFAULT_TOKENS = 1024
"""Of a chat's answer, where the client names no limit."""
_log = logging.getLogger("temper.serve")

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """A part of an answer."""

    text: str = ""
    finish: Finish | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    """So far."""


@dataclass
class Ticket:
    """A request in the queue."""

    asked: Asked
    pieces: queue.Queue[Piece | Refused] = field(default_factory=queue.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Answers tickets in a thread of its own."""

    def __init__(self, voices: Voices) -> None:
        """Begin to answer."""
        self.voices = voices
        self._waiting: queue.Queue[Ticket | None] = queue.Queue()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._count = 0
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    def submit(self, asked: Asked) -> Ticket:
        """Put a request into the queue.

        Raises:
            Refused: no such model, too many are waiting, or the server is stopping.
        """
        if asked.model not in self.voices.names:
            raise Refused(
                f"there is no model {asked.model[:80]!r}; there is {', '.join(self.voices.names)}",
                status=404,
                param="model",
                code="model_not_found",
            )
        ticket = Ticket(asked)
        with self._lock:
            if self._closing.is_set():
                raise _stopping()
            if self._count >= MOST_WAITING:
                raise Refused(
                    f"{self._count} requests are waiting already",
                    status=429,
                    kind="rate_limit_error",
                    code="queue_full",
                )
            self._count += 1
            self._waiting.put(ticket)  # within the lock: nothing comes after `close`'s end
        return ticket

    def close(self, seconds: float = 30.0) -> None:
        """Finish the answer being written, refuse those that wait, and end."""
        with self._lock:
            self._closing.set()
            self._waiting.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (ticket := self._waiting.get()) is not None:
            with self._lock:
                self._count -= 1
            if ticket.cancelled.is_set():
                continue
            if self._closing.is_set():
                ticket.pieces.put(
                    Refused("the server is stopping", status=503, kind="server_error")
                )
                continue
            self._answer(ticket)

    def _answer(self, ticket: Ticket) -> None:
        try:
            for piece in self._pieces(ticket.asked, ticket.cancelled.is_set):
                ticket.pieces.put(piece)
        except Refused as refused:
            ticket.pieces.put(refused)
        except TemperError as error:
            ticket.pieces.put(_as_refusal(error))
        except Exception:  # one request must not end the others
            _log.exception("a request failed")
            ticket.pieces.put(
                Refused("the model failed on this request", status=500, kind="server_error")
            )

    def _pieces(self, asked: Asked, is_cancelled: Callable[[], bool]) -> Iterator[Piece]:
        from evalsuite.engine.stream import Sampling, TextStream

        voices = self.voices
        prompt = self._prompt(asked)
        room = voices.room(prompt)
        most = min(room, asked.max_tokens or _DEFAULT_TOKENS)
        text = TextStream(voices.tokenizer, asked.stops)
        sampling = Sampling(asked.temperature, asked.top_p, asked.seed)
        written = 0
        finish: Finish = "length"
        for token in voices.say(asked.model, prompt, max_new_tokens=most, sampling=sampling):
            if is_cancelled():
                return
            if token in voices.tokenizer.eos_ids:
                finish = "stop"
                break
            written += 1
            piece = text.add(token)
            if piece:
                yield Piece(piece, None, len(prompt), written)
            if text.stopped:
                finish = "stop"
                break
        rest = text.end()
        if text.stopped:
            finish = "stop"
        yield Piece(rest, finish, len(prompt), written)

    def _prompt(self, asked: Asked) -> list[int]:
        tokenizer = self.voices.tokenizer
        if asked.endpoint == "chat":
            return self.voices.prompt(asked.messages)
        if isinstance(asked.prompt, str):
            return tokenizer.encode(asked.prompt, special=True)
        known = tokenizer.vocab_size
        if not all(0 <= one < known for one in asked.prompt):
            raise Refused(f"prompt: token ids are 0 to {known - 1:,}", param="prompt")
        return list(asked.prompt)


def _stopping() -> Refused:
    return Refused("the server is stopping", status=503, kind="server_error")


def _as_refusal(error: TemperError) -> Refused:
    code = "context_length_exceeded" if "longer than" in error.title else None
    parts = [error.title, *(part for part in (error.cause,) if part)]
    return Refused(": ".join(parts), param="messages", code=code)
