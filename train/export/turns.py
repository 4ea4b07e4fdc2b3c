"""A chat template as what it writes around each turn, for programs without Jinja. No torch.

Found by rendering a few conversations with marked contents, and proved on others: what the parts
make must be what the template writes, character by character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.models import ChatTokenizer
from workspace.errors import TemperError

ROLES = ("system", "user", "assistant")
_MARKS = {"system": "\u2402SYS\u2403", "user": "\u2402USR\u2403", "assistant": "\u2402ASS\u2403"}


@dataclass(frozen=True)
class Wrapped:
    """What is written before and after each role's content."""

    opening: str
    """Before the first turn."""
    before: Mapping[str, str]
    after: Mapping[str, str]
    prompt: str
    """What asks for an answer, behind the last turn."""

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return a conversation up to where the assistant begins."""
        turns = (
            self.before[str(one["role"])] + str(one["content"]) + self.after[str(one["role"])]
            for one in messages
        )
        return self.opening + "".join(turns) + self.prompt


def wrapped_turns(
    tokenizer: ChatTokenizer, conversations: Sequence[Sequence[Mapping[str, Any]]]
) -> Wrapped | None:
    """Return the template's parts, or None if it does more than write around turns.

    Args:
        tokenizer: with the template.
        conversations: more of them to prove it on, ending with a user's turn.
    """
    try:
        found = _found(tokenizer)
        proofs: list[Sequence[Mapping[str, Any]]] = [*_conversations(found), *conversations]
        for messages in proofs:
            known = all(one.get("role") in found.before for one in messages)
            plain = all(isinstance(one.get("content"), str) for one in messages)
            if not (known and plain):
                continue
            text = tokenizer.render(messages, add_generation_prompt=True).text
            if found.render(messages) != text:
                return None
    except (TemperError, ValueError):
        return None
    return found


def _found(tokenizer: ChatTokenizer) -> Wrapped:
    user, assistant = ({"role": role, "content": _MARKS[role]} for role in ("user", "assistant"))

    def text(*messages: Mapping[str, str], ask: bool = False) -> str:
        return tokenizer.render(list(messages), add_generation_prompt=ask).text

    asked, bare = text(user, ask=True), text(user)
    if not asked.startswith(bare):
        raise ValueError("the prompt does not follow the turn")
    prompt = asked[len(bare) :]
    two = text(user, assistant, user)
    head, first, second = two.split(_MARKS["user"])
    middle_before, _, middle_after = first.partition(_MARKS["assistant"])
    after_user = _after(bare, _MARKS["user"])
    if second != after_user or not middle_before.startswith(after_user):
        raise ValueError("turns are written differently by place")
    before_assistant = middle_before[len(after_user) :]
    # what stands before the second question: the end of the answer, and the beginning of a question
    common = _common_suffix(head, middle_after)
    opening, before_user = head[: len(head) - len(common)], common
    after_assistant = middle_after[: len(middle_after) - len(common)]
    before = {"user": before_user, "assistant": before_assistant}
    after = {"user": after_user, "assistant": after_assistant}
    _add_system(text, user, opening, before, after)
    return Wrapped(opening, before, after, prompt)


def _add_system(
    text: Any, user: Mapping[str, str], opening: str, before: dict[str, str], after: dict[str, str]
) -> None:
    """Find how a system turn is written; templates that refuse one have none."""
    try:
        whole = text({"role": "system", "content": _MARKS["system"]}, user)
    except TemperError:
        return
    head, _, rest = whole.partition(_MARKS["system"])
    between = rest.partition(_MARKS["user"])[0]
    if not head.startswith(opening) or not between.endswith(before["user"]):
        raise ValueError("a system turn changes the others")
    before["system"] = head[len(opening) :]
    after["system"] = between[: len(between) - len(before["user"])]


def _after(text: str, mark: str) -> str:
    return text.partition(mark)[2]


def _common_suffix(one: str, other: str) -> str:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return one[len(one) - count :]


def _conversations(found: Wrapped) -> list[list[dict[str, str]]]:
    turns = [
        {"role": "user", "content": "What is two and two?"},
        {"role": "assistant", "content": "It is four."},
        {"role": "user", "content": "And  three\n\nand three?"},
    ]
    system = [{"role": "system", "content": "Be brief."}] if "system" in found.before else []
    return [turns[:1], turns, [*system, *turns[:1]], [*system, *turns]]
