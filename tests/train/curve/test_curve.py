"""A learning curve from end to end."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.gate import conclude
from evalsuite.models import ModelSection
from evalsuite.recipe import EvalSection
from evalsuite.report import ComparisonRecord
from evalsuite.verdict import Canary
from train.curve.curve import Curve, CurveMaker, _beginning, _demand_valid, _scores
from train.recipe import TrainSection
from train.record import read_record
from train.reporter import Silent
from workspace.errors import EvaluationInvalid, Stopped, UsageError
from workspace.jobs import run_job
from workspace.recipe import Recipe, load_recipe

SECTIONS = {"model": ModelSection, "train": TrainSection, "evaluate": EvalSection}
SUITE = """
schema_version: 1
name: words
purpose: target
min_items: 10
tasks:
  - name: words
    ability: words
    kind: choice
    data: words.jsonl
    prompt: "{{ question }}"
    choices: "{{ choices }}"
    gold: "{{ gold }}"
"""


def load(path: Path, overrides: Sequence[str]) -> Recipe:
    return load_recipe(path, SECTIONS, overrides)


class Quiet:
    def doing(self, what: str) -> None: ...

    def answered(self, model: str, task: str, done: int, total: int) -> None: ...


def write_recipe(bench: Any, *, suites: Sequence[str] = ("words.yaml",), steps: int = 10) -> Recipe:
    (bench.root / "words.yaml").write_text(SUITE)
    items = [
        {"id": str(n), "question": f"train: card {n}", "choices": ["card", "late"], "gold": n % 2}
        for n in range(20)
    ]
    (bench.root / "words.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    document = {
        "name": "toy",
        "model": {"path": str(bench.model)},
        "train": {"batch_size": 4, "steps": steps, "learning_rate": 0.01, "rehearsal": "off"},
        "evaluate": {"suites": [str(bench.root / name) for name in suites], "noise_items": 0},
    }
    (bench.root / "temper.yaml").write_text(json.dumps(document))
    return load(bench.root / "temper.yaml", ())


def make(bench: Any, recipe: Recipe, reporter: Any = None) -> Curve:
    maker = CurveMaker(recipe, bench.workspace, load, ())
    with run_job(bench.workspace, "curve", ["temper", "curve"]) as job:
        return maker.make(job, reporter or Silent(), Quiet(), ["temper", "curve"])


class StopSecond(Silent):
    """Asks to stop in the first step of the second part."""

    parts = 0

    def note(self, text: str) -> None:
        self.parts += "of the rows" in text

    def step(self, report: Any) -> None:
        if self.parts == 2:
            signal.raise_signal(signal.SIGTERM)


def in_order(bench: Any) -> list[Path]:
    """Return the runs, that on the fewest rows first."""
    return sorted(bench.workspace.runs.iterdir(), key=lambda run: int(run.name.split("-")[-2]))


@pytest.mark.slow
def test_a_curve_that_is_stopped_goes_on_with_the_same_command(bench: Any) -> None:
    recipe = write_recipe(bench)
    with pytest.raises(Stopped) as caught:
        make(bench, recipe, StopSecond())
    assert "the same command goes on" in caught.value.cure
    first = in_order(bench)
    found = make(bench, recipe)
    runs = in_order(bench)
    assert len(first) == 2 and len(runs) == 3 and runs[:2] == first
    assert [len(read_record(run)["attempts"]) for run in runs] == [1, 2, 1]
    (curve,) = found.abilities
    assert [point.rows for point in curve.points] == [4, 11, 37]
    assert [point.steps for point in curve.points] == [1, 3, 10]
    assert curve.items == 20 and curve.ability == "words"
    assert all(point.low <= point.score <= point.high for point in curve.points)
    saved = json.loads((found.directory / "curve.json").read_text())
    assert saved["abilities"][0]["outlook"]["verdict"] == curve.outlook.verdict
    assert "as many steps a row" in saved["steps_rule"]


def test_the_run_that_all_parts_begin_with_is_none_of_them(bench: Any) -> None:
    for name in ("20260101-000000-toy-aaaa", "20260102-000000-toy-curve-0123abcd-10-bbbb"):
        (bench.workspace.runs / name).mkdir(parents=True)
        (bench.workspace.runs / name / "run.json").write_text("{}")
    replay = {"replay": {"share": 0.5, "dataset": "general"}}
    recipe = bench.recipe({"from": "latest", "tempering": replay})
    assert _beginning(recipe, bench.workspace) == ["train.from=20260101-000000-toy-aaaa"]
    assert _beginning(bench.recipe(), bench.workspace) == []


@pytest.mark.slow
def test_a_curve_goes_on_from_an_earlier_run(bench: Any) -> None:
    first = bench.train({"steps": 2, "adapter": {"kind": "lora", "r": 4}})
    write_recipe(bench)
    document = json.loads((bench.root / "temper.yaml").read_text())
    document["train"] |= {"from": "latest", "adapter": {"kind": "lora", "r": 4}}
    (bench.root / "temper.yaml").write_text(json.dumps(document))
    found = make(bench, load(bench.root / "temper.yaml", ()))
    runs = [bench.workspace.runs / point.run for point in found.abilities[0].points]
    assert len(runs) == 3
    assert {read_record(run)["begins"]["run"] for run in runs} == {first.name}


def test_a_recipe_without_a_target_suite_or_with_too_few_rows_is_refused(bench: Any) -> None:
    with pytest.raises(UsageError, match="no target suite"):
        CurveMaker(write_recipe(bench, suites=()), bench.workspace, load, ())
    bench.dataset("toy", bench.chats(3))
    maker = CurveMaker(write_recipe(bench), bench.workspace, load, ())
    with pytest.raises(UsageError, match="too few rows") as caught:
        maker.parts()
    assert "1, 1, 3 rows" in caught.value.cause


def test_an_ability_without_scores_of_a_part_has_no_curve(tmp_path: Path) -> None:
    rows = [
        {"ability": ability, "task": ability, "item_id": "1", "model": model, "score": score,
         "cluster": ""}
        for ability, model, score in (
            ("whole", "a", 1.0), ("whole", "b", 0.0), ("part", "a", 1.0),
            ("nan", "a", 1.0), ("nan", "b", float("nan")),
        )
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "samples.parquet")
    found = _scores(tmp_path, ["a", "b"])
    assert list(found) == ["whole"]
    assert found["whole"][0].tolist() == [[1.0], [0.0]]


def test_an_invalid_evaluation_of_a_part_is_no_curve(tmp_path: Path) -> None:
    verdict = conclude([], [Canary("active", "fail", "it gave NaN")])
    records = [ComparisonRecord(base="base", tuned="part", verdict=verdict)]
    with pytest.raises(EvaluationInvalid, match="no figure of part") as caught:
        _demand_valid(records, tmp_path)
    assert "it gave NaN" in caught.value.cause
