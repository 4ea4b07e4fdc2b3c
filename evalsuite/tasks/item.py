"""One question of a task, ready to be asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.tasks.human import HumanLabel

Role = Literal["system", "user", "assistant"]
_OLD = ("id", "messages", "gold", "choices", "cluster", "text", "where")
"""Fields that are in every digest."""


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
    golds: tuple[str, ...] = ()
    """All right answers where there are several, of which `gold` is the first."""
    human: tuple[HumanLabel, ...] = ()
    """What people said of answers to it."""

    @property
    def right_answers(self) -> tuple[str, ...]:
        """Every answer that is right."""
        return self.golds or (self.gold,)

    @property
    def shown_gold(self) -> str:
        """The right answers for a person."""
        return " | ".join(self.right_answers)

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
        known = asdict(replace(self, where=""))
        # What an item does not have leaves its digest as it was before there was such a thing.
        return content_digest({name: known[name] for name in known if known[name] or name in _OLD})

    def chat(self) -> list[dict[str, str]]:
        """Return the messages as chat templates take them."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


def named_items(items: Sequence[Item], most: int = 3) -> str:
    """Return ids and places of the first few items, for a person."""
    named = [
        plain(item.id, 40)
        + (f" ({plain(item.where.rpartition('/')[2], 60)})" if item.where else "")
        for item in items[:most]
    ]
    return ", ".join(named) + (f" and {len(items) - most:,} more" if len(items) > most else "")


def content_digest(value: object) -> str:
    """Return the SHA-256 of a JSON-able value; different values cannot share an encoding."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
