"""Base and tuned side by side: streaming, histories, commands, and words that stay inert."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from evalsuite.engine.stream import Sampling
from evalsuite.engine.voices import Voices, open_voices
from evalsuite.models.load import Placement
from train.chat.session import Session
from train.chat.speakers import Speaker
from train.chat.terminal import converse, side_by_side


@pytest.fixture(scope="module")
def voices(trained: Any) -> Iterator[Voices]:
    shipment = trained.open()
    place = Placement("cpu", "float32", "")
    with open_voices(shipment.subject, "toy", shipment.base, place) as found:
        yield found


def session(voices: Voices, **options: Any) -> Session:
    settings = {"system": "", "max_new_tokens": 12, "sampling": Sampling(), **options}
    speakers = [Speaker(name, voices, name) for name in voices.names]
    return Session(speakers, **settings)


def test_both_answer_in_turns_and_each_remembers_its_own(voices: Voices) -> None:
    talk = session(voices)
    order = [side.name for side in talk.ask("train: card")]
    assert order[:3] == ["base", "toy", "base"]
    base, tuned = talk.sides
    assert base.said and base.said != tuned.said
    assert base.history[-1] == {"role": "assistant", "content": base.said}
    list(talk.ask("train: late"))
    assert [turn["role"] for turn in tuned.history] == ["user", "assistant"] * 2
    talk.reset()
    assert talk.sides[0].history == []


def test_interleaving_changes_no_answer(voices: Voices) -> None:
    talk = session(voices)
    list(talk.ask("train: card"))
    prompt = voices.prompt([{"role": "user", "content": "train: card"}])
    for side in talk.sides:
        alone = list(voices.say(side.name, prompt, max_new_tokens=12))
        assert side.said == voices.tokenizer.decode([i for i in alone if i != 2])


def test_an_answer_that_is_cut_short_is_remembered(voices: Voices) -> None:
    talk = session(voices)
    answer = talk.ask("train: card")
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert talk.sides[0].history[-1]["role"] == "assistant"


def test_in_a_pipe_each_line_is_a_question(
    voices: Voices, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = io.StringIO("train: card\n\n/reset\n/what\ntrain: \x1b[31mlate\n/exit\nnever\n")
    converse(session(voices), lines)
    found = capsys.readouterr()
    assert found.out.count("you: ") == 2 and "never" not in found.out
    assert found.out.count("base: ") == 2 and found.out.count("toy: ") == 2
    assert "\x1b" not in found.out and "\\x1b[31mlate" in found.out
    assert "a new conversation" in found.err and "/exit ends" in found.err


def test_a_conversation_that_is_too_long_is_told_and_can_be_reset(
    voices: Voices, capsys: pytest.CaptureFixture[str]
) -> None:
    converse(session(voices), io.StringIO("card " * 300 + "\n/reset\ntrain: card\n"))
    found = capsys.readouterr()
    assert "longer than the model reads" in found.err and found.out.count("base: ") == 1


def test_columns_hold_what_models_say_without_markup(voices: Voices) -> None:
    from rich.console import Console

    talk = session(voices)
    list(talk.ask("train: card"))
    talk.sides[0].said = "[red]x[/red] \x1b]0;title\x07"
    console = Console(file=io.StringIO(), width=80)
    console.print(side_by_side(talk))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]x[/red]" in text and "\x1b" not in text and "\\x1b]0;title" in text
