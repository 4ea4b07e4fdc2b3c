"""Coverage: planted gaps are found, equal samples have none, edge cases are told by rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import curate as curation
from curate.cli import app
from curate.covering.inputs import input_of, read_inputs
from curate.covering.nearest import Nearest, among_themselves
from curate.covering.prompts import template_of
from curate.covering.regions import balances
from evalsuite.builtin.tickets import TicketSplit, draw_tickets, triage_prompt
from evalsuite.embedding import unit_length
from workspace.errors import DataError

Write = Callable[..., Path]


def tickets(seed: int, count: int) -> list[Any]:
    return list(draw_tickets(Random(seed), TicketSplit.RAW, count))


def training(rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": triage_prompt(one.text)}] for one in rows],
            "completion": [[{"role": "assistant", "content": one.answer}] for one in rows],
        }
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_two_samples_of_one_distribution_have_no_gap(seed: int) -> None:
    rows = tickets(seed, 1_600)
    found = curation.coverage(training(rows[:800]), [one.text for one in rows[800:]])
    assert found.gaps == ()
    assert abs(np.median(found.nearest) - np.median(found.among)) < 0.05


def test_the_shared_instruction_is_left_out_of_the_comparison() -> None:
    rows = tickets(0, 60)
    found = curation.coverage(training(rows), [one.text for one in rows])
    assert found.template.startswith("Triage this ticket as JSON.")
    assert found.nearest.min() > 0.99


def test_a_team_that_training_lacks_is_a_gap_with_its_words(tmp_path: Path) -> None:
    rows = tickets(1, 2_000)
    known = [one for one in rows[:1_000] if one.team != "returns"]
    found = curation.coverage(training(known), [one.text for one in rows[1_000:]])
    assert found.gaps
    for gap in found.gaps:
        assert gap.balance.ratio <= 0.5 and gap.balance.p < 0.01
        assert gap.balance.low <= gap.balance.ratio <= gap.balance.high
    lacking = {one.text for one in rows[1_000:] if one.team == "returns"}
    inside = [text for gap in found.gaps for text in gap.examples]
    assert sum(text in lacking for text in inside) / len(inside) > 0.6
    file = tmp_path / "deficits.json"
    assert found.write_deficits(file) == len(found.gaps)
    document = json.loads(file.read_text())
    assert all(entry["rows"] >= 1 and entry["from"] for entry in document["deficits"])
    assert not any(text in file.read_text() for text in lacking)


def test_balances_are_the_ratio_of_shares_with_an_interval() -> None:
    thin, even = balances(np.array([50, 50]), np.array([10, 190]))
    assert thin.ratio == pytest.approx((10 / 200) / (50 / 100))
    assert thin.low < thin.ratio < thin.high < 0.5
    assert thin.p < 1e-8 and even.p == 1.0


@pytest.mark.parametrize("draws", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_no_false_gap_in_ninety_five_of_a_hundred_random_draws(draws: int) -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(draws):
        shares = rng.dirichlet(np.ones(20))
        real, trained = rng.multinomial(500, shares), rng.multinomial(700, shares)
        false += any(one.p < 0.05 for one in balances(real, trained))
    assert false <= 0.08 * draws


def test_the_nearest_rows_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    inputs = unit_length(rng.normal(size=(30, 8)))
    rows = unit_length(rng.normal(size=(500, 8)))
    found = Nearest.none(30)
    for begin in range(0, 500, 77):
        part = rows[begin : begin + 77]
        found.add(inputs, part, np.arange(begin, begin + len(part)))
    whole = inputs @ rows.T
    assert (found.rows == np.argsort(-whole, axis=1)[:, :3]).all()
    alone = inputs @ inputs.T - 2 * np.eye(30)
    assert among_themselves(inputs) == pytest.approx(alone.max(axis=1), abs=1e-6)


def test_edge_cases_are_told_by_rule() -> None:
    rows = training(tickets(0, 300))
    real = [one.text for one in tickets(2, 60)]
    real += ["", "see https://example.com/x", "Где моя посылка?", "<b>help</b>", "word " * 900]
    real += ["My gizmo froze again", "The gizmo is loud"]
    found = curation.coverage(rows, real)
    told = {edge.name: edge for edge in found.edges}
    for name in ("empty", "URL", "Cyrillic script", "HTML or XML", "longer than any"):
        assert told[name].unseen and told[name].real in (1, 3), name
    assert ("gizmo", 2) in found.words


@pytest.mark.parametrize(
    ("text", "is_latex"),
    [
        ("It costs $5 and then $7 more.", False),
        ("A wallet of $100; she has $15 for it, and $3.", False),
        ("What is $x^2 + 1$ at 3?", True),
        ("Let $n$ be even.", True),
        (r"Find \frac{1}{2}.", True),
    ],
)
def test_prices_are_no_formulae(text: str, is_latex: bool) -> None:
    from curate.covering.edges import RULES

    found = pl.DataFrame({"text": [text]}).select(RULES["LaTeX"].alias("found"))
    assert found.item() == is_latex


def test_inputs_come_from_rows_with_answers_or_without_from_tables_and_lines(
    lines: Write, tmp_path: Path
) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    answered = [*chat, {"role": "assistant", "content": "Hi"}]
    for record in (
        {"messages": chat},
        {"messages": answered},
        {"prompt": "Hello"},
        {"query": "Hello", "stamp": 3},
        {"question": "Hello", "answer": "Hi"},
        {"text": "Hello", "category": "x"},
    ):
        assert input_of(record) == ("Hello", 1), record
    assert input_of({"other": 1}) is None
    assert input_of({"body": "Hello"}, "body") == ("Hello", 1)
    more = [*answered, {"role": "user", "content": "More"}]
    assert input_of({"messages": more}) == ("Hello\n\nHi\n\nMore", 2)
    text = tmp_path / "real.txt"
    text.write_text("one\ntwo\n")
    assert read_inputs(str(text)).texts == ["one", "two"]
    many = lines([{"prompt": f"number {n}"} for n in range(500)])
    drawn = read_inputs(str(many), sample=50)
    assert (len(drawn.texts), drawn.read) == (50, 500)
    assert drawn.texts == read_inputs(str(many), sample=50).texts
    with pytest.raises(DataError, match="no real input"):
        read_inputs(str(lines([{"other": 1}], "none.jsonl")))


def test_a_template_is_what_different_prompts_share() -> None:
    assert not template_of(["the same prompt word for word"] * 100)
    assert not template_of([f"{n} is short" for n in range(100)])
    asked = [
        f"Classify this message now:\n{n} things\nAnswer with one label only" for n in range(99)
    ]
    found = template_of(asked)
    stripped = found.stripped(pl.Series([*asked, "else"]))
    assert stripped.head(2).str.strip_chars().to_list() == [
        "0",
        "1",
    ]  # all of them are about things
    assert stripped[-1] == "else"


def test_the_command_prints_tables_and_json(lines: Write, tmp_path: Path) -> None:
    rows = [{"prompt": one.text, "completion": one.answer} for one in tickets(0, 120)]
    real = lines([{"ticket": "\x1b[31mred [bold]<script> and more"}] * 3, "real.jsonl")
    data, out = lines(rows), tmp_path / "deficits.json"
    shown = CliRunner().invoke(app, ["coverage", str(data), "--against", str(real)])
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.output
    done = CliRunner().invoke(
        app,
        ["coverage", str(data), "--against", str(real), "--json", "--deficits", str(out)],
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["inputs"] == {"read": 3, "compared": 3, "distinct": 1, "unusable": 0}
    assert document["embedder"] == "lexical" and not document["semantic"]
    assert json.loads(out.read_text())["kind"] == "deficits"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=9),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=30),
)
def test_any_texts_are_compared(prompts: list[str], real: list[str]) -> None:
    frame = pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": text}] for text in prompts],
            "completion": [[{"role": "assistant", "content": "x"}] for _ in prompts],
        }
    )
    found = curation.coverage(frame, real)
    assert sum(region.inputs for region in found.regions) == len(real)
    assert json.dumps(found.document())


def test_the_gaps_are_what_augment_makes_rows_for(lines: Write, tmp_path: Path) -> None:
    from curate.recipe import CurateSection
    from curate.synth.recipe import AugmentSection
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection
    from workspace.recipe import load_recipe

    rows = [{"prompt": f"{one.text}", "completion": one.answer} for one in tickets(1, 60)]
    data = lines(rows)
    ids = curation.read(data).frame.collect()["id"].to_list()
    gap = {"name": "returns", "rows": 6, "why": "thin", "from": [*ids[:4], "unknown"]}
    lost = {"name": "lost", "rows": 6, "from": ["unknown"]}
    file = tmp_path / "deficits.json"
    file.write_text(json.dumps({"schema_version": 1, "deficits": [gap, lost]}))
    recipe = tmp_path / "temper.yaml"
    section = {
        "sources": [{"path": str(data)}],
        "generate": [{"noise": {"kinds": ["typos"], "per_row": 3}}],
        "target": {"deficits": {"path": "deficits.json", "most": 5}},
    }
    recipe.write_text(json.dumps({"name": "made", "augment": section}), encoding="utf-8")
    sections: dict[str, Any] = {
        "curate": CurateSection, "model": ModelSection, "augment": AugmentSection,
        "evaluate": EvalSection,
    }  # fmt: skip
    from curate.synth.augmenting import run_augment

    loaded = load_recipe(recipe, sections)
    result = run_augment(loaded, loaded.workspace)
    assert result.accepted == {"returns": 5}
    made = pl.read_parquet(result.path / "train.parquet")["meta"].struct.field("parents")
    assert {parent for parents in made.to_list() for parent in parents} <= {*ids[:4]}
    assert any("lost: no source row is near" in note for note in result.notes)
