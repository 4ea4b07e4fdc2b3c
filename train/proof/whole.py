"""The proof for a model that reads whole chats: what it reads, and where its number is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from train.data import Message
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


def reading_problem(
    one: TokenSequence, answers: Sequence[Message], tokenizer: ChatTokenizer, pad_id: int
) -> str | None:
    """Return why a sequence is not a whole chat whose number is read at its last token.

    Checked: the loss is on the last token and no other; that token is no padding, for
    transformers takes the number at the last token that is none; and the text decoded from the
    tokens says everything the assistant wrote, in order.
    """
    marked = one.loss_mask.nonzero()[0].tolist()
    if marked != [one.tokens - 1]:
        return "the loss is not on the last token alone"
    if int(one.input_ids[-1]) == pad_id:
        return "the last token is the padding, so that another would be read"
    text = tokenizer.decode(one.input_ids.tolist(), special=True)
    place = 0
    for message in answers:
        wanted = _normalised(str(message.get("content") or "").strip(), tokenizer)
        found = _normalised(text, tokenizer).find(wanted, place)
        if found < 0:
            return "what the assistant wrote is not read"
        place = found + len(wanted)
    return None


def _normalised(text: str, tokenizer: ChatTokenizer) -> str:
    normaliser = tokenizer.tokenizer.normalizer
    return text if normaliser is None else str(normaliser.normalize_str(text))
