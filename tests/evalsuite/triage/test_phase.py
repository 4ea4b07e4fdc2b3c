"""Lost abilities are asked again in an evaluation from end to end, and only those."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import find_subject
from evalsuite.models.source import directory_source
from evalsuite.recipe import EvalSection
from evalsuite.report import read_results
from evalsuite.run import EvalResult, run_evaluation
from evalsuite.tasks import load_suite
from evalsuite.triage.telling import tell_triage
from workspace.layout import Workspace

Evaluate = Callable[..., EvalResult]


class Quiet:
    """Sees what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        self.asked.append((model, task))


@pytest.fixture
def evaluate(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]
) -> Evaluate:
    _, keep = suite_writer(tmp_path / "suites", 30)
    keep.write_text(keep.read_text().replace("scorer: contains", "scorer: exact"))

    def run(subjects: Sequence[Path], watch: Quiet, **triage: int) -> EvalResult:
        workspace = Workspace(tmp_path)
        settings = {"noise_items": 0, "overfitting": {"rows": 0}, "triage": triage}
        request = EvalRequest(
            "test", directory_source(tiny_model, name="tiny"),
            tuple(find_subject(str(path), workspace) for path in subjects),
            (load_suite(keep),), EvalSection.model_validate(settings), "float32",
        )  # fmt: skip
        return run_evaluation(request, workspace, watch)

    _take_the_bases_answers(run, tmp_path / "suites" / "items.jsonl", tiny_adapter)
    return run


def _take_the_bases_answers(run: Evaluate, items: Path, other: Path) -> None:
    """Make what the base writes the right answer, so that it has something to lose."""
    answered = run([other], Quiet(), items=0).directory / "samples.parquet"
    outputs = {
        row["item_id"]: row["output"]
        for row in pq.read_table(answered).to_pylist()
        if row["model"] == "base" and row["task"] == "keep-write"
    }
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    for row in rows:
        row["answer"] = outputs[row["id"]].strip() or "none"
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_was_lost_is_asked_again_of_the_base_and_of_who_lost_it(
    evaluate: Evaluate, tiny_adapter: Path, model_maker: Callable[..., Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    watch = Quiet()
    full = model_maker(tmp_path / "full", seed=3)
    result = evaluate([tiny_adapter, full], watch, items=20)
    lost = {
        (comparison.tuned, one.name)
        for comparison in result.results.comparisons
        for one in comparison.verdict.abilities
        if one.verdict == "fail" or (one.p_holm or 1) < 0.05
        if "read" not in one.name  # perplexity has no other way
    }
    records = read_results(result.directory).triage
    assert lost == {(one.tuned, one.ability) for one in records} != set()
    again = {(model, task) for model, task in watch.asked if task.endswith(" again")}
    tasks = {f"{ability} again" for _, ability in lost}
    assert {task for model, task in again if model == "base"} == tasks
    for model, ability in lost:
        assert (model, f"{ability} again") in again
    for one in records:
        assert one.ways[0].name == "as asked"
        assert {way.items for way in one.ways if way.name != "answer begun"} == {20}
    assert "asked again" in (result.directory / "report.md").read_text()
    assert "Lost abilities, asked again" in (result.directory / "report.html").read_text()
    tell_triage(records)
    assert "asked again" in capsys.readouterr().out


def test_no_items_ask_nothing_again(evaluate: Evaluate, tiny_adapter: Path) -> None:
    watch = Quiet()
    result = evaluate([tiny_adapter], watch, items=0)
    assert result.results.triage == []
    assert not [task for _, task in watch.asked if task.endswith(" again")]
