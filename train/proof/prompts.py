"""The other half of the proof: what stands before each answer is what generation will see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.models.turns import REASONS
from train.data import DataRow, Message
from train.rows import TokenSequence
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


@dataclass
class Prompts:
    """What was found over all rows that were looked at."""

    equal: int = 0
    """Answers behind exactly the tokens that generation would be given."""
    differ: int = 0
    """Answers behind others."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Answers that are read but not learnt, by reason."""

    def count(
        self,
        conversation: Sequence[Message],
        learnt: Sequence[Message],
        spans: Sequence[tuple[int, int]],
        one: TokenSequence,
        row: DataRow,
        tokenizer: ChatTokenizer,
    ) -> bool:
        """Compare the prompts of one sequence, and return whether all are equal.

        Args:
            conversation: all messages of the sequence.
            learnt: those that are learnt, in order; the very objects of `conversation`.
            spans: (start, end) token positions of what is learnt.
            one: the sequence.
            row: it is of.
            tokenizer: of the model.
        """
        equal = True
        for (start, _), message in zip(spans, learnt, strict=False):
            place = next((i for i, other in enumerate(conversation) if other is message), None)
            if place is None:
                continue
            try:
                prompt = tokenizer.encode_prompt(
                    conversation[:place], tools=row.record.get("tools")
                )
            except ModelError:
                prompt = []
            same = one.input_ids[:start].tolist() == prompt
            self.equal += same
            self.differ += not same
            equal = equal and same
        return equal

    def told(self) -> dict[str, int]:
        """Return the answers that are not learnt, by reason in words."""
        return {REASONS[reason]: count for reason, count in sorted(self.left_out.items())}


def conversation_of(row: DataRow, name: str) -> list[Message]:
    """Return all messages of one of a row's sequences.

    Args:
        row: of any type.
        name: of the sequence, as the method calls it: a column where it has one.
    """
    if row.is_plain_text:
        return []
    if row.kind == "messages":
        return row.turns("messages")
    column = name if name in row.record else "completion"
    return [*row.turns("prompt"), *row.turns(column)]


def not_learnt(
    row: DataRow,
    conversation: Sequence[Message],
    answers: Sequence[Message],
    tokenizer: ChatTokenizer,
) -> Mapping[int, str]:
    """Return which of the answers are left out, and why: place → key of `turns.REASONS`."""
    if tokenizer.has_generation_marks or not conversation:
        return {}
    chat = tokenizer.encode_chat(conversation, tools=row.record.get("tools"))
    spoken = sum(message.get("role") == "assistant" for message in conversation)
    earlier = spoken - len(answers)
    return {place - earlier: why for place, why in chat.left_out.items() if place >= earlier}
