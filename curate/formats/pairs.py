"""Alpaca, prompt and completion, question and answer: one prompt, one answer."""

from __future__ import annotations

import re
from typing import Any

from curate.formats.conversation import messages
from curate.formats.raw import Misfit
from curate.formats.shape import (
    Message,
    Raw,
    Row,
    after_system,
    assistant,
    describe,
    first_filled,
    json_text,
    system_messages,
    text_of,
    user,
)
from curate.reasons import Reason

QUESTION_KEYS = (("question", "answer"), ("query", "response"), ("problem", "solution"))
COMPLETION_KEYS = ("completion", "response")
OUTPUT_KEYS = ("output", "response", "completion", "answer")
_FINAL = re.compile(r"####\s*(\S.*?)\s*$")


def alpaca(row: Raw) -> Row:
    """Return a row of `instruction`, `input` and `output`; `history` becomes earlier turns."""
    key = first_filled(row, OUTPUT_KEYS)
    prompt = text_of(row.get("instruction"), "instruction", null=Reason.NULL_PROMPT)
    extra = row.get("input")
    if extra not in (None, ""):
        prompt = f"{prompt}\n\n{text_of(extra, 'input')}"
    answer = text_of(row.get(key), key, null=Reason.NULL_ANSWER)
    turns = [*system_messages(row), *_history(row), user(prompt), assistant(answer)]
    return Row("messages", messages=turns, tools=json_text(row.get("tools")))


def _history(row: Raw) -> list[Message]:
    turns: list[Message] = []
    history = row.get("history") or []
    if not isinstance(history, list | tuple):
        raise Misfit(
            Reason.NO_FORMAT, f"`history` is {describe(history)}, not a list of pairs of turns"
        )
    for pair in history:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Misfit(Reason.NOT_TEXT, f"`history` holds {describe(pair)}, not a pair of turns")
        turns += [user(text_of(pair[0], "history")), assistant(text_of(pair[1], "history"))]
    return turns


def turns_of(value: Any, field: str, role: str, null: Reason) -> list[Message]:
    """Return a field that is text (one turn of `role`) or a list of turns."""
    if isinstance(value, list):
        return messages(value, field)
    return [{"role": role, "content": text_of(value, field, null=null)}]


def prompt_completion(row: Raw) -> Row:
    """Return a row of `prompt` and `completion`, each text or a list of turns."""
    key = first_filled(row, COMPLETION_KEYS)
    prompt = turns_of(row.get("prompt"), "prompt", "user", Reason.NULL_PROMPT)
    completion = turns_of(row.get(key), key, "assistant", Reason.NULL_ANSWER)
    if completion[-1]["role"] != "assistant":
        raise Misfit(Reason.NO_ANSWER, f"`{key}` does not end with an assistant turn")
    turns = after_system(row, prompt + completion)
    return Row("messages", messages=turns, tools=json_text(row.get("tools")))


def question_keys(row: Raw) -> tuple[str, str]:
    """Return the keys of the question and the answer of a row; filled ones before null ones."""
    present = [pair for pair in QUESTION_KEYS if pair[0] in row and pair[1] in row]
    filled = (pair for pair in present if all(row[key] is not None for key in pair))
    return next(filled, present[0])


def question_answer(row: Raw) -> Row:
    """Return a row of a question and its answer; a final `#### N` is also kept as the gold."""
    question, answer = question_keys(row)
    text = text_of(row.get(answer), answer, null=Reason.NULL_ANSWER)
    prompt = text_of(row.get(question), question, null=Reason.NULL_PROMPT)
    return Row(
        "messages",
        messages=[*system_messages(row), user(prompt), assistant(text)],
        tools=json_text(row.get("tools")),
        answer=final_answer(text),
    )


def prompt_answer(row: Raw) -> Row:
    """Return a row of `prompt`, text or turns, and the `answer` that is right, also kept as gold.

    So are verifiable rows written for reinforcement learning, by trl and by ourselves.
    """
    prompt = turns_of(row.get("prompt"), "prompt", "user", Reason.NULL_PROMPT)
    answer = text_of(row.get("answer"), "answer", null=Reason.NULL_ANSWER)
    turns = after_system(row, [*prompt, assistant(answer)])
    gold = final_answer(answer) or answer
    return Row("messages", messages=turns, tools=json_text(row.get("tools")), answer=gold)


def final_answer(text: str) -> str | None:
    """Return what follows `####` at the end of a worked solution, without thousands separators."""
    final = _FINAL.search(text) if "####" in text else None
    return final.group(1).replace(",", "") if final else None


def labelled(row: Raw) -> Row:
    """Return a KTO row: `prompt`, `completion` and whether the completion is good."""
    label = row["label"]
    if isinstance(label, str):
        label = label.strip().lower() == "true"
    prompt = turns_of(row.get("prompt"), "prompt", "user", Reason.NULL_PROMPT)
    return Row(
        "unpaired_preference",
        prompt=after_system(row, prompt),
        completion=turns_of(row.get("completion"), "completion", "assistant", Reason.NULL_ANSWER),
        label=bool(label),
        tools=json_text(row.get("tools")),
    )
