"""Learning by reward: the model writes, and what it wrote is scored.

GRPO: Shao et al. 2024, arXiv 2402.03300. RLOO: Ahmadian et al. 2024, arXiv 2402.14740.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from train.data import DataRow, DataType, Message
from train.methods.base import Method, Unusable
from train.methods.sft import Sft
from train.reinforcement_sections import RftSection
from train.rows import JoinedRows, TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.recipe import TrainSection


@dataclass(frozen=True)
class Question:
    """What a row asks, and its verifiable answer."""

    prompt: str | Sequence[Message]
    """A plain text, or messages for the chat template."""
    answer: str


class Reinforcement(Method):
    """Learns from completions that the model writes: a row is its prompt and carries no loss.

    Rows whose last turn is the assistant's are read as prompt and answer. Nothing of them is lost:
    what was to be written is what is asked for.
    """

    name: ClassVar[str]
    accepts: ClassVar[tuple[DataType, ...]] = ("answer", "prompt_completion", "messages")
    sequences: ClassVar[tuple[str, ...]] = ("prompt",)
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (1e-5, "LoRA: ten times the rate for all weights"),
        ("lora", True): (
            1e-3,
            "LoRA on a model below 20 M parameters: a few times the rate for all its weights",
        ),
        ("full", False): (1e-6, "all weights: the rate of DeepSeekMath (arXiv 2402.03300)"),
        ("full", True): (
            3e-4,
            "all weights of a model below 20 M parameters: measured on a built-in one",
        ),
    }

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the prompt as generation will see it."""
        asked = question(row)
        if isinstance(asked, Unusable):
            return asked
        if isinstance(asked.prompt, str):
            ids = tokenizer.encode(asked.prompt, special=True)
        else:
            ids = tokenizer.encode_prompt(asked.prompt)
        tokens = np.array(ids, dtype=np.int32)
        return (TokenSequence(tokens, np.zeros(len(tokens), dtype=np.bool_)),)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return that nothing of the row itself is trained."""
        return ([],)


class Grpo(Reinforcement):
    """Better completions than those of their group become more likely."""

    name: ClassVar[str] = "grpo"


class Rloo(Reinforcement):
    """Better completions than the mean of the others become more likely."""

    name: ClassVar[str] = "rloo"


class Rft(Reinforcement):
    """Completions that are right are learnt as rows; until they are drawn, a row is its prompt."""

    name: ClassVar[str] = "rft"
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = Sft.rates

    def inspect(self, section: TrainSection, rows: JoinedRows) -> list[str]:
        """Return that the figures of a plan are not yet those of the training."""
        method = section.method
        assert isinstance(method, RftSection)
        return [
            f"{method.samples} completions of each prompt are drawn first; what is kept of them "
            "decides the rows and steps, which are planned again then"
        ]


def question(row: DataRow) -> Question | Unusable:
    """Return a row's prompt and answer, or why it has none."""
    if row.record.get("tools"):
        return Unusable("prompt_with_tools", 0)
    if row.kind == "messages":
        return _of_turns(row.turns("messages"))
    if row.kind == "answer":
        return _checked(row.record["prompt"], _text(row.record["answer"]))
    prompt, completion = row.record["prompt"], row.record["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return _checked(prompt, completion)
    return _of_turns([*row.turns("prompt"), *row.turns("completion")], of=row.turns("completion"))


def _of_turns(turns: Sequence[Message], of: Sequence[Message] = ()) -> Question | Unusable:
    """Split before the last turn; `of` is the completion, which may be no more than that turn."""
    *prompt, last = turns
    if last["role"] != "assistant":
        return Unusable("last_turn_is_no_answer", 0)
    if len(of) > 1:
        return Unusable("answer_in_several_turns", 0)
    if "tool_calls" in last:
        return Unusable("answer_calls_tools", 0)
    return _checked(prompt, str(last["content"]))


def _checked(prompt: str | Sequence[Message], answer: str) -> Question | Unusable:
    if not prompt or prompt[-1] == "":
        return Unusable("no_prompt", 0)
    if not answer.strip():
        return Unusable("empty_answer", 0)
    return Question(prompt, answer)


def _text(answer: Any) -> str:
    """Return an answer column's value as text; a column of numbers is read as written."""
    if isinstance(answer, list):  # a conversation of one turn
        return str(answer[-1].get("content") or "") if len(answer) == 1 else ""
    return f"{answer:g}" if isinstance(answer, float) and answer.is_integer() else str(answer)
