"""Presidio with a small spaCy pipeline that is made here; skipped without the extra `pii`."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate as package
from curate.explaining import find_row
from workspace.errors import UsageError

pytest.importorskip("presidio_analyzer")
spacy = pytest.importorskip("spacy")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spacy") / "names"
    pipeline = spacy.blank("en")
    rules = [("PERSON", "Jane Doe"), ("PERSON", "Bob"), ("GPE", "Berlin"), ("ORG", "Acme")]
    rules += [("CARDINAL", "seven")]
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": text} for label, text in rules])
    pipeline.to_disk(path)
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_names_and_patterns_are_replaced_together(model: Path) -> None:
    ask = "I am Jane Doe of Berlin, jane@mail.org, seven times. Bob's NIF is 12345678Z."
    turns = [
        {"role": "user", "content": ask},
        {"role": "assistant", "content": '{"name": "Jane Doe", "city": "Berlin"}'},
    ]
    asked = {"model": str(model), "entities": ["PERSON", "LOCATION", "ES_NIF"]}
    outcome = package.redact(pl.DataFrame({"messages": [turns]}), presidio=asked)
    said = [turn["content"] for turn in outcome.kept.collect()["messages"][0]]
    assert said[0] == (
        "I am <PERSON_1> of <LOCATION_1>, <EMAIL_1>, seven times. <PERSON_2>'s NIF is <ES_NIF_1>."
    )
    assert said[1] == '{"name": "<PERSON_1>", "city": "<LOCATION_1>"}'
    assert outcome.changed["detail"].to_list() == [
        "1 e-mail address, 1 ES_NIF, 2 places, 3 people replaced"
    ]
    assert "characters a second" in outcome.notes[-1]


def test_a_score_above_what_names_have_finds_no_names(model: Path) -> None:
    frame = pl.DataFrame({"text": ["Jane Doe"]})
    assert package.redact(frame, presidio={"model": str(model), "score": 0.9}).changed.is_empty()
    assert package.redact(frame, presidio={"model": str(model), "score": 0.85}).changed.height == 1


def test_no_name_is_in_anything_that_is_published(
    curate: Callable[..., Any], lines: Callable[..., Path], model: Path, tmp_path: Path
) -> None:
    rows: list[Any] = [
        {"instruction": f"What is item {n}?", "output": f"It is number {n}."} for n in range(60)
    ]
    rows += [{"instruction": "Who lives in Berlin?", "output": "Jane Doe."}] * 2
    rows += [{"instruction": "Jane Doe asks", "output": None}, '{"x": "Jane Doe"']
    rows += [{"messages": [{"role": "Jane Doe", "content": "hm"}]}]
    lines(rows)
    steps = ["exact_duplicates", {"redact": {"presidio": {"model": str(model)}, "map": "m.jsonl"}}]
    result = curate({"sources": ["rows.jsonl"], "steps": steps, "max_quarantine": 0.5})
    for file in result.path.iterdir():
        held = file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".parquet":
            held = str(pl.read_parquet(file).to_dicts())
        assert "Jane Doe" not in held, file.name
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert dropped.height == 4
    assert str(dropped.to_dicts()).count("<PERSON_1>") == 5  # a role twice: in the reason too
    for row in dropped["id"]:
        assert "Jane Doe" not in str(find_row(result.path, row))
    told = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert {(one["kind"], one["placeholder"], one["value"]) for one in told} == {
        ("location", "<LOCATION_1>", "Berlin"),
        ("person", "<PERSON_1>", "Jane Doe"),
    }


def test_hostile_texts_are_read(model: Path) -> None:
    texts = ["", " ", "\x00\x1b[31m", "é" * 60_000, "1" * 60_000, "<" * 50_000, "{" * 50_000]
    texts += ["[[[[" * 5_000, "Jane Doe " * 5_000, "\u202e Bob", "a\ud7ff\U0010ffff"]
    asked = {"model": str(model), "entities": ["PERSON", "US_SSN", "URL", "IN_AADHAAR"]}
    kept = package.redact(pl.DataFrame({"text": texts}), presidio=asked).kept.collect()
    assert kept.height == len(texts)
    assert kept["text"].to_list()[8] == "<PERSON_1> " * 5_000
    assert kept["text"].to_list()[9] == "\u202e <PERSON_1>"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "en_core_web_sm"}, "python -m spacy download en_core_web_sm"),
        ({"model": "no/such/folder"}, "nothing is downloaded here"),
        ({"model": "json"}, "there is no spaCy model json"),
        ({"model": "."}, "no spaCy model that can be loaded"),
        ({"entities": ["PERSO"]}, "Did you mean `PERSON`"),
        ({"language": "de"}, "the model is of the language en"),
        ({"language": "English"}, "String should match"),
        ({"entities": ["PHONE_NUMBER"]}, "kinds: \\[phone\\]"),
    ],
)
def test_what_cannot_be_used_says_the_way_out(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        package.redact(pl.DataFrame({"text": ["x"]}), presidio={"model": str(model), **settings})
