"""What a model is asked, in token ids, and what it answers. Plain data; no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

from evalsuite.tasks.item import content_digest


@dataclass(frozen=True)
class Request:
    """One question to a model."""

    kind: ClassVar[str]

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that decides the answer of a given model."""
        return content_digest([self.kind, asdict(self)])

    @property
    def size(self) -> int:
        """Tokens that answering holds in memory at most."""
        raise NotImplementedError

    @property
    def rows(self) -> int:
        """Rows that it takes in a batch."""
        return 1

    @property
    def begins(self) -> tuple[int, ...]:
        """What may be read once for all requests that begin alike; empty if nothing may."""
        return ()


@dataclass(frozen=True)
class GenerateRequest(Request):
    """Continue greedily until a stop id or `max_new_tokens`."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    stop_ids: tuple[int, ...]
    """Sorted; the stop id itself is not part of the answer."""
    kind: ClassVar[str] = "generate"

    @property
    def begins(self) -> tuple[int, ...]:
        """The prompt."""
        return self.prompt

    @property
    def size(self) -> int:
        """Prompt and longest answer."""
        return len(self.prompt) + self.max_new_tokens


@dataclass(frozen=True)
class ChoiceRequest(Request):
    """Give the log-likelihood of each continuation of one prompt."""

    prompt: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    kind: ClassVar[str] = "choice"

    @property
    def begins(self) -> tuple[int, ...]:
        """The prompt."""
        return self.prompt

    @property
    def size(self) -> int:
        """Prompt and longest choice."""
        return len(self.prompt) + max(map(len, self.choices))

    @property
    def rows(self) -> int:
        """The prompt is computed once but its cache is repeated for every choice."""
        return len(self.choices)


@dataclass(frozen=True)
class TextRequest(Request):
    """Give the log-likelihood of a text, in windows as long as the model reads."""

    tokens: tuple[int, ...]
    prefix: int
    """The id that the first token is conditioned on."""
    window: int
    """Longest input, in tokens."""
    kind: ClassVar[str] = "text"

    @property
    def size(self) -> int:
        """One window."""
        return min(len(self.tokens), self.window)


@dataclass(frozen=True)
class Generation:
    """A greedy answer."""

    output: tuple[int, ...]
    """Token ids without the stop id."""
    logprob: float
    """Sum over the answer's tokens, the stop id included; natural logarithm."""
    stopped: bool
    """False: cut at `max_new_tokens`."""
    seconds: float
    """From the start of its batch to its last token."""


@dataclass(frozen=True)
class ChoiceAnswer:
    """Log-likelihoods of the choices."""

    logprobs: tuple[float, ...]
    greedy: tuple[bool, ...]
    """Whether each choice is what greedy decoding would write."""
    seconds: float


@dataclass(frozen=True)
class TextAnswer:
    """Log-likelihood of a text."""

    logprob: float
    tokens: int
    seconds: float


class NoProbability(FloatingPointError):
    """The model gave NaN instead of a probability."""

    def __init__(self, place: int) -> None:
        super().__init__("the model gave NaN instead of a probability")
        self.place = place
        """Of the request, among those that were asked together."""


Answer = Generation | ChoiceAnswer | TextAnswer
_KINDS: dict[str, Callable[..., Answer]] = {
    GenerateRequest.kind: Generation,
    ChoiceRequest.kind: ChoiceAnswer,
    TextRequest.kind: TextAnswer,
}


def answer_to_record(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain data."""
    return asdict(answer)


def answer_from_record(kind: str, record: dict[str, Any]) -> Answer:
    """Return the answer that `answer_to_record` was given.

    Raises:
        TypeError, KeyError: the record is of another shape.
    """
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    return _KINDS[kind](**fields)
