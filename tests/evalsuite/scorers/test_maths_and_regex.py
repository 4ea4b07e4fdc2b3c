"""Mathematics by value, with a time limit that holds, and forms by regular expression."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from pydantic import ValidationError

from evalsuite.scorers.maths import MathsScorer, MathsWorker
from evalsuite.scorers.regex import RegexScorer
from evalsuite.tasks import Item
from workspace.errors import UsageError


def scored(scorer: Any, output: str, gold: str) -> float:
    """Return an output's score."""
    return float(scorer.score(output, Item("one", gold=gold)).value)


@pytest.fixture
def maths() -> MathsScorer:
    """The scorer, where its library is installed."""
    pytest.importorskip("math_verify")
    return MathsScorer()


def test_equal_values_are_right_however_they_are_written(maths: MathsScorer) -> None:
    for gold, output in {
        "1/2": r"so it is \boxed{\frac{1}{2}}",
        "0.5": "$1/2$",
        "x^2 + 1": "the result is $1 + x^2$",
        "12": "5 + 7, so the answer is 12.",
        r"$\{1, 2\}$": r"$\{2, 1\}$",
        "1,234": "1234",
    }.items():
        assert scored(maths, output, gold) == 1, (gold, output)
        assert maths.refusal(gold) is None


def test_other_values_and_lists_of_guesses_are_wrong(maths: MathsScorer) -> None:
    for gold, output in {
        "12": "13",
        "1/2": "nothing at all",
        "5": "",
        "1": r"\boxed{1}, \boxed{2} or \boxed{3}",
        "x^2": "$x^3$",
        "3": "__import__('os').system('touch /tmp/owned')",
    }.items():
        assert scored(maths, output, gold) == 0, (gold, output)
    assert "empty" in (maths.refusal(" ") or "")


def test_an_endless_computation_is_ended_from_any_thread_and_the_next_answered(
    maths: MathsScorer,
) -> None:
    quick = maths.model_copy(update={"timeout_seconds": 0.5})
    scored(quick, "1", "1")  # the process is there
    found: list[Any] = []
    begun = time.monotonic()

    thread = threading.Thread(
        target=lambda: found.append(quick.score("9**9**9**9", Item("one", gold="5")))
    )
    thread.start()
    thread.join()

    assert found[0].value == 0 and "no answer within 0.5 s" in found[0].detail
    assert time.monotonic() - begun < 10
    assert scored(quick, "5", "5") == 1


def test_a_process_that_died_is_begun_anew(maths: MathsScorer) -> None:
    worker = MathsWorker()
    try:
        assert worker.ask({"gold": "$1$"}, 5)["readable"]
        process = worker._process
        assert process is not None
        process.kill()
        process.wait()
        assert worker.ask({"gold": "$1$"}, 5) == {"failed": "it crashed"}
        assert worker.ask({"gold": "$1$"}, 5)["readable"]
    finally:
        worker.close()


def test_a_missing_library_is_told_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="math-verify is not installed") as missing:
        MathsScorer().score("1", Item("one", gold="1"))
    assert 'pip install "welltempered[maths]"' in missing.value.cure


def test_a_pattern_is_found_anywhere_and_its_group_compared() -> None:
    form = RegexScorer(pattern=r"^<b>.*</b>$")
    assert scored(form, "<b>1\n2</b>\n", "") == 1
    assert scored(form, "no <b>1</b>", "") == 0
    assert not form.compares and form.refusal("") is None
    place = RegexScorer(pattern=r"answer: (\w+)", ignore_case=True)
    assert scored(place, "Answer: no, ANSWER: Paris", "paris") == 1
    assert scored(place, "answer: Paris, answer: Rome", "paris") == 0
    assert scored(place, "Paris", "paris") == 0
    assert place.compares and "empty" in (place.refusal(" ") or "")
    with pytest.raises(ValidationError, match="a regular expression"):
        RegexScorer(pattern="(")
