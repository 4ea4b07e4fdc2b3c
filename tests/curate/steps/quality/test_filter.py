"""One tiny row for each rule, both ways; any rows balance."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.steps.configs import StepConfig
from curate.steps.quality.configs import PRESETS, RULES, Filter
from curate.steps.quality.rules.arithmetic import false_equation
from curate.steps.quality.rules.calculating import evaluate
from curate.steps.quality.rules.truncated import cut
from workspace.errors import DataError, UsageError

PROSE = (
    "The first thing to do is to look at the map. Then you walk to the station and take the train. "
    "It leaves every hour from the second platform. "
)


GERMAN = "Das ist ein ganz gewöhnlicher Satz in deutscher Sprache."


def chats(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "messages": [
                [{"role": "user", "content": ask}, {"role": "assistant", "content": say}]
                for ask, say in pairs
            ]
        }
    )


def reason(ask: str, say: str, **rules: Any) -> str | None:
    dropped = curate.filter(chats((ask, say)), **rules).dropped
    return dropped["reason"][0] if dropped.height else None


@pytest.mark.parametrize(
    ("rule", "ask", "say", "why"),
    [
        ({"length": {"min_words": 2}}, "q", "one", "under_length"),
        ({"length": {"max_characters": 3}}, "q", "four", "over_length"),
        ({"length": {"of": "prompt", "max_words": 1}}, "two words", "x", "over_length"),
        ({"length": {"min_words": 2}}, "q", "one two", None),
        ({"language": True}, "q", GERMAN, "language"),
        ({"language": True}, "q", "This is an ordinary sentence, written in plain English.", None),
        ({"language": True}, "q", "Ja, gern.", None),
        ({"language": {"keep": ["de"]}}, "q", GERMAN, None),
        ({"repetition": True}, "q", "say it again and again " * 20, "repetition"),
        ({"repetition": True}, "q", "\n".join(["the same long line of words"] * 12), "repetition"),
        ({"repetition": True}, "q", PROSE * 1, None),
        ({"placeholders": True}, "q", "Dear {{first_name}}, hello.", "placeholder"),
        ({"placeholders": True}, "q", "Kind regards, [Your Name]", "placeholder"),
        ({"placeholders": True}, "q", "See <insert link here>.", "placeholder"),
        ({"placeholders": True}, "Write a letter template", "Dear [Your Name]", None),
        ({"placeholders": True}, "q", r"$\frac{{x}}{y}$, [1], [link](http://a.b), <b>x</b>", None),
        ({"placeholders": True}, "q", "```html\n<p>{{ name }}</p>\n```", None),
        ({"refusals": True}, "q", "I'm sorry, but I can't help with that.", "refusal"),
        ({"refusals": True}, "q", "As an AI language model, I have no body.", "identity"),
        ({"refusals": True}, "q", "I was trained by OpenAI.", "identity"),
        ({"refusals": True}, "q", "I'm sorry to hear that. Try a cold pack.", None),
        ({"refusals": True}, "q", "I cannot recommend this book enough: read it.", None),
        ({"refusals": {"kinds": ["identity"]}}, "q", "I cannot help with that.", None),
        ({"unseen": True}, "Summarise https://a.example/b", "x", "unseen_url"),
        ({"unseen": True}, "What is in the picture above?", "x", "unseen_image"),
        ({"unseen": True}, "![chart](a.png) What is this?", "x", "unseen_image"),
        ({"unseen": True}, "Write a regex that matches `https://a.b`", "x", None),
        ({"unseen": True}, "In the diagram below: [asy] draw((0,0)--(1,1)); [/asy]", "x", None),
        ({"truncated": True}, "q", "Here:\n```python\nprint(1)", "truncated"),
        ({"truncated": True}, "q", PROSE + "After that you should go back to the", "truncated"),
        ({"truncated": True}, "", PROSE + "You need bread, two eggs, rice, olives,", "truncated"),
        ({"truncated": True}, "q", "Paris", None),
        ({"truncated": True}, "q", PROSE + "\n- first the bread\n- then the butter and", None),
        ({"truncated": True}, "q", PROSE, None),
        ({"arithmetic": True}, "q", "So 12 * 3 = 35.", "wrong_arithmetic"),
        ({"arithmetic": True}, "q", "So <<12*3=35>>36.", "wrong_arithmetic"),
        ({"arithmetic": True}, "q", "So 12 * 3 = 36.", None),
        ({"heuristics": True}, "q", "1 2 3 4 = " * 20, "not_prose"),
        ({"heuristics": True}, "q", PROSE * 2, None),
        ({"patterns": [{"name": "tag", "regex": "(?i)todo"}]}, "q", "ToDo: x", "pattern"),
        ({"patterns": [{"name": "tag", "regex": "x", "drop_if": "missing"}]}, "q", "y", "pattern"),
    ],
)  # fmt: skip
def test_each_rule_has_its_own_reason(
    rule: dict[str, Any], ask: str, say: str, why: str | None
) -> None:
    assert reason(ask, say, **rule) == why


@pytest.mark.parametrize(
    "text",
    [
        "12*3=36",
        "$1,200 * 3 = $3,600",
        ".4 x 100 = 40",
        "2x + 3 = 7",
        "x + 3 * 2 = 7",
        "10 / 3 = 3.33",
        "10 / 4 = 2 remainder 2",
        "3 * 4 = 12 * 2 = 24",
        "25% * 80 = 20",
        "75 / 125 = 60%",
        "3 * 5 = 1 (mod 7)",
        "1/2 + 1/3 = 5/6",
        "f(2) = 3",
        "weeks 1-2 = 96 - 70 = 26",
        "5 * 3 = $15,000 (of 5 thousand)",
        "$84 - $252 = $168",
        "a == 3 * 4 == 12; b <= 3*4; c != 2*2",
        r"\(2 \times 3 = 6\) and \frac{1}{2} * 4 = 2",
        "2^10 = 1024 and 2**3 = 8",
        "- 51 / 3 = 17",
        "the last digit of 9^3 = 9",
        "11:30 + 2 = 1:30",
        "log 3 + 4 = 5",
        "9" * 400 + "*2=3",
        "1/0 = 5",
    ],
)
def test_right_or_unclear_equations_are_left(text: str) -> None:
    assert false_equation(text) == ""


@pytest.mark.parametrize(
    "text",
    ["3 + 4 = 8", "so 192*100 = $1920", "70 + 40 = 100", r"\(6 \times 7 = 43\)", "0.5 * 10 = 50.5"],
)
def test_false_equations_are_told_with_the_right_result(text: str) -> None:
    assert "but it is" in false_equation(text)


@given(st.text("0123456789+-*/^()=.,$% x\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_arithmetic_fails(text: str) -> None:
    false_equation(text)
    try:
        value = evaluate(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        return
    assert value.denominator >= 1


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_ending_is_judged(text: str) -> None:
    assert isinstance(cut(text), str)


def test_the_first_rule_gives_the_reason_and_all_give_details() -> None:
    row = chats(("q", "As an AI language model, I use {{ name }}"))
    outcome = curate.filter(row, preset="chat", length={"min_words": 50})
    assert outcome.dropped["reason"].to_list() == ["under_length"]
    detail = outcome.dropped["detail"][0]
    assert detail.startswith("10 words of answer < 50; ")
    assert "{{…}}" in detail
    assert "itself" in detail


def test_details_never_hold_text_that_a_pattern_found() -> None:
    pattern = [{"name": "number", "regex": r"\d{5,}"}]
    outcome = curate.filter(chats(("q", "it is 123456")), patterns=pattern)
    assert outcome.dropped["detail"].to_list() == ["pattern 'number' found in row"]


@pytest.mark.timeout(20)
def test_a_pattern_that_would_explode_does_not() -> None:
    pattern = [{"name": "evil", "regex": "(a+)+$"}]
    outcome = curate.filter(pl.DataFrame({"text": ["a" * 1_000_000 + "b"]}), patterns=pattern)
    assert outcome.dropped.is_empty()
    for refused in ("(?=a)b", r"(a)\1", "(" * 3, "((a{1000}){1000}){1000}"):
        with pytest.raises(UsageError, match="regular expression"):
            curate.filter(pl.DataFrame({"text": ["a"]}), patterns=[{"name": "x", "regex": refused}])


def test_tokens_must_have_been_counted() -> None:
    with pytest.raises(DataError, match="tokens are not counted"):
        curate.filter(chats(("q", "a")), length={"max_tokens": 5})


def test_only_what_is_taught_is_judged() -> None:
    turn = [{"role": "assistant", "content": "I'm sorry, but I can't help with that."}]
    fine = [{"role": "assistant", "content": "Sure."}]
    ask = [{"role": "user", "content": "q"}]
    pairs = pl.DataFrame({"prompt": [ask, ask], "chosen": [fine, turn], "rejected": [turn, fine]})
    assert curate.filter(pairs, refusals=True).dropped["_row"].to_list() == [1]
    rated = pl.DataFrame({"prompt": [ask, ask], "completion": [turn, turn], "label": [True, False]})
    assert curate.filter(rated, refusals=True).dropped["_row"].to_list() == [0]


def test_presets_name_rules_and_what_is_beside_them_wins() -> None:
    chat = Filter.model_validate({"preset": "chat"})
    assert list(chat.rules()) == [name for name in RULES if name in PRESETS["chat"]]
    less = Filter.model_validate({"preset": "chat", "refusals": False, "length": {"max_words": 9}})
    assert "refusals" not in less.rules()
    assert "length" in less.rules()
    for config in (chat, less, Filter.model_validate({"truncated": None})):
        assert Filter.model_validate(config.model_dump(mode="json")) == config
    step = StepConfig.model_validate({"filter": {"truncated": True}})
    assert StepConfig.model_validate(step.model_dump(mode="json")) == step
    with pytest.raises(ValueError, match="a preset"):
        Filter.model_validate({})


TEXTS = st.lists(st.text(max_size=80), min_size=1, max_size=12)


@given(TEXTS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_rows_balance_in_their_order(texts: list[str], as_text: bool) -> None:
    frame = pl.DataFrame({"text": texts}) if as_text else chats(*((text, text) for text in texts))
    everything: dict[str, Any] = {
        name: True for name in RULES if name not in ("length", "patterns")
    }
    everything["length"] = {"min_characters": 3}
    everything["repetition"] = {"min_words": 1}
    everything["heuristics"] = {"min_words": 1, "max_newlines": 0.3}
    outcome = curate.filter(frame, **everything)
    kept = outcome.kept.collect()["_row"].to_list()
    gone = outcome.dropped["_row"].to_list()
    assert sorted(kept + gone) == list(range(len(texts)))
    assert kept == sorted(kept)
    assert outcome.dropped["reason"].null_count() == outcome.dropped["detail"].null_count() == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["a", "1 ", "= ", "(", "1+", "`", "\n- ", "1=", "x,", " ", "```\n"]
)
def test_one_long_row_of_one_sign_takes_linear_time(piece: str) -> None:
    everything: dict[str, Any] = dict.fromkeys(set(RULES) - {"length", "patterns"}, True)
    text = piece * 200_000
    outcome = curate.filter(chats((text, text)), **everything)
    assert outcome.dropped.height <= 1
