"""The mask and end-token proof.

The mask comes from the template's `{% generation %}` spans, or from its prompts where it has none
(`evalsuite.models.turns`). The proof goes the other way: it decodes the tokens that carry loss and
compares the text with what the rows say the assistant wrote, and what stands before with the prompt
that generation will be given. A mask of too much, too little or the wrong turn cannot pass both.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from train.data import Message
from train.methods import METHODS
from train.plan.tokens import runs
from train.proof.examples import example, spread
from train.proof.faults import Fault, find_fault
from train.proof.prompts import Prompts, conversation_of, not_learnt
from train.proof.template import padding_token
from train.proof.whole import reading_problem
from train.rows import JoinedRows, TokenRow, TokenSequence
from workspace.errors import LimitExceeded

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

_DECODED_ROWS = 5_000
_SHOWN = 3
_CURES = {
    "answers": "Mend the {% generation %} marks of the chat template: they must enclose the "
    "assistant's content and its end token, and nothing else.",
    "whole": "Mend the chat template: it must write all that the assistant said, and end in a "
    "token that is not the padding.",
}


@dataclass(frozen=True)
class Proof:
    """What was checked and what was found."""

    rows: int
    """Rows with at least one trainable token; all rows are checked for this."""
    rows_decoded: int
    """Rows whose trained tokens were decoded and compared with their assistant turns."""
    turns: int
    """Assistant turns among them; of a reward model, chats."""
    turns_ending: int
    """Of those, the ones that train a generation stop token, or are read, at their end."""
    turns_cut: int
    """Turns whose end was cut because the recipe asked for it."""
    stop_tokens: Sequence[str]
    """Tokens at which generation stops."""
    end_token: str
    """The stop token that the turns train."""
    pad_token: str
    """What fills short rows; never a stop token."""
    pad_reason: str
    template_digest: str
    reads: str
    """`answers`: the loss is on what the assistant wrote. `whole`: a whole chat is read, and the
    loss is on the number at its last token."""
    faults: Sequence[Fault]
    template: dict[str, Any]
    """How the template was read: see `evalsuite.models.reading`; empty without a template."""
    prompts_equal: int
    """Answers behind exactly the tokens that generation will be given."""
    prompts_differ: int
    """Answers behind other tokens: refused, unless the template's own marks say so."""
    turns_left_out: dict[str, int]
    """Answers that are read but not learnt, by reason; only where the template has no marks."""
    examples: Sequence[dict[str, Any]]
    """A few rows as alternating texts, `trained` true or false."""

    @property
    def passed(self) -> bool:
        """Whether nothing disproves the mask."""
        return not self.faults and self.turns_ending + self.turns_cut == self.turns

    @property
    def summary(self) -> str:
        """What was proved, in a sentence."""
        if self.reads == "whole":
            return (
                f"{self.turns:,} chats in {self.rows_decoded:,} rows are read whole; the number "
                f"is taken at the last token of each, {self.end_token}"
            )
        return (
            f"{self.turns:,} assistant turns in {self.rows_decoded:,} rows are trained, nothing "
            f"else is; each ends in {self.end_token}, where generation stops"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `proof.json`."""
        return {"schema_version": 1, "passed": self.passed, **asdict(self)}

    def enforce(self) -> None:
        """Raise if the mask is disproved.

        Raises:
            LimitExceeded: a turn that is not trained, text trained that no assistant wrote, or an
                end that is not trained.
        """
        if self.passed:
            return
        if self.faults:
            shown = "\n".join(
                f"{fault.place}: {fault.problem}: trains {fault.trained_text[:120]!r}, "
                f"the assistant wrote {fault.expected_text[:120]!r}"
                for fault in self.faults[:_SHOWN]
            )
            raise LimitExceeded(
                f"the mask proof failed on {len(self.faults)} of {self.rows_decoded} rows",
                where="proof.json",
                cause=shown,
                cure=_CURES[self.reads],
            )
        missing = self.turns - self.turns_ending - self.turns_cut
        raise LimitExceeded(
            f"{missing} of {self.turns} assistant turns do not train an end token",
            where="proof.json",
            cause=f"Generation stops at {', '.join(self.stop_tokens) or 'no token'}; a model that "
            "never learns to write it never stops.",
            cure="Put the end token inside {% generation %} … {% endgeneration %} of the chat "
            "template, and name it in generation_config.json as eos_token_id.",
        )


def prove(
    rows: Sequence[TokenRow], tokenizer: ChatTokenizer, *, method: str = "sft", seed: int = 0
) -> Proof:
    """Compare what carries loss with what the assistant wrote, row by row.

    Args:
        rows: all rows that will be trained on; up to 5,000 of them, drawn by seed, are decoded.
        tokenizer: of the model.
        method: that trains on them.
        seed: of the draw.
    """
    places: Sequence[int] = range(len(rows))
    if len(rows) > _DECODED_ROWS:
        places = random.Random(seed).sample(places, _DECODED_ROWS)
    chosen = [rows[place] for place in places]
    if METHODS[method].makes == "reward":
        return _prove_whole(rows, chosen, tokenizer, method)
    look = _Look(tokenizer)
    names = METHODS[method].sequences
    for row in chosen:
        answers = METHODS[method].answers(row.row)
        for name, one, answer in zip(names, row.sequences, answers, strict=True):
            look.at(row, name, one, answer)
    pad, pad_reason = padding_token(tokenizer)
    return Proof(
        rows=_trained_rows(rows),
        rows_decoded=len(chosen),
        turns=look.turns,
        turns_ending=look.ending,
        turns_cut=look.cut,
        stop_tokens=[_show(tokenizer, token) for token in sorted(tokenizer.eos_ids)],
        end_token=" ".join(_show(tokenizer, token) for token in sorted(look.ends)),
        pad_token=_show(tokenizer, pad),
        pad_reason=pad_reason,
        template_digest=tokenizer.template_digest,
        reads="answers",
        faults=look.faults,
        template=tokenizer.reading.as_dict() if tokenizer.template else {},
        prompts_equal=look.prompts.equal,
        prompts_differ=look.prompts.differ,
        turns_left_out=look.prompts.told(),
        examples=[example(row, tokenizer) for row in spread(chosen)],
    )


def _prove_whole(
    rows: Sequence[TokenRow], chosen: Sequence[TokenRow], tokenizer: ChatTokenizer, method: str
) -> Proof:
    """Prove that chats are read whole and their number at the last token."""
    pad, pad_reason = padding_token(tokenizer)
    faults: list[Fault] = []
    ends: set[int] = set()
    for row in chosen:
        answers = METHODS[method].answers(row.row)
        for one, answer in zip(row.sequences, answers, strict=True):
            problem = reading_problem(one, answer, tokenizer, pad)
            ends.add(int(one.input_ids[-1]))
            if problem is not None:
                text = tokenizer.decode(one.input_ids.tolist(), special=True)
                wanted = " | ".join(str(message.get("content")) for message in answer)
                faults.append(Fault(row.row_id, row.row.place, problem, text, wanted))
    sequences = sum(len(row.sequences) for row in chosen)
    return Proof(
        rows=_trained_rows(rows),
        rows_decoded=len(chosen),
        turns=sequences,
        turns_ending=sequences,
        turns_cut=0,
        stop_tokens=[_show(tokenizer, token) for token in sorted(tokenizer.eos_ids)],
        end_token=" ".join(repr(_show(tokenizer, token)) for token in sorted(ends)),
        pad_token=_show(tokenizer, pad),
        pad_reason=pad_reason,
        template_digest=tokenizer.template_digest,
        reads="whole",
        faults=faults,
        template=tokenizer.reading.as_dict() if tokenizer.template else {},
        prompts_equal=0,
        prompts_differ=0,
        turns_left_out={},
        examples=[example(row, tokenizer) for row in spread(chosen)],
    )


def _show(tokenizer: ChatTokenizer, token: int) -> str:
    return tokenizer.decode([token], special=True)


def _trained_rows(rows: Sequence[TokenRow]) -> int:
    if isinstance(rows, JoinedRows):
        return int((rows.trained > 0).sum())
    return sum(row.trained > 0 for row in rows)


@dataclass
class _Look:
    """Goes through the rows and counts."""

    tokenizer: ChatTokenizer
    turns: int = 0
    ending: int = 0
    cut: int = 0
    ends: set[int] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    prompts: Prompts = field(default_factory=Prompts)

    def at(self, row: TokenRow, name: str, one: TokenSequence, answers: Sequence[Message]) -> None:
        """Look at one sequence of a row."""
        spans = runs(one.loss_mask)
        conversation = conversation_of(row.row, name)
        if len(spans) != len(answers):
            left_out = not_learnt(row.row, conversation, answers, self.tokenizer)
            self.prompts.left_out += Counter(left_out.values())
            answers = [one for place, one in enumerate(answers) if place not in left_out]
        fault = find_fault(row, one, spans, answers, self.tokenizer)
        equal = self.prompts.count(conversation, answers, spans, one, row.row, self.tokenizer)
        if fault is None and not equal and not self.tokenizer.has_generation_marks:
            fault = Fault(row.row_id, row.row.place, "not the prompt of generation", "", "")
        if fault is not None:
            self.faults.append(fault)
        for start, end in spans:
            self.turns += 1
            found = self.tokenizer.eos_ids.intersection(one.input_ids[start:end].tolist()[-2:])
            self.ends |= found
            self.ending += bool(found)
            self.cut += not found and row.cut_tokens > 0 and end == one.tokens
