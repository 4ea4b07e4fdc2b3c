"""Preference pairs: `chosen` and `rejected`, with or without a `prompt`."""

from __future__ import annotations

import re

from curate.formats.pairs import turns_of
from curate.formats.raw import Misfit
from curate.formats.shape import Message, Raw, Row, after_system, assistant, json_text, user
from curate.reasons import Reason

_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def preference(row: Raw) -> Row:
    """Return a preference pair; without a prompt, it is the turns that both sides begin with.

    Raises:
        Misfit: a side is null, or nothing is common to both while there is no prompt.
    """
    chosen = _side(row, "chosen")
    rejected = _side(row, "rejected")
    if row.get("prompt") is None and row.get("instruction") is not None:
        prompt = [user(_instruction(row))]
    elif row.get("prompt") is not None:
        prompt = turns_of(row["prompt"], "prompt", "user", Reason.NULL_PROMPT)
    else:
        prompt = []
    if prompt and chosen[: len(prompt)] == prompt == rejected[: len(prompt)]:
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    if not prompt:
        prompt, chosen, rejected = _common(chosen, rejected)
    return Row(
        "preference",
        prompt=after_system(row, prompt),
        chosen=chosen,
        rejected=rejected,
        tools=json_text(row.get("tools")),
    )


def _instruction(row: Raw) -> str:
    extra = f"\n\n{row['input']}" if row.get("input") else ""
    return f"{row['instruction']}{extra}"


def _side(row: Raw, field: str) -> list[Message]:
    value = row.get(field)
    if isinstance(value, str) and value.startswith("\n\nHuman:"):
        return _transcript(value)
    return turns_of(value, field, "assistant", Reason.NULL_ANSWER)


def _transcript(text: str) -> list[Message]:
    """Return the turns of a transcript with `Human:` and `Assistant:` marks (hh-rlhf)."""
    parts = _TURN.split(text)[1:]
    makers = {"Human": user, "Assistant": assistant}
    return [
        makers[role](content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def _common(
    chosen: list[Message], rejected: list[Message]
) -> tuple[list[Message], list[Message], list[Message]]:
    shared = 0
    for left, right in zip(chosen[:-1], rejected[:-1], strict=False):
        if left != right:
            break
        shared += 1
    if not shared:
        raise Misfit(
            Reason.NO_FORMAT,
            "there is no `prompt`, and `chosen` and `rejected` begin with different turns",
        )
    return chosen[:shared], chosen[shared:], rejected[shared:]
