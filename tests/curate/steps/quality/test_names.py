"""What a recogniser of names finds fits into a text; the parts that need no Presidio."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import curate as package
from curate.steps.quality.configs import PERSONAL_KINDS, Presidio, Redact
from curate.steps.quality.masks import Masks
from curate.steps.quality.placeholders import Masker, told
from curate.steps.quality.spans import LONGEST_PIECE, Named, fitted, pieces
from curate.steps.quality.views import view
from workspace.errors import DataError, UsageError

NAMES = re.compile(
    r"(?P<person>Jane Doe|René|Bob)|(?P<location>Berlin)|(?P<us_ssn>\d{3}-\d\d-\d{4})"
)


class Names:
    """Finds a few names by a pattern, where Presidio would by a model."""

    def read(self, texts: Iterable[str]) -> dict[str, list[Named]]:
        return {
            text: [
                Named(str(found.lastgroup), at + found.start(), at + found.end(), 0.85)
                for at, part in pieces(view(text))
                for found in NAMES.finditer(part)
            ]
            for text in texts
        }


MASKS = Masks(PERSONAL_KINDS, (Names(),))  # type: ignore[arg-type]


def spans(text: str, *named: tuple[str, int, int, float]) -> list[tuple[str, str]]:
    finds = fitted(text, [Named(*one) for one in named], [])
    return [(find.kind, text[find.begin : find.end]) for find in finds]


def test_the_surer_find_comes_first_and_of_the_other_the_rest_is_left() -> None:
    text = "Doctor Jane Doe Berlin"
    found = spans(text, ("person", 0, 22, 0.5), ("location", 16, 22, 0.9))
    assert found == [("location", "Berlin"), ("person", "Doctor Jane Doe")]


def test_of_two_finds_with_one_score_the_longer_comes_first() -> None:
    assert spans("Jane Doe", ("person", 0, 4, 0.8), ("person", 0, 8, 0.8)) == [
        ("person", "Jane Doe")
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Jane Doe's", ["Jane Doe"]),
        ("Rene\u0301.", ["Rene\u0301"]),
        (" (Jane Doe), ", ["Jane Doe"]),
        ('Jane "Jay" Doe', ["Jane", "Jay", "Doe"]),
        ("Jane\nDoe", ["Jane", "Doe"]),
        ("Jane <EMAIL_1> Doe", ["Jane", "Doe"]),
        ("<PERSON_1>", []),
        ('", "', []),
    ],
)
def test_structure_and_placeholders_are_no_part_of_a_name(text: str, left: list[str]) -> None:
    assert [value for _, value in spans(text, ("person", 0, len(text), 0.85))] == left


def test_the_patterns_come_first_and_the_name_beside_them_goes_too() -> None:
    text = "Jane Doe bob@mail.org"
    masker = Masker(PERSONAL_KINDS, {text: [Named("person", 0, len(text), 0.85)]})
    assert masker.mask(text) == "<PERSON_1> <EMAIL_1>"
    assert told(masker.finds) == "1 e-mail address, 1 person"


def test_one_person_has_one_placeholder_however_spelled() -> None:
    assert MASKS.text("Jane  Doe of Berlin, Bob of BERLIN") == (
        "Jane  Doe of <LOCATION_1>, <PERSON_1> of BERLIN"
    )
    found = [Named("person", 0, 3, 0.9), Named("person", 4, 7, 0.9), Named("person", 8, 11, 0.9)]
    assert Masker((), {"Bob BOB Ann": found}).mask("Bob BOB Ann") == (
        "<PERSON_1> <PERSON_1> <PERSON_2>"
    )
    assert MASKS.text("123-45-6789 <US_SSN_1>") == "<US_SSN_2> <US_SSN_1>"


def test_in_json_a_name_goes_and_the_json_stays() -> None:
    written = r'{"Bob": "Ren\u00e9", "a": ["x\nJane Doe\n", "Berlin \"Bob\""], "n": 1.50}'
    left = MASKS.text(written)
    assert left == (
        r'{"Bob": "<PERSON_1>", "a": ["x\n<PERSON_2>\n", "<LOCATION_1> \"<PERSON_3>\""], "n": 1.50}'
    )
    json.loads(left)


def test_rows_that_are_not_kept_lose_names_but_no_roles_labels_or_definitions() -> None:
    call = {"id": "Bob", "type": "function", "function": {"name": "Bob", "arguments": '"Bob"'}}
    turns = [{"role": "Bob", "content": "I am Bob", "name": "Bob", "tool_calls": [call]}]
    frame = pl.DataFrame(
        {
            "id": ["1", "2"],
            "step": ["filter", "normalise"],
            "detail": ["Bob", "role 'Bob'"],
            "messages": [turns, None],
            "raw": [None, "{Bob"],
            "tools": ["Bob", None],
            "user_label": ["Bob", None],
        }
    )
    first, second = MASKS.rows(frame).to_dicts()
    assert first["messages"] == [
        {
            "role": "Bob",
            "content": "I am <PERSON_1>",
            "name": "<PERSON_1>",
            "tool_calls": [
                {
                    "id": "Bob",
                    "type": "function",
                    "function": {"name": "Bob", "arguments": '"<PERSON_1>"'},
                }
            ],
        }
    ]
    assert (first["detail"], first["tools"], first["user_label"]) == ("Bob", "Bob", "Bob")
    assert (second["detail"], second["raw"]) == ("role '<PERSON_1>'", "{<PERSON_1>")


def test_names_are_in_no_note_and_in_no_error() -> None:
    said = ("Topics: Berlin, x.", "Found <PERSON_1> and Jane Doe, bob@mail.org.")
    assert MASKS.notes(said) == (
        "Topics: <LOCATION_1>, x.",
        "Found <PERSON_1> and <PERSON_2>, <EMAIL_1>.",
    )
    with pytest.raises(DataError) as caught, MASKS.in_errors():
        raise DataError("no label Berlin", cause="There is: Bob.", cure="Ask Jane Doe.")
    error = caught.value
    assert (error.title, error.cause, error.cure) == (
        "no label <LOCATION_1>",
        "There is: <PERSON_1>.",
        "Ask <PERSON_1>.",
    )


def test_a_long_text_is_cut_between_lines_sentences_or_words() -> None:
    for mark in ("\n", ". ", " "):
        text = f"{'x' * 99}{mark}" * 700
        parts = list(pieces(view(text)))
        assert "".join(part for _, part in parts) == text
        assert all(part.endswith(mark) and len(part) <= LONGEST_PIECE for _, part in parts)
        assert all(text.startswith(part, at) for at, part in parts)
    assert [len(part) for _, part in pieces(view("x" * 50_000))] == [20_000, 20_000, 10_000]
    assert list(pieces(view(" \n--- "))) == []


LEAF = st.text(max_size=12) | st.sampled_from(["Jane Doe", "I'm René", "bob@mail.org", "\ud83d\ude00 Bob"])  # fmt: skip  # noqa: E501
JSON = st.recursive(
    LEAF | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LEAF, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(LEAF, JSON, max_size=4) | st.lists(JSON, max_size=4), st.booleans())
@settings(max_examples=200, deadline=None)
def test_masked_json_is_json_without_the_names(value: Any, ascii_only: bool) -> None:
    value = json.loads(json.dumps(value).encode("ascii"))
    try:
        written = json.dumps(value, ensure_ascii=ascii_only)
        written.encode()
    except UnicodeEncodeError:
        return
    seen = view(written)
    assert len(seen.at) == len(seen.text) + 1
    assert all(a <= b for a, b in pairwise(seen.at))
    left = MASKS.text(written)
    again = json.loads(left)
    assert type(again) is type(value)
    assert MASKS.text(left) == left
    assert not any(NAMES.search(text) for text in _values(again))


def _values(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _values(one)]


NAMED = st.builds(
    lambda kind, begin, length, score: Named(kind, begin, begin + length, score),
    st.sampled_from(["person", "location"]),
    st.integers(0, 25),
    st.integers(0, 15),
    st.sampled_from([0.6, 0.85, 1.0]),
)


@given(
    st.text(alphabet="aB1 \"\n<>_{'é", min_size=40, max_size=40),
    st.lists(NAMED, max_size=6),
    st.lists(st.tuples(st.integers(0, 20), st.integers(21, 40)), max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_finds_never_overlap_and_cover_every_letter_that_was_found(
    text: str, named: list[Named], taken: list[tuple[int, int]]
) -> None:
    finds = sorted(fitted(text, named, taken), key=lambda find: find.begin)
    assert all(a.end <= b.begin for a, b in pairwise(finds))
    held = [*taken, *((find.begin, find.end) for find in finds)]
    for find in finds:
        assert all(find.end <= low or find.begin >= high for low, high in taken)
    for name in named:
        for at in range(name.begin, name.end):
            possessive = text[at] == "s" or any(low <= at < high for low, high in held)
            assert possessive or not text[at].isalnum()


def test_what_the_patterns_find_is_not_asked_of_presidio() -> None:
    with pytest.raises(ValidationError, match=r"kinds: \[email\]"):
        Presidio(model="m", entities=("PERSON", "EMAIL_ADDRESS"))
    with pytest.raises(ValidationError, match="at least one of"):
        Redact(kinds=())
    assert Redact(kinds=(), presidio=Presidio(model="m")).presidio is not None


def test_without_the_extra_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(UsageError, match=r"pip install 'welltempered\[pii\]'"):
        package.redact(pl.DataFrame({"text": ["Jane"]}), presidio={"model": "m"})


def test_without_the_extra_a_recipe_ends_before_it_reads(
    curate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    steps = [{"redact": {"presidio": {"model": "m"}}}]
    with pytest.raises(UsageError, match="Presidio is not installed"):
        curate({"sources": ["there-is-none.jsonl"], "steps": steps})
    assert not [*tmp_path.glob("datasets/*")]
