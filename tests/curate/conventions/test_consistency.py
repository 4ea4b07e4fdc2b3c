"""Conventions: planted departures are found, clean rows are left alone, sources are told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import curate as curation
from curate.cli import app
from curate.conventions.objects import read
from curate.conventions.vocabulary import edit_distance, is_vocabulary, oddities
from curate.steps.configs import StepConfig
from evalsuite.builtin.raw_tickets import write_raw_tickets
from workspace.errors import UsageError

Write = Callable[..., Path]
Planted = tuple[list[dict[str, str]], dict[int, str]]


def rows_of(answers: list[str], **more: Any) -> pl.DataFrame:
    turn = [{"role": "user", "content": "What is it?"}]
    return pl.DataFrame(
        {
            "prompt": [turn] * len(answers),
            "completion": [[{"role": "assistant", "content": answer}] for answer in answers],
            **more,
        }
    )


def test_precision_and_recall_on_planted_departures(planted: Planted, lines: Write) -> None:
    rows, truth = planted
    found = curation.consistency(curation.read(lines(rows)).frame)
    told = set(found.departing["_row"].to_list())
    right = told & truth.keys()
    assert len(right) / len(told) >= 0.99
    assert len(right) / len(truth) >= 0.98, {truth[row] for row in truth.keys() - told}


def test_the_clean_rows_of_the_demo_have_no_departure(tmp_path: Path) -> None:
    write_raw_tickets(tmp_path)
    found = curation.consistency(curation.read(str(tmp_path / "*.*")).frame)
    assert found.rows > 3_000
    assert [one.sentence for one in found.findings] == []


def test_a_source_with_another_convention_is_told_as_a_whole() -> None:
    sums = [f"It is {n}.\n#### {n}" for n in range(400)] + [f"It is {n}." for n in range(100)]
    sources = ["gsm.jsonl"] * 400 + ["other.jsonl"] * 100
    found = curation.consistency(rows_of(sums, source=sources))
    (whole,) = [one for one in found.findings if one.aspect == "final_marker"]
    assert (whole.level, whole.source, whole.form) == ("source", "other.jsonl", True)
    assert (whole.keeps, whole.applies) == (100, 100)
    assert whole.others == (("rows of other sources end with `#### ANSWER`", 400),)
    assert found.departing.is_empty()


def test_half_and_half_are_two_conventions_and_no_outliers() -> None:
    answers = [f"The answer is number {n}" + ("." if n % 2 else "") for n in range(200)]
    found = curation.consistency(rows_of(answers))
    (mixed,) = [one for one in found.findings if one.aspect == "ending"]
    assert (mixed.level, mixed.keeps, mixed.applies) == ("mixed", 100, 200)
    assert found.departing.is_empty()


def test_urgent_once_among_thousands_and_high_with_a_capital_are_told_apart() -> None:
    rng = Random(0)
    levels = [rng.choice(["low", "normal", "high"]) for _ in range(3_000)]
    levels[7], levels[70], levels[700] = "urgent", "High", "nromal"
    found = curation.consistency(rows_of([json.dumps({"priority": one}) for one in levels]))
    told = {one.aspect: one for one in found.findings}
    assert {name: one.rows.tolist() for name, one in told.items()} == {
        "value priority spelling": [70],
        "value priority slip": [700],
        "value priority rare": [7],
    }
    assert told["value priority spelling"].form and told["value priority slip"].form
    assert not told["value priority rare"].form
    assert '"nromal", nearly "normal"' in told["value priority slip"].instead[0]


def test_a_label_column_is_read_too() -> None:
    labels = ["spam", "ham"] * 100
    labels[5] = "Spam "
    found = curation.consistency(rows_of(["text"] * 200, user_label=labels))
    assert [(one.aspect, one.rows.tolist()) for one in found.findings] == [("label spelling", [5])]


def test_the_step_drops_for_form_and_notes_style(curate: Any, lines: Write, tmp_path: Path) -> None:
    rows = [{"prompt": f"Ticket {n}", "completion": '{"team":"a","n":1}'} for n in range(200)]
    rows[3]["completion"] = '{"team":"a"}'
    rows[4]["completion"] = '{"team": "a", "n": 1}'
    result = curate({"sources": [str(lines(rows))], "steps": ["consistency"]})
    assert result.ledger.rows_dropped == 1
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert dropped["reason"].to_list() == ["inconsistent"]
    assert "lack the key `n`" in dropped["detail"][0]
    assert any("write JSON compactly" in note for note in result.notes)
    kept = curate({"sources": [str(lines(rows))], "steps": [{"consistency": {"drop": "none"}}]})
    assert kept.ledger.rows_dropped == 0
    all_of_it = curate({"sources": [str(lines(rows))], "steps": [{"consistency": {"drop": "all"}}]})
    assert all_of_it.ledger.rows_dropped == 2


def test_the_command_writes_the_rows_that_depart_so_that_they_can_be_read_again(
    lines: Write, tmp_path: Path
) -> None:
    rows = [{"prompt": f"Is {n} it?", "completion": "yes"} for n in range(100)]
    rows[9]["completion"] = "Yes."
    out = tmp_path / "departing.jsonl"
    done = CliRunner().invoke(app, ["consistency", str(lines(rows)), "--json", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["departing_rows"] == 1
    (line,) = out.read_text().splitlines()
    assert any("short_ending" in why for why in json.loads(line)["departs"])
    assert curation.read(out, max_quarantine=0).frame.collect().height == 1
    with pytest.raises(UsageError):
        CliRunner().invoke(
            app, ["consistency", str(lines(rows)), "-o", str(out)], catch_exceptions=False
        )


def test_hostile_text_is_inert(lines: Write) -> None:
    rows = [{"prompt": "x", "completion": '{"k":"v"}'} for _ in range(60)]
    rows[1]["completion"] = '{"k":"v","\\u001b[31m<script>":"[bold]"}'
    done = CliRunner().invoke(app, ["consistency", str(lines(rows))])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output and "[31m<script>" in done.output


@pytest.mark.parametrize("answers", [["one"], ["same"] * 5_000, [""] * 50, [" \n"] * 40])
def test_one_row_equal_rows_and_empty_ones_are_quiet(answers: list[str]) -> None:
    assert curation.consistency(rows_of(answers)).departing.is_empty()


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ['{"a":1}', '{"a":"x","b":null}', "[1]", "```\n{}\n```", "{'a'", "#### 3", "\ud800"]
    ),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(TEXTS.filter(lambda text: text.isprintable() or "\n" in text), min_size=1, max_size=60)
)
def test_any_answers_balance(answers: list[str]) -> None:
    clean = [text.encode("utf-8", "replace").decode() for text in answers]
    frame = rows_of(clean)
    outcome = curation.step(frame, "consistency", drop="all", share=0.6)
    kept = outcome.kept.collect()
    assert kept.height + outcome.dropped.height == frame.height
    assert kept["_row"].is_sorted() and outcome.dropped["_row"].n_unique() == outcome.dropped.height


def test_vocabularies_and_their_oddities() -> None:
    counts = {"legal": 500, "illegal": 40, "late": 900, "rate": 6, "class_1": 300, "class_2": 9}
    assert is_vocabulary(counts)
    assert oddities(counts) == []
    assert not is_vocabulary({f"value {n}": 1 for n in range(500)})
    (one,) = oddities({"billing": 300, "shipping": 200, "biling": 2})
    assert (one.kind, one.usual, one.rows) == ("slip", "billing", 2)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_edit_distance_is_that_of_the_whole_table(first: str, second: str) -> None:
    far = edit_distance(first, second, 20)
    assert far == edit_distance(second, first, 20)
    for most in range(4):
        assert edit_distance(first, second, most) == min(far, most + 1)


def test_json_in_its_forms() -> None:
    forms = [
        read(text)[0] for text in ('{"a":1}', "[1]", "```json\n{}\n```", '{"a":', "{x} is a set")
    ]
    assert forms == [0, 1, 2, 4, 5]


def test_the_step_is_in_the_schema() -> None:
    assert StepConfig.model_validate("consistency").name == "consistency"
