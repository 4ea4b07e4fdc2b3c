"""A run's recipe on a new base, and the new tuned model against the old, item by item."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from tests.train.conftest import TEMPLATE, make_tiny_model
from tests.train.curve.test_curve import SECTIONS, Quiet, load, write_recipe
from train.cli import register
from train.record import read_record
from train.reporter import Silent
from workspace.context import Context
from workspace.errors import ModelError, Stopped, TemperError, UsageError

app = typer.Typer()


@app.callback()
def root(context: typer.Context) -> None:
    context.obj = Context(lambda: SECTIONS, ("temper", "rebase"))


register(app)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose chats begin otherwise."""
    template = TEMPLATE.replace("{{ '\\n' }}", "{{ '\\n\\n' }}")
    return make_tiny_model(tmp_path_factory.mktemp("other") / "newer", template=template)


@pytest.fixture(scope="module")
def done(
    tiny_model: Path, make_bench: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """A workspace with one finished run and a suite; read only."""
    from train.run import run_train
    from workspace.jobs import run_job

    bench = make_bench(tmp_path_factory.mktemp("rebase"), tiny_model)
    recipe = write_recipe(bench, steps=4)
    with run_job(bench.workspace, "train", ["temper", "train"]) as job:
        return bench, run_train(recipe, bench.workspace, job)


@pytest.fixture
def mine(done: tuple[Any, Path], make_bench: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A copy of it, to be changed."""
    bench, run = done
    copy = make_bench(tmp_path / "copy", bench.model)
    write_recipe(copy, steps=4)
    shutil.copytree(run, copy.root / "runs" / run.name)
    return copy, copy.root / "runs" / run.name


@pytest.fixture
def temper(mine: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `temper …` in the copy."""
    monkeypatch.chdir(mine[0].root)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return call


class Stopper(Silent):
    """Asks its process to stop at the second step."""

    def step(self, report: Any) -> None:
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def rebased(bench: Any, base: Path, reporter: Any = None) -> Any:
    """Do what the command does."""
    from contextlib import nullcontext

    from train.rebase.found import find_old, new_recipe
    from train.rebase.rebase import Rebasing
    from workspace.jobs import run_job

    argv = ["temper", "rebase"]
    old = find_old("toy", bench.workspace)
    recipe = new_recipe(old, str(base), None, (), load)
    work = Rebasing(old, recipe, bench.workspace, load)
    with run_job(bench.workspace, "rebase", argv) as job:
        return work.make(job, reporter or Silent(), Quiet(), argv, nullcontext)


def test_a_damaged_record_is_passed_over_and_a_difference_is_accepted_where_it_can_be(
    mine: tuple[Any, Path], other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.rebase.found import find_old, new_recipe
    from train.rebase.rebase import Rebasing

    bench, _ = mine
    old = find_old("toy", bench.workspace)
    recipe = new_recipe(old, str(other), None, ("evaluate.sizing={}",), load)
    work = Rebasing(old, recipe, bench.workspace, load)
    assert work.settings.sizing is not None
    assert work._request(old.directory).settings.sizing is None  # looks end at other items
    runs = {"20260101-000000-toy-on-newer-aaaa": json.dumps({"rebased": work.mark, "job": "x"})}
    for name, text in {**runs, "20990101-000000-other-bbbb": "{"}.items():
        (bench.workspace.runs / name).mkdir()
        (bench.workspace.runs / name / "run.json").write_text(text)

    def refuse(*_: Any) -> Any:
        raise UsageError(
            "1 thing is not as it was", cure="Restore it, or go on with --accept data."
        )

    monkeypatch.setattr("train.rebase.rebase.open_run", refuse)
    with pytest.raises(UsageError) as caught:
        work._trained(Silent(), ["temper", "rebase"])
    (run,) = runs
    assert f"go on with temper resume {run} --accept data. Then this command" in caught.value.cure


@pytest.mark.slow
def test_stopped_it_goes_on_and_both_tuned_models_are_paired(
    mine: tuple[Any, Path], other: Path, temper: Callable[..., str]
) -> None:
    bench, old = mine
    with pytest.raises(Stopped) as caught:
        rebased(bench, other, Stopper())
    assert "the same command goes on" in caught.value.cure

    found = rebased(bench, other)

    record, before = read_record(found.new), read_record(old)
    assert len([*bench.workspace.runs.iterdir()]) == 2 and len(record["attempts"]) == 2
    assert found.new.name.split("-", 2)[2][:-5] == "toy-on-newer"
    assert record["rebased"]["run"] == old.name and record["base"]["path"] == str(other)
    settings = json.loads(json.dumps(before["settings"]))
    settings["train"]["dataset"], settings["model"]["path"] = before["dataset"], str(other)
    assert record["settings"] == settings

    verdict = found.crossed.verdict
    (ability,) = verdict.abilities
    was, now = (one.results.comparisons[0].verdict.abilities[0] for one in found.evaluations)
    assert (ability.base, ability.tuned, ability.n) == (was.tuned, now.tuned, 20)
    assert ability.purpose == "retention" and was.purpose == "target"
    place = found.crossed.directory
    names = ("results.json", "samples.parquet", "report.html", "report.md", "junit.xml")
    assert all((place / name).is_file() for name in names)
    rows = pq.read_table(place / "samples.parquet").to_pylist()
    assert {row["model"]: 0 for row in rows}.keys() == {
        f"{old.name} base",
        old.name,
        f"{found.new.name} base",
        found.new.name,
    }
    document = json.loads((place / "rebase.json").read_text())
    assert document["old"]["run"] == old.name and document["new"]["base"]["path"] == str(other)

    shown = temper("rebase", "toy", "--base", str(other))
    assert found.new.name in shown and "new − old" in shown
    assert len([*bench.workspace.runs.iterdir()]) == 2
    again = json.loads(temper("rebase", old.name, "--base", str(other), "--json"))
    assert again["verdict"]["abilities"][0]["difference"] == ability.difference


def refused(temper: Callable[..., str], *arguments: str) -> TemperError:
    with pytest.raises(TemperError) as caught:
        temper("rebase", *arguments)
    return caught.value


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    mine: tuple[Any, Path], other: Path, temper: Callable[..., str]
) -> None:
    bench, run = mine
    record = read_record(run)

    def spoil(**fields: Any) -> None:
        (run / "run.json").write_text(json.dumps({**record, **fields}))

    error = refused(temper, "toy", "--base", str(bench.model))
    assert isinstance(error, UsageError) and "on that base already" in error.title
    assert "no such model directory" in refused(temper, "toy", "--base", "./nowhere").title
    assert "Did you mean `toy`?" in refused(temper, "toi", "--base", str(other)).cure
    error = refused(temper, "toy", "--base", str(other), "--set", "train.learning_rte=1")
    assert "learning_rate" in error.cause
    bad = ("--set", "evaluate.suites=[]")
    assert "no suite to compare" in refused(temper, "toy", "--base", str(other), *bad).title
    spoil(begins={"run": "x"})
    assert "goes on from another" in refused(temper, "toy", "--base", str(other)).title
    spoil(method="reward")
    assert "does not write answers" in refused(temper, "toy", "--base", str(other)).title
    spoil(dataset=str(bench.root / "gone"))
    assert "there is no dataset" in refused(temper, "toy", "--base", str(other)).title
    spoil()
    shutil.rmtree(run / "model")
    error = refused(temper, "toy", "--base", str(other))
    assert isinstance(error, ModelError) and "no finished model" in error.title
    assert len([*bench.workspace.runs.iterdir()]) == 1


def test_a_worse_model_fails_and_an_invalid_side_voids_both(
    mine: tuple[Any, Path], tmp_path: Path
) -> None:
    """The pairing alone, on samples made up."""
    from evalsuite.crossing import Side, cross
    from evalsuite.engine.questions import Sample
    from evalsuite.engine.samples import write_samples
    from evalsuite.report import Results
    from evalsuite.tasks import load_suite
    from evalsuite.verdict import Canary, Verdict

    bench, _ = mine
    suite = load_suite(bench.root / "words.yaml")
    sample = Sample("words", "words", "", "", "base", "", "", "", 1.0, "", 0.0, 1, 1, 0.0, False)

    def side(name: str, scores: list[float], canary: Any = "pass", asked: int = 20) -> Side:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        rows = [
            replace(sample, item_id=item.id, model=model, score=score)
            for model in ("base", "tuned")
            for item, score in zip(suite.tasks[0].items[:asked], scores[:asked], strict=True)
        ]
        write_samples(place / "samples.parquet", rows)
        verdict = Verdict("pass", 0, "", canaries=(Canary("works", canary),))
        comparison = {"base": "base", "tuned": "tuned", "verdict": verdict}
        results = Results.model_validate(
            {"id": name, "created": "", "models": [], "suites": [], "comparisons": [comparison]}
        )
        return Side(place, results, f"{name} base", f"{name} tuned")

    good, bad = side("good", [1.0] * 20), side("bad", [1.0] * 14 + [0.0] * 6)
    worse = cross(good, bad, [suite], tmp_path / "worse")
    assert worse.verdict.status == "fail" and worse.verdict.abilities[
        0
    ].difference == pytest.approx(-0.3)
    better = cross(bad, good, [suite], tmp_path / "better")
    assert better.verdict.status == "pass" and better.verdict.abilities[
        0
    ].difference == pytest.approx(0.3)
    broken = side("broken", [1.0] * 20, canary="fail")
    assert cross(good, broken, [suite], tmp_path / "void").verdict.status == "invalid"
    fewer = cross(good, side("fewer", [1.0] * 20, asked=15), [suite], tmp_path / "shorter")
    assert fewer.verdict.abilities[0].n == 15
    assert "words: 5 items that one of the two alone answered left out" in read_notes(fewer)
    none = cross(good, side("none", [1.0] * 20, asked=0), [suite], tmp_path / "nothing")
    assert none.verdict.abilities[0].verdict == "not measured"


def read_notes(crossed: Any) -> list[str]:
    notes: list[str] = json.loads((crossed.directory / "results.json").read_text())["notes"]
    return notes
