"""Thoughts of reasoning models: what stands between `<think>` and `</think>` before an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_OPENED = re.compile(r"<think>\s*\Z")
_CLOSING = "</think>"
_WRITTEN = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_CONTINUED = re.compile(r"(.*?)</think>\s*", re.DOTALL)


class Said(NamedTuple):
    """A message, or its text, in two parts without white space around them."""

    thought: str
    """Empty: none, or an empty one."""
    answer: str


def said(message: Mapping[str, Any]) -> Said:
    """Return what an assistant's message says, its thought apart.

    The thought is a field of its own (`reasoning_content`), or stands in the content before
    `</think>`, with or without the mark that opens it, as templates read it.

    >>> said({"content": "<think>2 + 2</think>It is four."})
    Said(thought='2 + 2', answer='It is four.')
    """
    content = _text(message.get("content"))
    apart = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(apart, str) and apart.strip():
        return Said(apart.strip(), content.strip())
    before, mark, answer = content.rpartition(_CLOSING)
    if not mark:
        return Said("", content.strip())
    return Said(before.split("<think>")[-1].strip(), answer.strip())


def _text(content: Any) -> str:
    if isinstance(content, list):  # parts, of which those with text are read
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def opened(prompt: str) -> int | None:
    """Return where a prompt opens a thought for the assistant to continue, or None.

    >>> opened("<|assistant|><think>")
    13
    """
    found = _OPENED.search(prompt)
    return found.start() if found else None


def skip_thought(text: str, *, continued: bool) -> tuple[str, int]:
    """Return the thought at the beginning of a text, and where the answer begins.

    Args:
        text: what the assistant writes.
        continued: the prompt has opened the thought already.
    """
    found = (_CONTINUED if continued else _WRITTEN).match(text)
    if found:
        return found[1].strip(), found.end()
    return "", len(text) - len(text.lstrip())


def continue_thought(prompt: str, answer: str, thought: str) -> str:
    """Return a finished answer behind a prompt that opens a thought.

    Args:
        prompt: ends in `<think>`.
        answer: what a template without that thought writes after the assistant's name.
        thought: of the row; may be empty.
    """
    body = answer.lstrip()
    if body.startswith("<think>"):
        return prompt + body.removeprefix("<think>").lstrip()
    return f"{prompt}{thought}\n{_CLOSING}\n\n{body}"
