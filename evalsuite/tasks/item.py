"""One question of a task, ready to be asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question with what is needed to score its answer."""

    id: str
    """Unique within its task."""
    messages: tuple[Message, ...] = ()
    """The chat up to the answer; empty for perplexity."""
    gold: str = ""
    """The right answer as text; for a choice, the text of the right choice."""
    choices: tuple[str, ...] = ()
    """The answers to choose from."""
    cluster: str = ""
    """Items with the same cluster are not independent; the item's own id if none is given."""
    text: str = ""
    """What a perplexity task measures."""
    where: str = ""
    """`file:line` it was read from."""

    @property
    def question(self) -> str:
        """The last user turn, or the text: what leaks and duplicates are looked for in."""
        turns = [message.content for message in self.messages if message.role == "user"]
        return turns[-1] if turns else self.text

    @property
    def gold_index(self) -> int:
        """The position of the right choice."""
        return self.choices.index(self.gold)

    @property
    def digest(self) -> str:
        """SHA-256 of all that makes the question and its score, not of where it was read."""
        return content_digest(asdict(replace(self, where="")))

    def chat(self) -> list[dict[str, str]]:
        """Return the messages as chat templates take them."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


def content_digest(value: object) -> str:
    """Return the SHA-256 of a JSON-able value; different values cannot share an encoding."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
