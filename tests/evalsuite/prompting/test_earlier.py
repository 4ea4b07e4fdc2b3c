"""Prompts that were tried before training count afterwards, on the same base and items alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import find_subject
from evalsuite.models.source import directory_source
from evalsuite.prompting.earlier import _answers, find_earlier
from evalsuite.recipe import EvalSection
from evalsuite.report import read_results
from evalsuite.run import run_evaluation
from evalsuite.tasks import load_suite
from workspace.layout import Workspace


class Silent:
    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        pass


def test_a_tuned_model_is_held_against_the_prompts_of_an_earlier_evaluation(
    tiny_model: Path,
    tiny_adapter: Path,
    adapter_maker: Callable[..., Path],
    tmp_path: Path,
    suite_writer: Callable[..., list[Path]],
) -> None:
    suite = load_suite(suite_writer(tmp_path / "suites")[0])
    workspace, base = Workspace(tmp_path), directory_source(tiny_model, name="tiny")
    settings = EvalSection(noise_items=0)

    def evaluated(*paths: Path, prompts: bool = False) -> tuple[Path, str]:
        subjects = tuple(find_subject(str(path), workspace) for path in paths)
        request = EvalRequest("x", base, subjects, (suite,), settings, "float32", prompts=prompts)
        result = run_evaluation(request, workspace, Silent())
        return result.directory, result.recommendation

    alone, said = evaluated(tiny_adapter)
    assert (read_results(alone).prompt_gains, said) == ([], "")
    tried, _ = evaluated(prompts=True)
    before = read_results(tried)
    assert [one.tuned for one in before.recommendations] == ["", ""]
    after = read_results(evaluated(tiny_adapter)[0])
    assert after.prompt_baselines == []
    assert after.best_prompts == before.best_prompts
    assert f"gain-write: the prompts are those tried in {before.id}" in after.notes
    assert {(one.ability, one.tuned, one.evaluation) for one in after.prompt_gains} == {
        ("gain-write", "adapter", before.id), ("gain-choose", "adapter", before.id)
    }  # fmt: skip
    for found, best in zip(after.prompt_gains, after.best_prompts, strict=True):
        assert (found.score, found.n) == (pytest.approx(best.score), best.n)
    same = read_results(evaluated(tiny_adapter, prompts=True)[0])
    assert [one.evaluation for one in same.prompt_gains] == ["", ""]
    assert [one.difference for one in same.prompt_gains] == [
        one.difference for one in after.prompt_gains
    ]

    idle = adapter_maker(tiny_model, tmp_path / "idle", active=False)
    invalid = read_results(evaluated(idle)[0])
    assert invalid.comparisons[0].verdict.status == "invalid"
    assert invalid.prompt_gains == []

    shutil.rmtree(same_directory := workspace.evals / same.id)
    assert not same_directory.exists()
    record = before.models[0]
    found_again = find_earlier(workspace.evals, record, suite, "gain-write")
    assert found_again is not None
    assert set(found_again.answers) == {"zero-shot", "few-shot", "retrieved"}
    assert all(len(answers) == 24 for answers in found_again.answers.values())
    other = record.model_copy(update={"digest": "0" * 64})
    assert find_earlier(workspace.evals, other, suite, "gain-write") is None
    template = record.model_copy(update={"template_digest": "0" * 64})
    assert find_earlier(workspace.evals, template, suite, "gain-write") is None
    lines = (
        (tmp_path / "suites" / "items.jsonl").read_text().replace('"answer": "a"', '"answer": "b"')
    )
    (tmp_path / "suites" / "items.jsonl").write_text(lines)
    changed = load_suite(suite.path)
    assert find_earlier(workspace.evals, record, changed, "gain-write") is None
    (tried / "samples.parquet").write_bytes(b"PAR1 no")
    (workspace.evals / after.id / "results.json").write_text("{}")
    assert find_earlier(workspace.evals, record, suite, "gain-write") is None


def test_only_the_base_is_held_for_another_way_of_asking_the_base(tmp_path: Path) -> None:
    row = {"task": "t", "ability": "a", "item_id": "1", "cluster": "", "score": 1.0}
    models = ("base", "base, few-shot", "on my base, few-shot")
    rows = [{**row, "model": model, "prompt_tokens": 3} for model in models]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "samples.parquet")
    found = _answers(tmp_path / "samples.parquet", "a")
    assert {name: len(answers) for name, answers in found.items()} == {"few-shot": 1}
