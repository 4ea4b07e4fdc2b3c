"""A duel being fought: which prompt is next, what was answered, what was voted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tui.chat.talk import SIDES, Talk, Turn
from tui.duel.record import Choice, Duel, Turns, Vote

AHEAD = 2
"""Prompts answered before they are needed, so that nobody waits while reading."""
_ASKINGS = count()


@dataclass
class Play:
    """The prompts of a duel, and the answers that are here already."""

    duel: Duel
    prompts: list[Turns]
    votes: dict[int, Vote]
    turns: dict[int, Turn] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    """Why a prompt could not be answered."""
    asked: int | None = None
    """The prompt that is being answered."""
    request_id: str = ""
    """What its request is called; another name whenever a prompt is asked, also again."""
    passed: list[int] = field(default_factory=list)
    """Prompts voted on by this screen, for taking back."""

    @classmethod
    def of(cls, duel: Duel) -> Play:
        """Read how far a duel is."""
        return cls(duel, duel.prompts(), duel.votes())

    @property
    def current(self) -> int | None:
        """The first prompt without a vote; None where all have one."""
        return next((n for n in range(len(self.prompts)) if n not in self.votes), None)

    @property
    def shown(self) -> Turn | None:
        """The current prompt's answers, once both are whole: speed would tell who is who."""
        number = self.current
        if number is None or number == self.asked or number in self.errors:
            return None
        return self.turns.get(number)

    @property
    def trouble(self) -> str:
        """Why the current prompt has no answers; empty while that is not known."""
        return self.errors.get(self.current, "") if self.current is not None else ""

    def next_request(self) -> dict[str, Any] | None:
        """Return the request for the next prompt that needs answers, if none is under way."""
        if self.asked is not None:
            return None
        open_ = [n for n in range(len(self.prompts)) if n not in self.votes][: AHEAD + 1]
        number = next((n for n in open_ if n not in self.turns), None)
        if number is None:
            return None
        self.asked = number
        self.request_id = f"{self.duel.id}:{number}:{next(_ASKINGS)}"
        self.turns[number] = Turn(self.prompts[number][-1]["content"])
        messages = self._messages(number)
        settings = self.duel.settings
        return {
            "id": self.request_id,
            "sides": [messages for _ in SIDES],
            "temperature": settings.temperature,
            "seed": settings.seed,
            "max_tokens": settings.max_tokens,
        }

    @property
    def current_request(self) -> str:
        """What the request for the current prompt is called, while it is under way."""
        return self.request_id if self.asked is not None and self.asked == self.current else ""

    def _messages(self, number: int) -> list[dict[str, str]]:
        messages, system = [*self.prompts[number]], self.duel.settings.system
        if system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": system})
        return messages

    def take(self, event: dict[str, Any]) -> None:
        """Take in what the models' process said of the prompt under way."""
        if self.asked is None or event.get("id") != self.request_id:
            return
        talk = Talk(turns=[self.turns[self.asked]])
        if event["kind"] in ("text", "end"):
            talk.take(event)
        elif event["kind"] in ("done", "error"):
            if event["kind"] == "error":
                self.errors[self.asked] = f"{event.get('title')}. {event.get('cause')}"
            talk.lose()
            if any(answer.finish == "stopped" for answer in self.turns[self.asked].answers):
                del self.turns[self.asked]  # it was skipped: asked again if that is taken back
            self.asked = None

    def lose(self) -> None:
        """Ask again for what was being answered: its process ended."""
        if self.asked is not None:
            del self.turns[self.asked]
            self.asked = None

    def vote(self, choice: Choice) -> bool:
        """Vote on the current prompt; returns whether there was something to vote on.

        Raises:
            TemperError: the vote cannot be written.
        """
        number, turn = self.current, self.shown
        if number is None or (turn is None and choice != "skip"):
            return False
        answers = ("", "") if turn is None else tuple(one.raw for one in turn.answers)
        vote = Vote(
            number, choice, self.duel.first_is_left(number), self.prompts[number],
            (answers[0], answers[1]), time.time(),
        )  # fmt: skip
        self.duel.vote(vote)
        self.votes[number] = vote
        self.passed.append(number)
        return True

    def take_back(self) -> bool:
        """Take the last vote of this sitting back; returns whether there was one."""
        if not self.passed:
            return False
        number = self.passed.pop()
        self.duel.take_back(number)
        self.votes.pop(number, None)
        return True

    def add(self, prompt: str) -> None:
        """Put a typed prompt behind the others."""
        turns: Turns = ({"role": "user", "content": prompt},)
        self.duel.add_prompts([turns])
        self.prompts.append(turns)

    def sides(self) -> tuple[int, int]:
        """Return which model stands on the left, and which on the right."""
        first = self.current is None or self.duel.first_is_left(self.current)
        return (0, 1) if first else (1, 0)


def parts_of(prompt: Turns) -> list[tuple[str, str]]:
    """Return a prompt as texts with roles; of a long conversation the last turns."""
    turns = prompt[-3:]
    parts: list[tuple[str, str]] = []
    if len(prompt) > len(turns):
        parts.append((f"({len(prompt) - len(turns)} turns before)", "muted"))
    if len(turns) == 1:
        return [*parts, (turns[0]["content"], "accent")]
    return parts + [
        (f"{turn['role']}: {turn['content']}", "accent" if turn is turns[-1] else "muted")
        for turn in turns
    ]
