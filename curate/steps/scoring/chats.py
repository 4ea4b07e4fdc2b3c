"""Rows as a model reads them, with the tokens of the answer marked. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from evalsuite.models import ChatTokenizer, TokenisedChat
from evalsuite.models.rows import tokenise_row
from evalsuite.models.turns import REASONS
from workspace.errors import ModelError

Turns = list[dict[str, Any]]


class NotScored(Exception):
    """A row that a model cannot be asked about; says why."""


@dataclass(frozen=True)
class Passage:
    """Tokens, and which of them count."""

    ids: tuple[int, ...]
    counted: tuple[bool, ...]
    """As long as `ids`; the first token is never counted, for nothing predicts it."""

    @property
    def first(self) -> int:
        """Place of the first token that counts."""
        return self.counted.index(True)

    @property
    def answer(self) -> tuple[int, ...]:
        """The tokens that count."""
        return tuple(token for token, yes in zip(self.ids, self.counted, strict=True) if yes)


def passage(ids: list[int], counted: list[bool]) -> Passage:
    """Return tokens of which some count.

    Raises:
        NotScored: none does.
    """
    marks = (False, *counted[1:])
    if not any(marks):
        raise NotScored("there is no token of an answer")
    return Passage(tuple(ids), marks)


def supervised(record: Mapping[str, Any], kind: str, side: str = "chosen") -> dict[str, Any]:
    """Return a row of any type as supervised training takes it.

    Args:
        record: the columns of the type, and `tools`.
        kind: the dataset type.
        side: of a preference: `chosen` or `rejected`.
    """
    tools = record.get("tools")
    row: dict[str, Any] = {"tools": orjson.loads(tools)} if tools else {}
    if kind == "text":
        return {**row, "text": record["text"] or ""}
    if kind == "messages":
        return {**row, "messages": _said(record["messages"])}
    if kind == "answer":
        completion: Turns = [{"role": "assistant", "content": record["answer"] or ""}]
    else:
        completion = _said(record[side if kind == "preference" else "completion"])
    return {**row, "prompt": _said(record["prompt"]), "completion": completion}


def whole_chat(tokenizer: ChatTokenizer, row: Mapping[str, Any]) -> list[int]:
    """Return all tokens of a row after the chat template.

    Raises:
        NotScored: the template refuses it, or it is empty.
    """
    if "text" in row:
        ids = tokenizer.encode(row["text"], special=True)
    else:
        turns = row.get("messages") or [*row["prompt"], *row["completion"]]
        ids = tokenizer.encode(_rendered(tokenizer, turns, row.get("tools")))
    if not ids:
        raise NotScored("it has no token")
    return ids


def trained_chat(tokenizer: ChatTokenizer, row: Mapping[str, Any]) -> TokenisedChat:
    """Return a row with the tokens marked that training learns.

    Where neither the template nor its prompts tell what the assistant writes, the last answer is
    marked: all that follows the prompt with the words that begin an answer.

    Raises:
        NotScored: the template refuses the row.
    """
    if "text" in row or tokenizer.finds_answers:
        try:
            chat = tokenise_row(tokenizer, row)
        except ModelError as error:
            raise NotScored(_refusal(error)) from None
        if len(chat.turns) - 1 in chat.left_out:
            raise NotScored(REASONS[chat.left_out[len(chat.turns) - 1]])
        return chat
    turns = row.get("messages") or [*row["prompt"], *row["completion"]]
    if not turns or turns[-1].get("role") != "assistant":
        raise NotScored("it does not end with an answer")
    text = _rendered(tokenizer, turns, row.get("tools")).rstrip()
    before = _rendered(tokenizer, turns[:-1], row.get("tools"), ask=True)
    ids, prompt = tokenizer.encode(text), tokenizer.encode(before)
    if ids[: len(prompt)] != prompt:
        raise NotScored("the template writes the prompt in another way when an answer follows")
    mask = [False] * len(prompt) + [True] * (len(ids) - len(prompt))
    return TokenisedChat(ids, mask, text, ((len(prompt), len(ids)),))


def answer_opening(tokenizer: ChatTokenizer) -> list[int]:
    """Return the tokens that the template writes between a prompt and an answer.

    Where it writes none: the token that begins or ends a text, or nothing if there is neither.
    """
    turns = [{"role": "user", "content": "x"}]
    try:
        plain = tokenizer.render(turns).text
        asked = tokenizer.render(turns, add_generation_prompt=True).text
    except ModelError:
        plain = asked = ""
    opening = tokenizer.encode(asked[len(plain) :]) if asked.startswith(plain) else []
    if opening:
        return opening
    edge = tokenizer.eos_id if tokenizer.bos_id is None else tokenizer.bos_id
    return [] if edge is None else [edge]


def check_length(ids: list[int], context: int) -> None:
    """Refuse a row that the model would have to read cut.

    Raises:
        NotScored: it is longer than the model reads.
    """
    if len(ids) > context:
        raise NotScored(f"{len(ids):,} tokens are more than the {context:,} that the model reads")


def check_known(ids: list[int], known: int | None, tokenizer: ChatTokenizer) -> None:
    """Refuse a row with tokens that the model has no weights for.

    Raises:
        NotScored: it has one.
    """
    if known is not None and max(ids) >= known:
        token = next(one for one in ids if one >= known)
        shown = tokenizer.decode([token], special=True)
        raise NotScored(f"token {token} ({shown!r}) is unknown to the model's {known:,}")


def _rendered(
    tokenizer: ChatTokenizer, turns: Turns, tools: Any = None, *, ask: bool = False
) -> str:
    try:
        return tokenizer.render(turns, tools=tools, add_generation_prompt=ask).text
    except ModelError as error:
        raise NotScored(_refusal(error)) from None


def _refusal(error: ModelError) -> str:
    return f"{error.title}: {error.cause}".rstrip(".")


def _said(turns: Turns | None) -> Turns:
    """Leave out what a turn does not have: templates ask whether a key is there."""
    return [{k: v for k, v in turn.items() if v is not None} for turn in turns or ()]
