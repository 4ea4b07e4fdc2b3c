"""Runs tuned one after another: the published example, its intervals, and a real evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from evalsuite.engine.questions import Sample
from evalsuite.engine.unmeasured import Unmeasured
from evalsuite.report import read_results
from evalsuite.report.markdown_sequence import render_sequence
from evalsuite.run import run_evaluation
from evalsuite.sequence import _band, sequence_of
from evalsuite.tasks import LoadedSuite, load_suite
from evalsuite.verdict import PairedAbility
from tests.evalsuite.test_run import Bench, Watcher
from tests.evalsuite.test_run import bench as bench  # a fixture
from workspace.errors import UsageError

SCORES = {"base": (5, 7, 5), "one": (16, 8, 6), "two": (14, 17, 7), "three": (12, 16, 18)}
"""Of 20 right answers: the example of `test_forgetting`, as items."""


@pytest.fixture
def suites(tmp_path: Path) -> list[LoadedSuite]:
    (tmp_path / "items.jsonl").write_text(
        "".join(json.dumps({"id": str(y), "q": f"{y}?", "a": "b"}) + "\n" for y in range(20))
    )
    tasks = "".join(
        f"  - {{name: {name}, kind: generation, data: items.jsonl, prompt: '{{{{ q }}}}', "
        "gold: '{{ a }}', scorer: {kind: exact}}\n"
        for name in ("first", "second", "third")
    )
    (tmp_path / "suite.yaml").write_text(
        f"schema_version: 1\nname: gain\npurpose: target\nmin_items: 2\ntasks:\n{tasks}"
    )
    return [load_suite(tmp_path / "suite.yaml")]


def answers(name: str) -> dict[tuple[str, str], list[Sample]]:
    return {
        ("gain", task): [
            Sample(
                task,
                task,
                str(y),
                str(y),
                name,
                "",
                "",
                "",
                float(y < right),
                "",
                0.0,
                1,
                1,
                0.0,
                False,
            )
            for y in range(20)
        ]
        for task, right in zip(("first", "second", "third"), SCORES[name], strict=True)
    }


def test_the_published_example(suites: list[LoadedSuite]) -> None:
    samples = {name: answers(name) for name in SCORES}
    found, why = sequence_of(suites, ["one", "two", "three"], samples, {}, "base")
    assert found is not None and why == ""
    assert found.accuracy == pytest.approx(0.766667, abs=1e-6)
    assert found.backward.value == pytest.approx(-0.125)
    assert found.forward.value == pytest.approx(0.075)
    assert found.forgetting == pytest.approx(0.125)
    # By hand: 4 of 20 and 1 of 20 items were lost; the variances of the two means add.
    errors = [(share * (1 - share) / 19) ** 0.5 for share in (4 / 20, 1 / 20)]
    total = sum(error**2 for error in errors)
    freedom = total**2 / sum(error**4 / 19 for error in errors)
    half = stats.t.isf(0.025, freedom) * total**0.5 / 2
    assert found.backward.low == pytest.approx(-0.125 - half)
    assert found.backward.high == pytest.approx(-0.125 + half)
    said = "\n".join(render_sequence(found))
    assert "| `one` | `80.0\u202f%` |" in said or "80.0" in said
    assert "later runs took from earlier tasks" in said
    assert "no difference is shown" in said  # of the head start


def test_a_mean_of_shares_has_no_limit_beyond_one() -> None:
    base, tuned = [0.0] * 4, [1.0, 1.0, 1.0, 0.9]
    pair = PairedAbility("x", "target", base, tuned, list("abcd"))
    assert _band(0.975, [pair]).high == 1
    rewards = replace(pair, tuned=[10 * one for one in tuned])
    assert (_band(9.75, [rewards]).high or 0) > 10


def test_a_task_without_answers_leaves_no_figure(suites: list[LoadedSuite]) -> None:
    samples = {name: answers(name) for name in SCORES}
    del samples["two"]["gain", "third"]
    missing = {"two": {("gain", "third"): Unmeasured("error", "the disk was full")}}
    found, why = sequence_of(suites, ["one", "two", "three"], samples, missing, "base")
    assert found is None
    assert why == "no figures of the sequence: two on third: task third: the disk was full"


def test_two_adapters_as_a_sequence(
    bench: Bench, adapter_maker: Callable[..., Path], tiny_model: Path, tiny_adapter: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    gain = replace(bench.suites[0], tasks=bench.suites[0].tasks[:2])  # the third has no bounds
    bench = replace(bench, suites=[gain, *bench.suites[1:]])
    other = adapter_maker(tiny_model, tmp_path / "other")
    request = replace(
        bench.request(bench.subject(tiny_adapter), bench.subject(other)), sequence=True
    )
    result = run_evaluation(request, bench.workspace, Watcher())
    found = read_results(result.directory).sequence
    assert found is not None
    assert (found.runs, found.tasks) == (["adapter", "other"], ["gain-write", "gain-choose"])
    scores = {
        (one.tuned, ability.name): ability.tuned
        for one in result.results.comparisons
        for ability in one.verdict.abilities
    }
    assert found.scores == [[scores[run, task] for task in found.tasks] for run in found.runs]
    assert "One run after another" in (result.directory / "report.html").read_text()
    with pytest.raises(UsageError, match="one target ability for each") as refused:
        replace(request, subjects=request.subjects[:1]).check()
    assert "1 runs and 2 target abilities: gain-write, gain-choose" in refused.value.cause
