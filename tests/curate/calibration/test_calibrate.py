"""Calibration: the proposed threshold is right where it is known, and keeps its promise."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.calibration.copies import EDITS
from curate.calibration.outcome import Calibration, Share
from curate.calibration.siblings import SIBLINGS
from curate.calibration.words import Material
from tui.command_line import app
from workspace.errors import DataError, UsageError


def texts(count: int, seed: int = 0) -> list[str]:
    """Return unlike rows of sentences with numbers, names and verbs to negate."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(4, 9))) for _ in range(4000)]

    def sentence() -> str:
        middle = " ".join(rng.choices(words, k=rng.randint(8, 14)))
        return (
            f"The {middle} is {rng.choice(words)} {rng.choice(words).title()} {rng.randint(2, 99)}."
        )

    return [" ".join(sentence() for _ in range(4)) for _ in range(count)]


@cache
def found(seed: int = 0) -> Calibration:
    frame = pl.DataFrame({"text": texts(400)})
    return curate.calibrate(frame, seed=seed, plants=1600, precision=0.98)


def test_a_known_threshold_is_proposed_and_copies_are_found() -> None:
    # Half of a sibling's words are its source's: cosine 0.5. Copies with a fifth edited have 0.8.
    result = found()
    assert result.proposed is not None
    assert result.proposed <= 0.7
    removed = result.at(result.proposed).removed
    assert removed["case, punctuation, spaces"].value == 1.0
    assert removed["10 % of words edited"].hits >= 0.97 * removed["10 % of words edited"].of
    for kind in ("other numbers", "same beginning, other body", "negation flipped"):
        assert removed[kind].of >= 50
        assert removed[kind].hits == 0


def test_the_proposal_keeps_its_promise_on_plants_of_another_seed() -> None:
    proposed = found().proposed
    assert proposed is not None
    held_out = found(seed=99).at(proposed).precision
    assert held_out.value is not None
    assert held_out.value >= 0.98


def test_recall_never_rises_with_the_threshold() -> None:
    shares = [point.recall.hits for point in found().points]
    assert shares == sorted(shares, reverse=True)
    assert found().points[0].per_million[0] == 0.0
    assert 0 < found().points[0].per_million[1] < 100


def test_the_same_seed_gives_the_same_document() -> None:
    frame = pl.DataFrame({"text": texts(60)})
    first, second = (curate.calibrate(frame, seed=3, plants=200).document() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    other = curate.calibrate(frame, seed=4, plants=200).document()
    assert json.dumps(first) != json.dumps(other)


def test_real_pairs_are_counted_and_shown() -> None:
    rows = texts(60)
    near = rows[0].replace("The", "This", 2)
    result = curate.calibrate(pl.DataFrame({"text": [*rows, near]}), plants=200)
    assert result.at(0.8).real_pairs == 1
    assert {result.examples[0].first, result.examples[0].second} == {rows[0], near}


def chats(rows: list[str]) -> list[dict[str, object]]:
    return [
        {
            "messages": [
                {"role": "user", "content": row},
                {"role": "assistant", "content": rows[place - 1]},
            ]
        }
        for place, row in enumerate(rows)
    ]


def preferences(rows: list[str]) -> list[dict[str, object]]:
    def says(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    return [
        {
            "prompt": says("user", row),
            "chosen": says("assistant", rows[place - 1]),
            "rejected": says("assistant", rows[place - 2]),
        }
        for place, row in enumerate(rows)
    ]


@pytest.mark.parametrize("make", [chats, preferences])
def test_other_types_are_calibrated_with_their_answers(make: object) -> None:
    result = curate.calibrate(pl.DataFrame(make(texts(80))), plants=300)  # type: ignore[operator]
    other = result.at(0.8).removed["same prompt, other answer"]
    assert other.of > 5
    assert other.hits == 0
    assert result.at(0.8).recall.value > 0.6  # type: ignore[operator]


@pytest.mark.parametrize(
    "settings", [{"precision": 1.0}, {"precision": 0.0}, {"plants": 3}, {"sample": 1}]
)
def test_what_cannot_be_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        curate.calibrate(pl.DataFrame({"text": texts(30)}), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [["one row of a few words"], ["the same row again here"] * 500])
def test_too_few_rows_are_told(rows: list[str]) -> None:
    with pytest.raises(DataError, match="too few rows"):
        curate.calibrate(pl.DataFrame({"text": rows}))


def test_nothing_is_known_of_none() -> None:
    assert Share(0, 0).value is None
    assert (Share(0, 0).interval.low, Share(0, 0).interval.high) == (0.0, 1.0)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.integers(0, 99))
def test_plants_are_made_of_any_text(first: str, second: str, seed: int) -> None:
    rng, material = random.Random(seed), Material.of([first, second])
    for edit in EDITS.values():
        assert isinstance(edit(first, material, rng), str)
    for sibling in SIBLINGS.values():
        made = sibling((first, second), (second, first), material, rng)
        assert made is None or len(made) == 2


@pytest.mark.slow
def test_the_command_prints_tables_and_escapes_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = texts(60)
    hostile = "\x1b owned\x07 " + rows[0]
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for row in [*rows, hostile]:
            file.write(json.dumps({"text": row}) + "\n")
    monkeypatch.chdir(tmp_path)
    app(["curate", "calibrate", "rows.jsonl", "--plants", "200"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "your pairs nearest to" in out
    assert "\\x1b owned" in out
    assert "\x1b" not in out
    app(["curate", "calibrate", "rows.jsonl", "--plants", "200", "--json"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert len(document["points"]) == 20
    assert document["sampled"] == 61
