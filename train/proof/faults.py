"""What disproves a mask: the text that carries loss is not what the row says was written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.models.thoughts import said
from train.data import Message
from train.rows import TokenRow, TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

# Templates of reasoning models put an empty thought before an answer that has none.
_EMPTY_THOUGHT = re.compile(r"(<think>\s*</think>)?")


@dataclass(frozen=True)
class Fault:
    """One row that disproves the mask."""

    row_id: str
    place: str
    problem: str
    trained_text: str
    expected_text: str


def find_fault(
    row: TokenRow,
    one: TokenSequence,
    spans: Sequence[tuple[int, int]],
    answers: Sequence[Message],
    tokenizer: ChatTokenizer,
) -> Fault | None:
    """Return what is wrong with the mask of one sequence, or None."""
    expected = [str(message.get("content") or "").strip() for message in answers]
    ids = [one.input_ids[start:end].tolist() for start, end in spans]
    trained = [tokenizer.decode(some, special=False).strip() for some in ids]
    calls_tools = any("tool_calls" in message for message in answers)
    cut = row.cut_tokens > 0
    problem = _problem(one, expected, trained, cut=cut, exact=not calls_tools)
    if problem is None:
        return None
    # What a tokenizer rewrites before it cuts (such as NFD to NFC) cannot come back from its ids.
    seen, wanted = (_normalised(texts, tokenizer) for texts in (trained, expected))
    if _problem(one, wanted, seen, cut=cut, exact=not calls_tools) is None:
        return None
    if not cut and one.trained and _says_the_same(ids, answers, tokenizer):
        return None
    return Fault(row.row_id, row.row.place, problem, " | ".join(trained), " | ".join(expected))


def _says_the_same(
    ids: Sequence[Sequence[int]], answers: Sequence[Message], tokenizer: ChatTokenizer
) -> bool:
    """Return whether thoughts and answers are equal, each without what frames it.

    Templates write a thought in their own way, and a heading or a closing around the words.
    """
    if len(ids) != len(answers):
        return False
    frame = tokenizer.frame
    ends = sorted((*frame.stops, frame.closing, frame.last_closing), key=len, reverse=True)
    for some, message in zip(ids, answers, strict=True):
        if sum(one in tokenizer.eos_ids for one in some) > 1:
            return False  # the row itself writes a token at which generation stops
        text = tokenizer.decode(list(some), special=True).strip()
        text = text.removeprefix(frame.heading.strip())
        text = text.removesuffix(next((e.strip() for e in ends if text.endswith(e.strip())), ""))
        found, wanted = said({"content": text}), said(message)
        pairs = zip(found, wanted, strict=True)
        if "tool_calls" in message:
            same = found.thought == wanted.thought and found.answer.startswith(wanted.answer)
        else:
            same = all(_equal(one, other, tokenizer) for one, other in pairs)
        if not same:
            return False
    return True


def _equal(found: str, wanted: str, tokenizer: ChatTokenizer) -> bool:
    return found == wanted or _normalised([found], tokenizer) == _normalised([wanted], tokenizer)


def _normalised(texts: Sequence[str], tokenizer: ChatTokenizer) -> list[str]:
    normaliser = tokenizer.tokenizer.normalizer
    if normaliser is None:
        return list(texts)
    return [str(normaliser.normalize_str(text)).strip() for text in texts]


def _problem(
    one: TokenSequence, expected: Sequence[str], trained: Sequence[str], *, cut: bool, exact: bool
) -> str | None:
    if one.trained == 0:
        return "no trainable token" if expected else None
    if cut:  # the end is gone: what is left must be a beginning
        whole, left = " ".join(expected), " ".join(trained)
        left = left.rstrip("\N{REPLACEMENT CHARACTER}")
        begins = whole.startswith(left) or _squeezed(whole).startswith(_squeezed(left))
        return None if begins else "other text"
    if len(trained) != len(expected):
        return f"{len(trained)} trained stretches for {len(expected)} assistant turns"
    for found, wanted in zip(trained, expected, strict=True):
        if wanted not in found:
            return "other text"
        rest = found.replace(wanted, "", 1) if wanted else found
        if exact and not _EMPTY_THOUGHT.fullmatch(rest.strip()):
            return "more than the assistant wrote"
    return None


def _squeezed(text: str) -> str:
    """Return a text without what templates change around a thought."""
    return re.sub(r"\s+|</?think>", "", text)
