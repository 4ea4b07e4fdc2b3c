"""What a model is asked and what it answers, as plain data with a name that stays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Turn:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """One question to a model, with all that decides the answer."""

    messages: tuple[Turn, ...]
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    sample: int = 0
    """Which of several answers to the same question."""
    form: tuple[str, str] | None = None
    """Name and JSON Schema (as text) that the reply must have; for servers that enforce it."""

    @cached_property
    def _plain(self) -> dict[str, Any]:
        return asdict(self)

    def key(self, model: str) -> str:
        """Return the SHA-256 over model, prompt, parameters, seed and sample number."""
        text = json.dumps([model, self._plain], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def prompt_hash(self) -> str:
        """SHA-256 of the prompt alone, 16 hexadecimal digits."""
        said = json.dumps([[turn.role, turn.content] for turn in self.messages])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def sent_seed(self) -> int:
        """The seed that the model draws with: another one for each sample.

        A server that keeps to seeds would give the same answer to the same seed, and the best and
        worst of n would be one answer n times.
        """
        if self.sample == 0:
            return self.seed
        digest = hashlib.sha256(f"{self.seed} {self.sample}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def chat(self) -> list[dict[str, str]]:
        """Return the messages as endpoints and chat templates take them."""
        return [{"role": turn.role, "content": turn.content} for turn in self.messages]

    def record(self) -> dict[str, Any]:
        """Return it as plain data for the log."""
        return {**self._plain, "messages": self.chat()}


@dataclass(frozen=True)
class Usage:
    """What was used: tokens, money, requests."""

    input_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    requests: int = 0

    @property
    def tokens(self) -> int:
        """Prompts and answers together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.money + other.money,
            self.requests + other.requests,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.money - other.money,
            self.requests - other.requests,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Usage:
        """Return what `asdict` of one gave."""
        return cls(
            int(record.get("input_tokens", 0)),
            int(record.get("output_tokens", 0)),
            float(record.get("money", 0.0)),
            int(record.get("requests", 0)),
        )


@dataclass(frozen=True)
class Reply:
    """An answer that was received and paid for."""

    text: str
    finish: str
    """`stop`, `length` (cut at `max_tokens`), or what else the server says."""
    usage: Usage
    reported: bool = True
    """Whether the server said what was used; otherwise `usage` is the most it can have been."""

    @property
    def cut(self) -> bool:
        """Whether the text ends before the answer does."""
        return self.finish in ("length", "content_filter")


@dataclass(frozen=True)
class Receipt:
    """One answer with what it cost, as a made row carries it."""

    key: str
    prompt_hash: str
    model: str
    seed: int
    """As it was sent."""
    sample: int
    usage: Usage = field(default_factory=Usage)
