"""More items for what is undecided, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalsuite.engine.measured import Measured
from evalsuite.engine.questions import Sample
from evalsuite.engine.unmeasured import Unmeasured
from evalsuite.sizing.looks import measure_in_looks
from evalsuite.sizing.section import SizingSection
from evalsuite.stats.paired import PairedCounts
from evalsuite.stats.paired_interval import tango_bound
from evalsuite.tasks import LoadedSuite, load_suite
from evalsuite.verdict import Canary, Verdict
from workspace.errors import ModelError

SUITE = """\
schema_version: 1
name: kept
purpose: retention
min_items: 200
tasks:
"""
TASK = (
    '  - {{name: {name}, kind: generation, data: rows.jsonl, prompt: "{{{{ q }}}}", '
    'gold: "x", scorer: exact}}\n'
)
ITEMS = 400


@pytest.fixture
def suite(tmp_path: Path) -> LoadedSuite:
    rows = [{"id": f"r{n}", "q": f"q{n}"} for n in range(ITEMS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = "".join(TASK.format(name=name) for name in ("same", "gone", "close"))
    (tmp_path / "kept.yaml").write_text(SUITE + tasks)
    return load_suite(tmp_path / "kept.yaml")


def score(task: str, item: str, model: str) -> float:
    """Every item of `gone` is lost, none of `same`; of `close` 8 % are lost and 5 % gained."""
    number = int(item[1:])
    if task == "gone" or (task == "close" and number % 12 == 0):
        return float(model == "base")
    if task == "close" and number % 20 == 1:
        return float(model == "tuned")
    return 1.0


class Asked:
    """Stands for the models: answers as `score` says, and keeps what it was asked."""

    def __init__(self, canary: str = "pass") -> None:
        self.calls: list[dict[str, int]] = []
        self.noise_items: list[int] = []
        self.triage_items: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.canary = canary

    def __call__(self, request: Any, evals: Path, watch: Any) -> Any:
        self.calls.append({t.spec.name: len(t.items) for s in request.suites for t in s.tasks})
        self.noise_items.append(request.settings.noise_items)
        self.triage_items.append(request.settings.triage.items)
        count = 2 * sum(self.calls[-1].values())
        watch.answered("tuned", "t", count, count)
        return Measured(
            notes=["one note"],
            samples={m: self.samples(request.suites, m) for m in ("base", "tuned")},
            canaries={"tuned": [Canary("active", self.canary)]},  # type: ignore[arg-type]
        )  # fmt: skip

    def samples(self, suites: Sequence[LoadedSuite], model: str) -> dict[Any, list[Sample]]:
        return {
            (suite.spec.name, task.spec.name): [
                Sample(
                    task.spec.name, "", item.id, "", model, "", "", "",
                    score(task.spec.name, item.id, model),
                    "", 0.0, 1, 1, 0.0, False,
                )
                for item in task.items
            ]
            for suite in suites
            for task in suite.tasks
        }  # fmt: skip


def looked(suite: LoadedSuite, asked: Asked, **fields: Any) -> tuple[Any, Verdict]:
    from evalsuite.engine.request import EvalRequest

    subject: Any = SimpleNamespace(name="tuned", digest="d")
    base: Any = SimpleNamespace()
    request = EvalRequest("t", base, (subject,), (suite,))
    watch = SimpleNamespace(
        doing=lambda what: None,
        answered=lambda model, task, done, total: asked.told.append((done, total)),
    )
    section = SizingSection(**fields)
    measured, verdicts = measure_in_looks(request, Path(), watch, asked, section)  # type: ignore[arg-type]
    return measured, verdicts["tuned"]


def test_only_the_undecided_ability_is_asked_more(suite: LoadedSuite) -> None:
    asked = Asked()
    measured, verdict = looked(suite, asked)
    assert asked.calls == [
        {"same": 200, "gone": 200, "close": 200},
        {"close": 100},
        {"close": 100},
    ]
    assert asked.noise_items == [64, 0, 0]
    assert asked.triage_items == [0, 0, 0]  # a look's own items at full alpha are no verdict
    assert any("not asked again" in note for note in measured.notes)
    assert asked.told == [(1200, 1200), (1400, 1400), (1600, 1600)]
    by_name = {one.name: one for one in verdict.abilities}
    assert [(one.verdict, one.n, one.looks) for one in by_name.values()] == [
        ("pass", 200, 1),
        ("fail", 200, 1),
        ("inconclusive", 400, 3),
    ]
    assert by_name["close"].pass_alpha == pytest.approx(0.05 * (1 - 0.75**2))
    assert "on 400 items, look 3" in by_name["close"].sentence
    assert verdict.status == "fail"
    rows = measured.samples["tuned"]["kept", "close"]
    assert [row.item_id for row in rows] == [f"r{n}" for n in range(ITEMS)]
    assert len(measured.samples["base"]["kept", "same"]) == 200
    assert measured.notes.count("one note") == 1
    assert "look 2: 100 items of close asked; 1 undecided that more items may decide" in (
        measured.notes
    )


def test_each_look_is_judged_at_its_own_level(suite: LoadedSuite) -> None:
    _, verdict = looked(suite, Asked())
    close = {one.name: one for one in verdict.abilities}["close"]
    lost, gained = close.negative_flips, close.positive_flips
    counts = PairedCounts(close.n - lost - gained, lost, gained, 0)
    assert (close.looks, close.alpha) == (3, 0.05)
    assert close.pass_alpha == pytest.approx(0.05 * (1 - 0.75**2))
    bound = tango_bound(counts, close.pass_alpha, side="lower")
    assert close.lower_bound == pytest.approx(bound)
    assert bound < tango_bound(counts, 0.05, side="lower")


def test_a_failed_canary_ends_the_asking_and_withdraws_every_number(suite: LoadedSuite) -> None:
    asked = Asked(canary="fail")
    _, verdict = looked(suite, asked)
    assert len(asked.calls) == 1
    assert verdict.status == "invalid"
    assert all(one.difference is None for one in verdict.abilities)


class Gap(Asked):
    """Cannot be asked `gone`, and only half of the items of `close`."""

    def __call__(self, request: Any, evals: Path, watch: Any) -> Any:
        found = super().__call__(request, evals, watch)
        for model, samples in found.samples.items():
            samples.pop(("kept", "gone"), None)
            rows = samples.get(("kept", "close"), [])
            rows[:] = [row for row in rows if int(row.item_id[1:]) % 2]
            found.missing[model] = {("kept", "gone"): Unmeasured("error", "the template failed")}
        return found


def test_what_cannot_be_measured_is_an_error_at_the_first_look_and_not_asked_again(
    suite: LoadedSuite,
) -> None:
    asked = Gap()
    _, verdict = looked(suite, asked)
    by_name = {one.name: one for one in verdict.abilities}
    assert (by_name["gone"].verdict, by_name["gone"].state) == ("not measured", "error")
    assert "the template failed" in by_name["gone"].sentence
    assert by_name["same"].verdict == "pass" and verdict.status != "pass"
    assert all("gone" not in call for call in asked.calls[1:])
    assert by_name["close"].n <= ITEMS // 2


class FailsLater(Asked):
    """The tuned model fails at `close` from the second look on."""

    def __call__(self, request: Any, evals: Path, watch: Any) -> Any:
        found = super().__call__(request, evals, watch)
        if len(self.calls) > 1:
            del found.samples["tuned"]["kept", "close"]
            found.missing["tuned"] = {("kept", "close"): Unmeasured("error", "no memory")}
        return found


def test_what_fails_at_a_later_look_is_an_error_of_its_ability_alone(suite: LoadedSuite) -> None:
    measured, verdict = looked(suite, FailsLater())
    by_name = {one.name: one for one in verdict.abilities}
    assert (by_name["close"].verdict, by_name["close"].state) == ("not measured", "error")
    assert "no memory" in by_name["close"].sentence
    assert (by_name["same"].verdict, by_name["gone"].verdict) == ("pass", "fail")
    assert ("kept", "close") not in measured.samples["tuned"]


class TooLong(Asked):
    """No item that a later look adds fits the model."""

    def __call__(self, request: Any, evals: Path, watch: Any) -> Any:
        if self.calls:
            raise ModelError("there is nothing to ask this model", cause="All are too long.")
        return super().__call__(request, evals, watch)


def test_a_look_of_which_no_item_fits_the_model_leaves_what_was_answered(
    suite: LoadedSuite,
) -> None:
    measured, verdict = looked(suite, TooLong())
    close = {one.name: one for one in verdict.abilities}["close"]
    assert (close.verdict, close.n) == ("inconclusive", 200)
    assert any("nothing that a look adds can be asked" in note for note in measured.notes)
