"""Dataset rows to tokens and loss masks, one rule for each of TRL's dataset types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalsuite.models.chat import ChatTokenizer, TokenisedChat
from workspace.errors import DataError


def tokenise_row(tokenizer: ChatTokenizer, row: Mapping[str, Any]) -> TokenisedChat:
    """Return a supervised row as tokens with its loss mask.

    `messages`: trained on the assistant's spans. `prompt` + `completion`: trained on the
    completion and the end token (as text), or on the completion's assistant spans (as messages
    through the template): those of the prompt are read, not learnt. `text`: trained on all of it
    and the end token.

    Raises:
        DataError: the row has none of these columns.
        ModelError: the template refuses its messages.
    """
    if row.get("messages") is not None:
        return tokenizer.encode_chat(row["messages"], tools=row.get("tools"))
    if row.get("prompt") is not None and row.get("completion") is not None:
        prompt, completion = row["prompt"], row["completion"]
        if isinstance(prompt, str) and isinstance(completion, str):
            return _text_pair(tokenizer, prompt, completion)
        chat = tokenizer.encode_chat([*prompt, *completion], tools=row.get("tools"))
        return _without_turns(chat, sum(message["role"] == "assistant" for message in prompt))
    if row.get("text") is not None:
        return _text_pair(tokenizer, "", row["text"])
    raise DataError(
        "this row cannot be trained on by SFT",
        where=f"row {row.get('id', '?')}",
        cause=f"It has the columns {', '.join(sorted(row))}.",
        cure="SFT takes `messages`, `prompt` + `completion` or `text`.",
    )


def whole_row(tokenizer: ChatTokenizer, row: Mapping[str, Any]) -> list[int]:
    """Return all tokens of a `prompt` + `completion` row, as a reward model reads them.

    Chats pass the template, which needs no generation marks; plain texts get the end token.

    Raises:
        ModelError: the template refuses its messages.
    """
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return _text_pair(tokenizer, prompt, completion).input_ids
    return tokenizer.encode(tokenizer.render([*prompt, *completion], tools=row.get("tools")).text)


def _without_turns(chat: TokenisedChat, earlier: int) -> TokenisedChat:
    """Return `chat` without loss on its first `earlier` assistant turns."""
    mask = list(chat.loss_mask)
    for start, end in chat.turns[:earlier]:
        mask[start:end] = [False] * (end - start)
    left_out = {place - earlier: why for place, why in chat.left_out.items() if place >= earlier}
    return replace(chat, loss_mask=mask, turns=chat.turns[earlier:], left_out=left_out)


def _text_pair(tokenizer: ChatTokenizer, prompt: str, completion: str) -> TokenisedChat:
    before = tokenizer.encode(prompt, special=True)
    after = tokenizer.encode(completion)
    if tokenizer.eos_id is not None:
        after.append(tokenizer.eos_id)
    ids = before + after
    mask = [False] * len(before) + [True] * len(after)
    return TokenisedChat(ids, mask, prompt + completion, ((len(before), len(ids)),))
