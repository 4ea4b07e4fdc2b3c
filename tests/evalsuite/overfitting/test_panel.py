"""A run's own data in an evaluation from end to end, with a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import find_subject
from evalsuite.models.source import directory_source
from evalsuite.overfitting.panel import OwnData, Panel
from evalsuite.overfitting.section import OverfittingSection
from evalsuite.overfitting.telling import tell_own_data
from evalsuite.recipe import EvalSection
from evalsuite.report import read_results
from evalsuite.run import EvalResult, run_evaluation
from evalsuite.tasks import load_suite
from workspace.errors import EvaluationInvalid
from workspace.layout import Workspace


class Quiet:
    """Sees who reads its own data."""

    def __init__(self) -> None:
        self.reading: list[str] = []

    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        if task == "own data":
            self.reading.append(model)


Evaluate = Callable[..., EvalResult]


@pytest.fixture
def evaluate(tiny_model: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]) -> Evaluate:
    suites = tuple(load_suite(path) for path in suite_writer(tmp_path / "suites", 12))

    def run(subjects: Sequence[Path], watch: Any = None, **overfitting: Any) -> EvalResult:
        workspace = Workspace(tmp_path)
        request = EvalRequest(
            "test",
            directory_source(tiny_model, name="tiny"),
            tuple(find_subject(str(path), workspace) for path in subjects),
            suites,
            EvalSection.model_validate({"noise_items": 0, "overfitting": overfitting}),
            "float32",
        )
        return run_evaluation(request, workspace, watch or Quiet())

    return run


def test_losses_gap_and_drift_of_a_run_are_in_the_results(
    evaluate: Evaluate, trained_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = Quiet()
    result = evaluate([trained_run], watch, rows=30)
    (record,) = read_results(result.directory).overfitting
    assert (record.tuned, record.state, record.detail) == ("mine", "measured", "")
    assert [(one.part, one.rows) for one in record.losses] == [("trained", 30), ("validation", 25)]
    assert record.words == ["did not learn"]  # its weights are random
    assert record.gap is not None and record.membership is not None
    assert [one.prompts for one in record.drift] == ["task", "general"]
    assert all(one.kl.value > 0.01 and 0 <= one.same_top < 1 for one in record.drift)
    assert set(watch.reading) == {"base", "mine"}
    rows = pq.read_table(result.directory / "overfitting.parquet").to_pylist()
    parts = [row["part"] for row in rows]
    assert [parts.count(one) for one in ("trained", "validation", "general")] == [30, 25, 30]
    own = [row for row in rows if row["part"] == "trained"]
    tokens = sum(row["tokens"] for row in own)
    assert record.losses[0].tuned == pytest.approx(sum(row["nll_tuned"] for row in own) / tokens)
    assert record.losses[0].base == pytest.approx(sum(row["nll_base"] for row in own) / tokens)
    assert {row["seen"] for row in own} == {1, 2}
    assert all(row["verbatim_50_tuned"] is None for row in own)
    for report in ("report.md", "report.html"):
        text = (result.directory / report).read_text()
        assert "On its own data: did not learn" in text
        assert "validation" in text
    tell_own_data(record)
    told = capsys.readouterr().out
    assert "On its own data: did not learn." in told
    assert "KL to the base" in told


def test_a_model_without_a_run_is_told_its_drift_alone(
    evaluate: Evaluate, tiny_adapter: Path, trained_run: Path
) -> None:
    result = evaluate([tiny_adapter, trained_run], rows=10)
    plain, run = result.results.overfitting
    assert (plain.state, plain.words) == ("partly", [])
    assert "not a run" in plain.detail
    assert [one.prompts for one in plain.drift] == ["general"]
    # the same weights on the same prompts, told of two models
    assert plain.drift[0].kl.value == pytest.approx(run.drift[1].kl.value)
    assert run.state == "partly" and "too few rows" in run.detail


def test_no_rows_leave_the_section_out(evaluate: Evaluate, trained_run: Path) -> None:
    watch = Quiet()
    result = evaluate([trained_run], watch, rows=0)
    assert result.results.overfitting == []
    assert watch.reading == []
    assert not (result.directory / "overfitting.parquet").exists()
    assert "own data" not in (result.directory / "report.html").read_text()


def test_the_gate_takes_it_only_where_the_recipe_says_so(
    evaluate: Evaluate, trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalsuite.overfitting.judgement._REFUSED", ("did not learn",))
    told = evaluate([trained_run], rows=30).results.comparisons[0].verdict
    refused = evaluate([trained_run], rows=30, gate=True).results.comparisons[0].verdict
    assert "on its own data" not in told.headline
    assert refused.status == "fail"
    assert refused.headline.startswith("Failed: on its own data: did not learn; ")


def test_figures_are_withdrawn_with_the_measurement(evaluate: Evaluate, trained_run: Path) -> None:
    record = json.loads((trained_run / "run.json").read_text())
    (trained_run / "run.json").write_text(json.dumps({**record, "template_digest": "other"}))
    result = evaluate([trained_run], rows=30)
    assert result.results.comparisons[0].verdict.status == "invalid"
    (own,) = result.results.overfitting
    assert (own.state, own.words, own.losses) == ("not_run", [], [])
    assert "withdrawn" in own.detail


@pytest.mark.parametrize("which", ["base", "tuned"])
def test_nan_on_rows_is_said_of_the_models_and_ends_nothing(which: str) -> None:
    class Gave:
        def __getattr__(self, name: str) -> Any:
            raise EvaluationInvalid("the model gave NaN", cause="It read row 1.")

    own = {"mine": OwnData(rows=[])}
    section, nothing = OverfittingSection(rows=4), SimpleNamespace()
    panel = Panel(section, nothing, nothing, 64, None, lambda model: None, own)  # type: ignore[arg-type]
    if which == "tuned":
        panel._sweep = Gave()  # type: ignore[assignment]
        panel.read_tuned("mine", nothing)  # type: ignore[arg-type]
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("evalsuite.overfitting.sweep.Sweep", lambda *given: Gave())
            patch.setattr("evalsuite.overfitting.panel.general_rows", lambda *a, **b: ["row"])
            panel.limits = SimpleNamespace(tokens=1)  # type: ignore[assignment]
            panel.read_base(nothing, [], {})  # type: ignore[arg-type]
        assert panel._sweep is None
    assert own["mine"].problem == "the model gave NaN. It read row 1."
