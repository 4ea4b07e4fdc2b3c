"""Personal data is found by what proves it, and is nowhere in what is published."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate as package
from curate.explaining import find_row
from curate.steps.quality.configs import PERSONAL_KINDS
from curate.steps.quality.masks import Masks
from curate.steps.quality.personal import MIGHT_HOLD, find_personal
from workspace.errors import LimitExceeded, UsageError

MASKS = Masks(PERSONAL_KINDS, ())
KEY = "sk-" + "proj-Ab3dEf6hIj9kLm2nOp5q"
TRUE = [
    ("email", "write to jane.doe+x@mail.example.co.uk."),
    ("email", "mailto:bob@mail.org"),
    ("email", "jürgen@müller.de schreibt"),
    ("email", "bob@mail.org-15"),
    ("email", "bob@mail.org_15, bob@mail.org--Bob"),
    ("phone", "ring +44 20 7946 0958 now"),
    ("phone", "(215) 204-3120"),
    ("phone", "call 09061701461 to claim"),
    ("phone", "Tel: 555-3476"),
    ("phone", "au 06 12 34 56 78."),
    ("card", "4111 1111 1111 1111"),
    ("card", "card 378282246310005 please"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("ip", "from 84.17.52.3 at noon"),
    ("ip", "2a00:1450:4001:81b::200e"),
    ("key", f"use {KEY} here"),
    ("key", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("key", "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("key", "api_key = 'q9X2mB7vT4kLw8Zr3PnY'"),
    ("key", "postgres://admin:s3cr3tPw@db.mail.org/x"),
    ("key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow==\n-----END RSA " + "PRIVATE KEY-----"),
]
FALSE = [
    "y = x@w.T and a@b.shape",
    "h@self.weight + y@np.eye",
    "@app.route and git@github.com:a/b.git",
    "4111 1111 1111 1112",
    "1234567890123456 items",
    "DE89 3704 0044 0532 0130 01",
    "section 1.2.3.4, version 10.20.30.40, 127.0.0.1, 192.168.10.20",
    "12:30:45 and std::vector::iterator",
    "800*555-1234 = 198(200-198)+197(200-197)",
    "12 +34567890 = 34567902",
    "2024-01-15 10:20:30, 1,234,567.89, 3.14159265358979",
    "ask-questions-and-answer-them-politely",
    "the token = next(tokens); password: correcthorsebattery",
    "01010101010 and 0123456789",
    "ISBN 978-3-16-148410-0",
]


@pytest.mark.parametrize(("kind", "text"), TRUE)
def test_true_values_are_found_and_gone(kind: str, text: str) -> None:
    finds = find_personal(text, PERSONAL_KINDS)
    assert {find.kind for find in finds} == {kind}
    assert pl.Series([text]).str.contains(MIGHT_HOLD).all()
    assert f"<{kind.upper()}_1>" in MASKS.text(text)


@pytest.mark.parametrize("text", FALSE)
def test_false_alarms_are_not_raised(text: str) -> None:
    assert find_personal(text, PERSONAL_KINDS) == []


def test_one_value_has_one_placeholder_in_a_row() -> None:
    ask = "I am bob@mail.org, ring +1 (215) 204-3120. Or ann@mail.org? <EMAIL_2> is taken."
    say = "Thanks BOB@mail.org at +12152043120."
    turns = [{"role": "user", "content": ask}, {"role": "assistant", "content": say}]
    outcome = package.redact(pl.DataFrame({"messages": [turns]}))
    texts = [turn["content"] for turn in outcome.kept.collect()["messages"][0]]
    assert texts[0] == "I am <EMAIL_1>, ring <PHONE_1>. Or <EMAIL_3>? <EMAIL_2> is taken."
    assert texts[1] == "Thanks <EMAIL_1> at <PHONE_1>."
    assert outcome.changed["detail"].to_list() == ["3 e-mail addresses, 2 phone numbers replaced"]


def test_tool_calls_tools_and_the_own_id_are_redacted() -> None:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"to": "a@b.de"}'},
    }
    turns = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "", "tool_calls": [call]}]  # fmt: skip  # noqa: E501
    frame = pl.DataFrame({"messages": [turns], "tools": ["ask c@d.de"], "user_id": ["e@f.de"]})
    kept = package.redact(frame).kept.collect()
    assert "@" not in str(kept.drop("id").to_dicts())


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (r'{"to": "Hi\nbob@mail.org"}', r'{"to": "Hi\n<EMAIL_1>"}'),
        (r'{"to": "bob\u0040mail.org"}', '{"to": "<EMAIL_1>"}'),
        (r'{"to": "j\u00fcrgen@m\u00fcller.de\t"}', r'{"to": "<EMAIL_1>\t"}'),
        (
            r'["a \"bob@mail.org\" b", "+44 20 7946\u00200958"]',
            r'["a \"<EMAIL_1>\" b", "<PHONE_1>"]',
        ),
    ],
)
def test_values_in_json_are_read_as_they_are_meant(written: str, left: str) -> None:
    function = {"name": "f", "arguments": written}
    call = {"id": "1", "type": "function", "function": function}
    turns = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    kept = package.redact(pl.DataFrame({"messages": [turns]})).kept.collect()
    arguments = kept["messages"][0][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments == left
    json.loads(arguments)


def test_dropping_says_which_kinds_and_never_the_value() -> None:
    frame = pl.DataFrame({"text": ["fine", "bob@mail.org or 84.17.52.3"]})
    outcome = package.redact(frame, action="drop")
    assert outcome.kept.collect()["text"].to_list() == ["fine"]
    assert outcome.dropped.select("reason", "detail").rows() == [
        ("personal_data", "holds 1 e-mail address, 1 IP address")
    ]


SECRETS = ("bob@mail.org", "+44 20 7946 0958", "4111 1111 1111 1111", KEY, "84.17.52.3")


def chat(number: int, text: str) -> dict[str, str]:
    return {"instruction": f"Question {number} of {text}?", "output": f"Answer {number}: {text}"}


@pytest.mark.parametrize("action", ["redact", "drop"])
def test_no_value_is_in_anything_that_is_published(
    curate: Callable[..., Any], lines: Callable[..., Path], tmp_path: Path, action: str
) -> None:
    all_of_them = ", ".join(SECRETS)
    rows: list[Any] = [chat(n, f"number {n}") for n in range(60)]
    rows += [chat(70, all_of_them), chat(70, all_of_them), chat(71, SECRETS[0])]
    rows += [{"instruction": f"no answer {all_of_them}", "output": None}, f'{{"x": "{all_of_them}"']
    lines(rows)
    steps: list[Any] = ["exact_duplicates", {"redact": {"action": action}}]
    section = {"sources": ["rows.jsonl"], "steps": steps, "max_quarantine": 0.5}
    result = curate(section)
    for file in result.path.iterdir():
        held = file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".parquet":
            held = str(pl.read_parquet(file).to_dicts())
        for secret in SECRETS:
            assert secret not in held, file.name
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert "<EMAIL_1>" in str(dropped.to_dicts())
    for row in dropped["id"]:
        assert not any(secret in str(find_row(result.path, row)) for secret in SECRETS)


def test_what_steps_say_of_labels_holds_no_value(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    marks = {SECRETS[0]: 1}
    lines(
        [
            {**chat(n, f"{n}"), **marks, "label": SECRETS[0], "id": f"{SECRETS[0]}-{n}"}
            for n in range(40)
        ]
    )
    steps = [{"balance": {"by": "label", "cap": 20, "count": "rows"}}, "redact"]
    result = curate({"sources": ["rows.jsonl"], "steps": steps})
    assert any("<EMAIL_1> 40 → 20" in note for note in result.notes)
    for file in result.path.iterdir():
        held = file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".parquet":
            held = str(pl.read_parquet(file).to_dicts())
        assert SECRETS[0] not in held, file.name


def test_the_circuit_breaker_shows_no_value(
    curate: Callable[..., Any], lines: Callable[..., Path]
) -> None:
    lines([chat(n, SECRETS[0]) for n in range(120)])
    section = {"sources": ["rows.jsonl"], "steps": [{"redact": {"action": "drop"}}]}
    with pytest.raises(LimitExceeded) as caught:
        curate(section)
    assert SECRETS[0] not in caught.value.cause
    assert "<EMAIL_1>" in caught.value.cause


def test_the_map_is_private_and_outside_the_datasets(
    curate: Callable[..., Any], lines: Callable[..., Path], tmp_path: Path
) -> None:
    lines([chat(1, "bob@mail.org"), chat(2, "nothing")])
    section = {"sources": ["rows.jsonl"], "steps": [{"redact": {"map": "who.jsonl"}}]}
    result = curate(section)
    path = tmp_path / "who.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = json.loads(path.read_text())
    assert (told["kind"], told["placeholder"], told["value"]) == (
        "email",
        "<EMAIL_1>",
        "bob@mail.org",
    )
    assert told["id"] in pl.read_parquet(result.path / "train.parquet")["id"].to_list()
    path.unlink()
    curate(section, dry_run=True)
    assert not path.exists()
    section["steps"] = [{"redact": {"map": "datasets/who.jsonl"}}]
    with pytest.raises(UsageError, match="must not lie among the data"):
        curate(section)


@given(st.text(max_size=200) | st.from_regex(r"[0-9 +().@:/-]{0,80}", fullmatch=True))
@settings(max_examples=300, deadline=None)
def test_any_text_is_masked_once_and_for_all(text: str) -> None:
    once = MASKS.text(text)
    assert MASKS.text(once) == once
    finds = find_personal(text, PERSONAL_KINDS)
    assert not finds or pl.Series([text]).str.contains(MIGHT_HOLD).all()
    assert all(a.end <= b.begin for a, b in pairwise(finds))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a", "1", "1 ", "a.", "@", "a@", "::", "1.", "sk-", "(", "+1", "="]
)
def test_ten_megabytes_of_one_sign_take_linear_time(piece: str) -> None:
    assert len(MASKS.text(piece * 300_000)) > 0
