"""A conversation with two models: the same questions, each remembering its own answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tui.chat.wrapping import Wrapped

SIDES = (0, 1)
Marks = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Settings:
    """How both are asked."""

    system: str = ""
    temperature: float = 0.0
    seed: int = 1
    max_tokens: int = 512

    def with_value(self, name: str, text: str) -> Settings:
        """Return these with one value as it was typed.

        Raises:
            ValueError: it cannot be that value; the message says what can.
        """
        if name == "system":
            return replace(self, system=text)
        try:
            value = float(text) if name == "temperature" else int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number.") from None
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise ValueError(f"The {WORDS[name]} can be {low:g} to {high:g}.")
        if name == "temperature":
            return replace(self, temperature=float(value))
        if name == "seed":
            return replace(self, seed=int(value))
        return replace(self, max_tokens=int(value))


_LIMITS = {"temperature": (0.0, 2.0), "seed": (0, 2**63 - 1), "max_tokens": (1, 1_000_000)}
WORDS = {
    "system": "system prompt",
    "temperature": "temperature",
    "seed": "seed",
    "max_tokens": "most tokens",
}
"""What the settings are called on the screen."""


@dataclass
class Answer:
    """What one model has said to one question."""

    raw: str = ""
    shown: Wrapped = field(default_factory=Wrapped)
    finish: str = ""
    """stop, length (cut at the most tokens), stopped (by Escape), lost; empty while it writes."""
    tokens: int = 0
    seconds: float = 0.0
    marks: Marks = ()
    """Places in the shown text that the other answer does not have."""

    def add(self, text: str) -> None:
        """Take in what it has written."""
        self.raw += text
        self.shown.add(text)

    def end(self, finish: str, tokens: int = 0, seconds: float = 0.0) -> None:
        """Take in how it ended."""
        self.finish, self.tokens, self.seconds = finish, tokens, seconds


@dataclass
class Turn:
    """A question and both answers."""

    question: str
    answers: tuple[Answer, Answer] = field(default_factory=lambda: (Answer(), Answer()))

    @property
    def is_done(self) -> bool:
        """Whether both have ended."""
        return all(answer.finish for answer in self.answers)


@dataclass
class Talk:
    """Turns, and the settings of the next one."""

    settings: Settings = field(default_factory=Settings)
    turns: list[Turn] = field(default_factory=list)

    def messages(self, side: int, upto: int | None = None) -> list[dict[str, str]]:
        """Return the conversation of one side, its last question unanswered.

        Args:
            side: 0 the left model, 1 the right one.
            upto: the number of turns that count, if not all.
        """
        found = (
            [{"role": "system", "content": self.settings.system}] if self.settings.system else []
        )
        turns = self.turns[:upto]
        for turn in turns:
            found.append({"role": "user", "content": turn.question})
            if turn is not turns[-1]:
                found.append({"role": "assistant", "content": turn.answers[side].raw})
        return found

    def request(self, identifier: int) -> dict[str, Any]:
        """Return the request for the last question, as the child reads it."""
        return {
            "id": identifier,
            "sides": [self.messages(side) for side in SIDES],
            "temperature": self.settings.temperature,
            "seed": self.settings.seed,
            "max_tokens": self.settings.max_tokens,
        }

    def take(self, event: dict[str, Any]) -> None:
        """Take in a piece of an answer to the last question, or its end."""
        side = event.get("side")
        if not self.turns or side not in SIDES:
            return
        answer = self.turns[-1].answers[side]
        if event["kind"] == "text" and not answer.finish:
            answer.add(str(event.get("text", "")))
        elif event["kind"] == "end":
            tokens, seconds = event.get("tokens", 0), event.get("seconds", 0.0)
            answer.end(str(event.get("finish") or "stop"), int(tokens), float(seconds))

    def lose(self) -> None:
        """Let the answers that are being written be as they are: nobody writes them any more."""
        for answer in self.turns[-1].answers if self.turns else ():
            answer.finish = answer.finish or "lost"


MOST_WORDS = 800
"""Longer answers get no marks: comparing takes the square of their length."""


def marks_of(left: str, right: str) -> tuple[Marks, Marks]:
    """Return the places of each text that the other one does not have; call it from a thread."""
    from evalsuite.report.diff import word_diff

    return tuple(map(_places, word_diff(left, right, MOST_WORDS)))  # type: ignore[return-value]


def _places(pieces: Any) -> Marks:
    place, found = 0, []
    for piece in pieces:
        after = place + len(piece.text)
        if piece.differs and piece.text.strip():
            found.append((place, after))
        place = after
    return tuple(found)
