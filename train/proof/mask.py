"""The mask and end-token proof.

The mask comes from the template's `{% generation %}` spans, or from its prompts where it has none
(`evalsuite.models.turns`). The proof goes the other way: it decodes the tokens that carry loss and
compares the text with what the rows say the assistant wrote, and what stands before with the prompt
that generation will be given. A mask of too much, too little or the wrong turn cannot pass both.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.models.thoughts import said
from train.data import Message
from train.methods import METHODS
from train.plan.tokens import runs
from train.proof.prompts import Prompts, conversation_of, not_learnt
from train.proof.whole import reading_problem
from train.rows import JoinedRows, TokenRow, TokenSequence
from workspace.errors import LimitExceeded, ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

_DECODED_ROWS = 5_000
_EXAMPLES = 6
_SHOWN = 3
_CURES = {
    "answers": "Mend the {% generation %} marks of the chat template: they must enclose the "
    "assistant's content and its end token, and nothing else.",
    "whole": "Mend the chat template: it must write all that the assistant said, and end in a "
    "token that is not the padding.",
}
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


def check_template(tokenizer: ChatTokenizer) -> None:
    """Refuse templates that cannot be proved, before any row is tokenised.

    Raises:
        ModelError: no template, no generation marks, no stop token, or no end token after the
            assistant's words.
    """
    if tokenizer.template is None:
        raise ModelError(
            "this model has no chat template",
            where=str(tokenizer.path),
            cure="Use the instruct version of the model, or add a chat_template.jinja.",
        )
    where = tokenizer.template.where
    if not tokenizer.eos_ids:
        raise ModelError(
            "this model names no token at which generation stops",
            where=str(tokenizer.path),
            cause="Neither generation_config.json, config.json nor the tokenizer has an "
            "end-of-sequence token.",
            cure="Add eos_token_id to generation_config.json.",
        )
    if tokenizer.reading.problem:
        raise ModelError(
            "the chat template does not show what the assistant writes",
            where=where,
            cause=tokenizer.reading.problem,
            cure="`temper preview --template` shows what it writes. Put {% generation %} before "
            "the assistant's content and {% endgeneration %} after its end token and save it as "
            "chat_template.jinja in a copy of the model; an end token that generation does not "
            "know belongs into generation_config.json as eos_token_id.",
        )
    if not tokenizer.has_generation_marks:
        return  # the reading of it has proved the rest
    chat = tokenizer.encode_chat(
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    )
    trained = {
        token
        for token, is_trained in zip(chat.input_ids, chat.loss_mask, strict=True)
        if is_trained
    }
    if not trained & tokenizer.eos_ids:
        stops = ", ".join(
            tokenizer.decode([one], special=True) for one in sorted(tokenizer.eos_ids)
        )
        raise ModelError(
            "the chat template trains no end token",
            where=where,
            cause=f"Generation stops at {stops}, but an assistant's turn trains "
            f"{_text(tokenizer, chat.input_ids, chat.loss_mask)!r}.",
            cure="Put the end token inside {% generation %} … {% endgeneration %}, or name the "
            "template's own end token in generation_config.json as eos_token_id.",
        )


def _text(tokenizer: ChatTokenizer, ids: Sequence[int], mask: Sequence[bool]) -> str:
    return tokenizer.decode(
        [token for token, is_trained in zip(ids, mask, strict=True) if is_trained], special=True
    )


def padding_token(tokenizer: ChatTokenizer) -> tuple[int, str]:
    """Return the token that fills short rows, and why it was chosen.

    Padding carries neither attention nor loss, so any token will do, except one at which
    generation stops: libraries that mask labels by the padding's id would then never train the
    end (huggingface/trl#1623).
    """
    own = tokenizer.pad_id
    if own is not None and own not in tokenizer.eos_ids:
        return own, "the tokenizer's own"
    why = "the tokenizer names none" if own is None else "the tokenizer's own is a stop token"
    for name in ("unk_token", "bos_token"):
        other = tokenizer.token_id(tokenizer.special_tokens.get(name))
        if other is not None and other not in tokenizer.eos_ids:
            return other, f"{name}, because {why}"
    free = next(token for token in range(tokenizer.vocab_size) if token not in tokenizer.eos_ids)
    return free, f"the first that is no stop token, because {why}"


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
        examples=[example(row, tokenizer) for row in _spread(chosen)],
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
        examples=[example(row, tokenizer) for row in _spread(chosen)],
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
        fault = _fault(row, one, spans, answers, self.tokenizer)
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


def _fault(
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


def _spread(rows: Sequence[TokenRow]) -> list[TokenRow]:
    """Return a few rows with the sources in turn, so that each kind of row is shown."""
    by_source: dict[tuple[str, str], list[TokenRow]] = {}
    for row in rows:
        by_source.setdefault((row.role, row.source), []).append(row)
    out: list[TokenRow] = []
    depth = 0
    while len(out) < min(_EXAMPLES, len(rows)):
        for group in by_source.values():
            if depth < len(group) and len(out) < _EXAMPLES:
                out.append(group[depth])
        depth += 1
    return out


def segments(one: TokenSequence, tokenizer: ChatTokenizer) -> list[tuple[str, bool]]:
    """Return a sequence's text in stretches with equal mask."""
    out: list[tuple[str, bool]] = []
    start = 0
    mask = one.loss_mask.tolist()
    for index in range(1, len(mask) + 1):
        if index == len(mask) or mask[index] != mask[start]:
            ids = one.input_ids[start:index].tolist()
            out.append((tokenizer.decode(ids, special=True), mask[start]))
            start = index
    return out


def example(row: TokenRow, tokenizer: ChatTokenizer) -> dict[str, Any]:
    """Return a row as plain data, its text in stretches with equal mask.

    The stretches of several sequences follow one another; each names its `sequence`.
    """
    return {
        "row_id": row.row_id,
        "role": row.role,
        "place": row.row.place,
        "tokens": row.tokens,
        "trained": row.trained,
        "segments": [
            {"sequence": number, "text": text, "trained": is_trained}
            for number, one in enumerate(row.sequences)
            for text, is_trained in segments(one, tokenizer)
        ],
    }
