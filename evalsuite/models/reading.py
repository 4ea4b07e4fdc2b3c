"""What a chat template does, read from a few conversations and told to a person."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.models.thoughts import skip_thought
from evalsuite.models.turns import END_WRITTEN, PROMPT_KEPT, REASONS, THOUGHT_OPENED, Message
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

_SHOWN = 160
_SYSTEM = {"role": "system", "content": "Be brief."}
_ASKED = {"role": "user", "content": "What is two and two?"}
_SAID = {"role": "assistant", "content": "It is four."}
_THANKED = {"role": "user", "content": "And three and three?"}
_ENDED = {"role": "assistant", "content": "That is six."}
SAMPLES: dict[str, list[dict[str, str]]] = {
    "one answer": [_ASKED, _SAID],
    "two answers": [_ASKED, _SAID, _THANKED, _ENDED],
    "system message": [_SYSTEM, _ASKED, _SAID, _THANKED, _ENDED],
}


@dataclass(frozen=True)
class Sample:
    """A conversation as the template writes it and as training reads it."""

    name: str
    template_text: str
    """What the template writes; empty if it refuses the conversation."""
    segments: Sequence[tuple[str, bool]]
    """What training reads: stretches of text, and whether they are learnt."""
    refused: str
    """What the template said, or empty."""
    left_out: Sequence[str]
    """Keys of `turns.REASONS`, one for each answer that is not learnt."""
    additions: Sequence[str]

    @property
    def text(self) -> str:
        """What training reads."""
        return "".join(piece for piece, _ in self.segments)

    def difference(self) -> list[str]:
        """Return what training reads against what the template writes, as a unified diff."""
        before, after = (
            [repr(line) for line in text.splitlines(keepends=True)]
            for text in (self.template_text, self.text)
        )
        return list(difflib.unified_diff(before, after, "template", "training", lineterm="", n=1))


@dataclass(frozen=True)
class TemplateReading:
    """How the assistant's words are found, and what was seen on the way."""

    way: str
    """`marks`: the template's `{% generation %}`; `prompts`: generation's own prompts."""
    opening: str
    """What the template writes between a question and the answer that is asked for."""
    end: str
    """What is learnt behind an answer's last word."""
    samples: Sequence[Sample]
    notes: Sequence[str]
    """What a user of the model should know."""
    problem: str
    """Why the template cannot be trained with, or empty."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, with the differences."""
        document = asdict(self)
        for sample, record in zip(self.samples, document["samples"], strict=True):
            record["difference"] = sample.difference()
        return document


def read_template(tokenizer: ChatTokenizer) -> TemplateReading:
    """Read what a tokenizer's template does with `SAMPLES`.

    Raises:
        ModelError: there is no template.
    """
    if tokenizer.template is None:
        tokenizer.render([])  # raises what is to be said of it
    samples = [_sample(tokenizer, name, messages) for name, messages in SAMPLES.items()]
    one = samples[0]
    learnt = [piece for piece, is_learnt in one.segments if is_learnt]
    marked = tokenizer.has_generation_marks
    return TemplateReading(
        way="marks" if marked else "prompts",
        opening=_opening(tokenizer),
        end=learnt[-1].rpartition("It is four.")[2] if learnt else "",
        samples=samples,
        notes=[
            *_notes(samples, marked=marked),
            *_begin_notes(tokenizer, one),
            *_date_notes(tokenizer),
        ],
        problem=_begin_problem(tokenizer, one) or ("" if marked else _problem(tokenizer, one)),
    )


def _sample(tokenizer: ChatTokenizer, name: str, messages: Sequence[Message]) -> Sample:
    try:
        rendered = tokenizer.render(messages)
        chat = tokenizer.encode_chat(messages)
        spans = [*rendered.spans]
        if not tokenizer.has_generation_marks:
            turns = enumerate(tokenizer.find_turns(messages).turns)
            spans = [(one.start, one.end) for place, one in turns if place not in chat.left_out]
    except ModelError as error:
        return Sample(name, "", (), error.cause, (), ())
    return Sample(
        name,
        rendered.text,
        _segments(chat.text, spans),
        "",
        [*chat.left_out.values()],
        chat.additions,
    )


def _segments(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    out: list[tuple[str, bool]] = []
    position = 0
    for start, end in spans:
        out += [(text[position:start], False), (text[start:end], True)]
        position = end
    return [(piece, is_learnt) for piece, is_learnt in [*out, (text[position:], False)] if piece]


def _opening(tokenizer: ChatTokenizer) -> str:
    """Return what stands between a question and the answer that is asked for."""
    try:
        asked = tokenizer.render([_ASKED], add_generation_prompt=True).text
    except ModelError:
        return ""
    return asked.rpartition(_ASKED["content"])[2]


def _problem(tokenizer: ChatTokenizer, one: Sample) -> str:
    """Return why the simplest conversation cannot be learnt from."""
    if one.refused:
        return f"It refuses a question and its answer: {one.refused}"
    if not one.left_out:
        return ""
    why = one.left_out[0]
    shown = one.template_text[-_SHOWN:]
    seen = f"It writes {'… ' * (shown != one.template_text)}{shown!r}"
    stops = ", ".join(tokenizer.stop_texts) or "no token"
    if why == "no_end_token":
        return f"{seen}; generation stops at {stops}, which does not follow the answer."
    return f"{seen} and asks for an answer with {_opening(tokenizer)!r}: {REASONS[why]}."


def _notes(samples: Sequence[Sample], *, marked: bool) -> Iterator[str]:
    one, two, system = samples
    if THOUGHT_OPENED in one.additions:
        yield (
            "The prompt for an answer opens a thought that the template does not write so in a "
            "finished conversation: the last answer is learnt behind that thought, which is empty "
            "where the row has none."
        )
    if PROMPT_KEPT in (*two.additions, *system.additions):
        yield (
            "Once a question is answered the template leaves out what generation's prompt had: the "
            "last answer is learnt behind that prompt, as generation sees it."
        )
    if END_WRITTEN in one.additions:
        yield "The template ends no last answer: the token that ends it is added and learnt."
    if not two.refused and two.left_out and not one.left_out:
        yield f"Of several answers only some are learnt: {_told(two)}."
    elif system.left_out and not two.left_out and not one.left_out:
        yield f"Of several answers after a system message only some are learnt: {_told(system)}."
    if system.refused:
        yield f"It refuses a system message: {system.refused}"
    if marked:
        return
    thoughts = [_has_thought(piece) for piece, is_learnt in two.segments if is_learnt]
    if any(thoughts):
        yield "An answer without a thought is learnt with an empty one, as the template writes it."
    if len(set(thoughts)) == 2:
        yield (
            "Before earlier answers it writes no thought: those are learnt without, and earlier "
            "answers whose row has a thought are read but not learnt."
        )


def _told(sample: Sample) -> str:
    return "; ".join(REASONS[why] for why in dict.fromkeys(sample.left_out))


def _has_thought(text: str) -> bool:
    return skip_thought(text, continued="<think>" not in text)[1] > len(text) - len(text.lstrip())


def _begin_problem(tokenizer: ChatTokenizer, one: Sample) -> str:
    begin = tokenizer.bos_id
    ids = tokenizer.encode(one.template_text)
    if begin is None or ids[:2] != [begin, begin]:
        return ""
    shown = tokenizer.special_tokens["bos_token"]
    return f"It begins a conversation with {shown} twice."


def _begin_notes(tokenizer: ChatTokenizer, one: Sample) -> Iterator[str]:
    """Say where a library that tokenises the template's text again would differ."""
    begin = tokenizer.bos_id
    if begin is None or one.refused:
        return
    shown = tokenizer.special_tokens["bos_token"]
    alone = tokenizer.encode(one.template_text)
    again = tokenizer.encode(one.template_text, special=True)
    if again[:1] == [begin] and again != alone:
        both = (
            "both the template and the tokenizer write"
            if alone[:1] == [begin]
            else ("the template does not write, but the tokenizer adds to plain texts,")
        )
        yield (
            f"The begin token {shown} {both}: conversations are read as apply_chat_template "
            "tokenises them, with the template's alone. Serve them so too."
        )


def _date_notes(tokenizer: ChatTokenizer) -> Iterator[str]:
    if tokenizer.template is not None and "strftime_now" in tokenizer.template.source:
        yield (
            "It can write today's date: rows have other tokens tomorrow, and a run that is stopped "
            "today cannot be resumed then as the same."
        )
