"""Rows made column by column equal rows made one by one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.formats import read as reading
from curate.formats.read import ReadResult, read_sources
from curate.recipe import Source

SHAPES = (
    ("instruction", "input", "output"),
    ("instruction", "output"),
    ("prompt", "completion"),
    ("prompt", "completion", "label"),
    ("prompt", "completion", "id", "topic"),
    ("question", "answer"),
    ("question", "answer", "difficulty"),
    ("text",),
    ("text", "label"),
    ("prompt", "completion", "quality"),
    ("instruction", "input", "output", "system"),
    ("instruction", "output", "history"),
    ("problem", "solution", "document", "conversation_id"),
    ("nothing", "known"),
)
texts = st.sampled_from(["", "a", "So 2+2.\n#### 1,004", "é🙂\x1b[31m", " #### ", "true", "x" * 50])
values = st.one_of(texts, texts, texts, st.sampled_from([None, 3, [], ["a"], {"a": "b"}]))


@st.composite
def files(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = draw(st.sampled_from(SHAPES))
    plain = draw(st.booleans())
    cell = texts if plain else values
    return draw(st.lists(st.fixed_dictionaries(dict.fromkeys(keys, cell)), min_size=1, max_size=9))


def read(lines: list[dict[str, Any]], least: int, columns: dict[str, str]) -> ReadResult | str:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_LEAST_RUN", least)
        work = Path(name)
        (work / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        source = Source.model_validate({"path": "a.jsonl", "columns": columns})
        result = read_sources([source], work, work / "out")
        return account(result)


def account(result: ReadResult) -> str:
    parts = [part.scan().collect() for part in (result.rows, result.quarantine)]
    shown = [part.write_json() for part in parts]
    (count,) = result.sources
    counts = (count.read, count.formats, count.ignored, count.quarantined)
    return "\n".join([*shown, *map(str, counts)])


COLUMNS = st.sampled_from([{}, {"id": "id"}, {"label": "topic"}, {"text": "text"}])


@settings(max_examples=50, deadline=None)
@given(files(), COLUMNS)
def test_both_ways_give_the_same_rows_and_counts(
    lines: list[dict[str, Any]], columns: dict[str, str]
) -> None:
    assert read(lines, 1, columns) == read(lines, 10**6, columns)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(files(), COLUMNS)
def test_both_ways_give_the_same_for_many_files(
    lines: list[dict[str, Any]], columns: dict[str, str]
) -> None:
    assert read(lines, 1, columns) == read(lines, 10**6, columns)


@pytest.mark.parametrize(
    ("keys", "together"),
    [
        (("instruction", "input", "output"), True),
        (("question", "answer"), True),
        (("text",), True),
        (("prompt", "completion", "label"), False),
        (("instruction", "output", "system"), False),
    ],
)
def test_plain_texts_go_together_and_what_needs_a_look_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...], together: bool
) -> None:
    seen: list[int] = []
    one_by_one: Callable[..., None] = reading._one_by_one
    monkeypatch.setattr(
        reading,
        "_one_by_one",
        lambda batch, *rest: (seen.append(len(batch)), one_by_one(batch, *rest)),
    )
    line = json.dumps(dict.fromkeys(keys, "true")) + "\n"
    (tmp_path / "a.jsonl").write_text(line * 100)
    read_sources([Source(path="a.jsonl")], tmp_path, tmp_path / "out")
    assert seen == ([] if together else [100])
