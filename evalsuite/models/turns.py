"""Where the assistant's turns stand in a conversation whose template does not mark them.

What a model writes is defined by generation: it begins where the template's prompt for the next
answer ends (`add_generation_prompt=True` on the messages before it), and ends with a token at which
generation stops. A turn is learnt only if the prompt that generation would see is, character by
character, what stands before it in the whole conversation, and if what follows is the message's own
words and a stop token. Any other turn is read but not learnt, with the reason.

Nothing is matched by a role's name and no template is rewritten. Some families write something
else into a finished conversation than generation sees; there the text that is learnt is not the
template's, and `additions` says so:

- the prompt opens a thought (DeepSeek-R1): `<think>` and its end are written into the last answer;
- the prompt has what is left out once it is answered (Mistral v3: the system message): the last
  answer is written behind the prompt, framed as the template frames an answer;
- no end token stands after the last answer (GLM-4): the one is written that the template puts there
  as soon as another message follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalsuite.models.thoughts import Said, continue_thought, opened, said, skip_thought
from workspace.errors import ModelError

Message = Mapping[str, Any]
Render = Callable[[Sequence[Message], bool], str]
"""Messages, and whether the prompt for an answer is added → text. Raises ModelError."""

REASONS = {
    "prompt_refused": "the template refuses the messages before the answer",
    "prompt_differs": "generation would see another prompt than what stands before the answer",
    "prompt_joined": "the tokenizer makes other tokens of the prompt when the answer follows",
    "thought_left_out": "the template leaves out the thought before the answer",
    "answer_changed": "other words than the row's stand where the assistant writes",
    "calls_left_out": "the template leaves out the tool calls",
    "no_end_token": "no token at which generation stops follows the answer",
}
"""Why an answer is not learnt."""
THOUGHT_OPENED = "the thought that the prompt opens"
PROMPT_KEPT = "the prompt that generation is given"
END_WRITTEN = "the end token"


@dataclass(frozen=True)
class Turn:
    """One assistant message in the text of its conversation."""

    message: int
    """Its place in the conversation."""
    start: int
    """First character that the assistant writes."""
    end: int
    """Behind the last, the stop token included; equal to `start` if it is not learnt."""
    left_out: str = ""
    """A key of `REASONS`, or empty."""


@dataclass(frozen=True)
class Conversation:
    """A conversation as text, with its assistant's turns."""

    text: str
    turns: tuple[Turn, ...]
    additions: tuple[str, ...] = ()
    """What `text` has that the template leaves out: some of `THOUGHT_OPENED`, `PROMPT_KEPT` and
    `END_WRITTEN`."""


@dataclass(frozen=True)
class Frame:
    """What a template writes around the words of any answer."""

    stops: tuple[str, ...]
    """Texts of the tokens at which generation stops."""
    lead: str | None
    """All between the prompt and the words; None where the prompt does not stay in the text."""
    heading: str
    """The lead, if it is more than white space or a thought: a channel's name, for instance."""
    closing: str
    """From the words to the stop token before the next question, with it."""
    last_closing: str
    """From the words to the stop token at the conversation's end, with it."""


class _NotLearnt(Exception):
    """Carries a key of `REASONS`."""


def find_turns(messages: Sequence[Message], render: Render, frame: Frame) -> Conversation:
    """Find what the assistant writes in a conversation.

    Args:
        messages: of any roles.
        render: the template.
        frame: of its answers; see `read_frame`.

    Raises:
        ModelError: the template refuses the conversation.
    """
    whole = Conversation(render(messages, False), ())
    for place, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        try:
            whole = _with_turn(whole, messages, place, render, frame)
        except _NotLearnt as reason:
            turn = Turn(place, len(whole.text), len(whole.text), str(reason))
            whole = replace(whole, turns=(*whole.turns, turn))
    return whole


def read_frame(render: Render, stops: Sequence[str]) -> Frame:
    """Return what a template writes around an answer, as a short conversation shows it."""
    question = {"role": "user", "content": "What is two and two?"}
    answer = {"role": "assistant", "content": "It is four."}
    try:
        plain, prompt = render([question], False), render([question], True)
        whole = render([question, answer], False)
        longer = render([question, answer, question], False)
    except ModelError:  # the reading of the template shows it
        return Frame(tuple(stops), None, "", "", "")
    lead, found, _ = whole.removeprefix(prompt).partition(answer["content"])
    stays = bool(found) and whole.startswith(prompt)
    # A template that asks in no way for an answer leaves the assistant's name to the model.
    heads = stays and prompt != plain and opened(prompt) is None
    return Frame(
        tuple(stops),
        lead if stays else None,
        lead if heads and lead[skip_thought(lead, continued=False)[1] :].strip() else "",
        _closing(longer, answer["content"], question["content"], stops),
        _closing(whole, answer["content"], question["content"], stops),
    )


def _closing(text: str, words: str, question: str, stops: Sequence[str]) -> str:
    """Return what stands after the words, up to and with the first stop token."""
    after = text.partition(words)[2]
    end = _first_stop(after, 0, stops)[1]
    return "" if end < 0 or question in after[:end] else after[:end]


def _with_turn(
    whole: Conversation,
    messages: Sequence[Message],
    place: int,
    render: Render,
    frame: Frame,
) -> Conversation:
    try:
        prompt = render(messages[:place], True)
    except ModelError as error:
        raise _NotLearnt("prompt_refused") from error
    own, is_last = said(messages[place]), place == len(messages) - 1
    if not whole.text.startswith(prompt):
        if not is_last:
            raise _NotLearnt("prompt_differs")
        whole = _behind(prompt, whole, messages[place], frame)
    start = len(prompt)
    headed = start + len(frame.heading) * whole.text.startswith(frame.heading, start)
    spoken = _end_of_words(whole.text, headed, own, continued=opened(prompt) is not None)
    end = _first_stop(whole.text, spoken, frame.stops)[1]
    if end < 0 and is_last:
        text = _closed(whole.text, messages, spoken, render, frame)
        whole = Conversation(text, whole.turns, (*whole.additions, END_WRITTEN))
        end = _first_stop(whole.text, spoken, frame.stops)[1]
    if end < 0:
        raise _NotLearnt("no_end_token")
    _check_between(whole.text[spoken:end], messages, place, frame)
    return replace(whole, turns=(*whole.turns, Turn(place, start, end)))


def _check_between(between: str, messages: Sequence[Message], place: int, frame: Frame) -> None:
    """Check what stands from a message's own words to its end: the end, and its tool calls."""
    calls = messages[place].get("tool_calls") or ()
    for call in calls:
        function = call.get("function") or call
        if str(function.get("name")) not in between:
            raise _NotLearnt("calls_left_out")
    ends = {end.strip() for end in (*frame.stops, frame.closing, frame.last_closing)}
    if not calls and between.strip() not in ends:
        raise _NotLearnt("no_end_token")
    following = said(messages[place + 1]).answer if place + 1 < len(messages) else ""
    if calls and following and following in between:
        raise _NotLearnt("no_end_token")


def _behind(prompt: str, whole: Conversation, message: Message, frame: Frame) -> Conversation:
    """Write the last answer behind the prompt of generation, where the template does not."""
    own, before = said(message), opened(prompt)
    if before is not None and whole.text.startswith(prompt[:before]):
        text = continue_thought(prompt, whole.text[before:], own.thought)
        return Conversation(text, whole.turns, (*whole.additions, THOUGHT_OPENED))
    if frame.lead is None or own.thought or message.get("tool_calls"):
        raise _NotLearnt("prompt_differs")
    text = prompt + frame.lead + own.answer + (frame.last_closing or frame.closing)
    turns = tuple(
        turn  # still stands where it was found
        if text.startswith(whole.text[: turn.end])
        else Turn(turn.message, turn.start, turn.start, turn.left_out or "prompt_differs")
        for turn in whole.turns
    )
    return Conversation(text, turns, (*whole.additions, PROMPT_KEPT))


def _end_of_words(text: str, start: int, own: Said, *, continued: bool) -> int:
    """Return where the message's own words end, which must begin at `start`."""
    thought, skipped = skip_thought(text[start:], continued=continued)
    if own.thought and thought != own.thought:
        raise _NotLearnt("thought_left_out")
    if thought != own.thought or not text.startswith(own.answer, start + skipped):
        raise _NotLearnt("answer_changed")
    return start + skipped + len(own.answer)


def _closed(
    text: str,
    messages: Sequence[Message],
    spoken: int,
    render: Render,
    frame: Frame,
) -> str:
    """Return the text with the end that the template writes once another message follows."""
    if not messages[-1].get("tool_calls"):
        return text[:spoken] + frame.closing
    try:
        longer = render([*messages, {"role": "tool", "content": ""}], False)
    except ModelError as error:
        raise _NotLearnt("no_end_token") from error
    said_before = text.rstrip()
    start, end = _first_stop(longer, len(said_before), frame.stops)
    if not longer.startswith(said_before) or longer[len(said_before) : max(start, 0)].strip():
        raise _NotLearnt("no_end_token")
    return longer[: max(end, len(said_before))]


def _first_stop(text: str, start: int, stops: Sequence[str]) -> tuple[int, int]:
    """Return start and end of the first stop token from `start` on, or -1 and -1."""
    found = [(text.find(stop, start), len(stop)) for stop in stops]
    places = [(place, place + length) for place, length in found if place >= 0]
    return min(places, default=(-1, -1))
