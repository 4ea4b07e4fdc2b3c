"""In place of vLLM's module of this name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class StructuredOutputsParams:
    """How an answer is held to a form."""

    json: str | dict[str, Any] | None = None

    def __post_init__(self) -> None:
        assert self.json is not None


@dataclass(kw_only=True)
class SamplingParams:
    """How one request is answered."""

    seed: int
    stop_token_ids: list[int]
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int | None = 16
    detokenize: bool = True
    structured_outputs: StructuredOutputsParams | None = None

    def __post_init__(self) -> None:
        assert self.temperature >= 0 and 0 < self.top_p <= 1 and not self.detokenize
