"""Which abilities are asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalsuite.canaries import Noise
from evalsuite.engine import measure as measuring
from evalsuite.engine.measured import Measured
from evalsuite.engine.pairing import Samples
from evalsuite.engine.putting import Put
from evalsuite.engine.questions import Sample
from evalsuite.tasks import LoadedSuite, load_suite
from evalsuite.triage.cases import Again, lost_abilities
from evalsuite.triage.phase import Triage
from evalsuite.triage.section import TriageSection
from workspace.errors import EvaluationInvalid, WorkError


@pytest.fixture
def suite(tmp_path: Path, suite_writer: Callable[..., list[Path]]) -> LoadedSuite:
    return load_suite(suite_writer(tmp_path, 30)[1])


def _answers(suite: LoadedSuite, score: float, without: str = "") -> Samples:
    return {
        (suite.spec.name, task.spec.name): [
            Sample(
                task.spec.name, task.spec.measures, item.id, "", "", "", "", "", score,
                "", 0.0, 1, 1, 0.0, False,
            )
            for item in task.items
        ]
        for task in suite.tasks
        if task.spec.name != without
    }  # fmt: skip


def _phase(suite: LoadedSuite, out: Measured, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what is given to the phase that asks again."""
    given: dict[str, Any] = {}

    class Phase:
        def __init__(self, section: Any, suites: Any, *rest: Any) -> None:
            given["suites"] = suites

        def run(self, subjects: Mapping[str, Any], *rest: Any) -> list[Any]:
            given["checks"] = rest[1]
            return []

    monkeypatch.setattr(measuring, "Triage", Phase)
    inquiries = [
        SimpleNamespace(key=(suite.spec.name, task.spec.name), task=task) for task in suite.tasks
    ]
    measured: Any = object.__new__(measuring._Measuring)
    measured.__dict__.update(
        out=out, inquiries=inquiries, asker=None, limits=None, placement=None, pad_id=0,
        request=SimpleNamespace(suites=[suite], settings=SimpleNamespace(triage=None)),
    )  # fmt: skip
    measured._triage(dict.fromkeys(name for name in out.samples if name != "base"))
    return given


def test_what_one_model_could_not_answer_is_still_asked_of_the_others(
    suite: LoadedSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, broken = _answers(suite, 1.0), _answers(suite, 0.0, without="keep-write")
    models = {"broken": broken, "forgetful": _answers(suite, 0.0)}
    given = _phase(suite, Measured(samples={"base": base, **models}), monkeypatch)
    lost = lost_abilities(given["suites"], base, models, given["checks"])
    assert {one.tuned for one in lost if one.ability == "keep-write"} == {"forgetful"}
    assert {one.tuned for one in lost} == {"broken", "forgetful"}


def test_nothing_is_asked_again_where_the_base_does_not_agree_with_itself(
    suite: LoadedSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = {"base": _answers(suite, 1.0), "tuned": _answers(suite, 0.0)}
    noise = Noise(60, 60, 0.0, 60, 0.02)
    given = _phase(suite, Measured(samples=samples, noise=noise), monkeypatch)
    tuned = {"tuned": samples["tuned"]}
    assert lost_abilities(given["suites"], samples["base"], tuned, given["checks"]) == []


def test_a_lost_perplexity_has_no_other_way_and_loads_no_model(suite: LoadedSuite) -> None:
    tuned = {"tuned": _answers(suite, -3.0)}
    lost = lost_abilities([suite], _answers(suite, -1.0), tuned, {"tuned": []})
    tasks = [task for one in lost for _, task in one.tasks]
    assert tasks and all(task.spec.kind != "perplexity" for task in tasks)
    assert any(task.spec.kind == "perplexity" for task in suite.tasks)


def test_what_cannot_be_asked_again_has_no_record_and_a_note(suite: LoadedSuite) -> None:
    notes: list[str] = []
    nothing: Any = None
    phase = Triage(
        TriageSection(items=20), (suite,), nothing, nothing, nothing, 0, nothing,
        lambda subject: nothing, lambda model, task: None, notes.append,
    )  # fmt: skip

    class Fails(Again):
        def put(self, *given: Any) -> None:
            raise WorkError("one item alone does not fit in memory")

    (one, *_) = lost_abilities(
        [suite], _answers(suite, 1.0), {"m": _answers(suite, 0.0)}, {"m": []}
    )
    (_, task), *_ = one.tasks
    again = {(suite.spec.name, task.spec.name): Fails(suite, task, (), (), ())}
    phase._put(nothing, "base", None, list(again.values()))
    assert not phase._is_answered(one, again, "base")
    assert notes == [
        "keep-write was not asked again in other ways: base: one item alone does not fit in memory"
    ]


def test_a_benchmark_that_fails_is_missing_and_after_nan_none_is_asked(
    suite: LoadedSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: Any = object.__new__(measuring._Measuring)
    measured.benchmarks = [(suite, task) for task in suite.tasks]
    said = iter([WorkError("no memory"), EvaluationInvalid("the model gave NaN", where="item 3")])

    def ask(*given: Any) -> list[Sample]:
        raise next(said)

    monkeypatch.setattr(measured, "_benchmark", ask, raising=False)
    found = Put()
    measured._put_benchmarks(None, "m", found)
    states = [one.state for one in found.missing.values()]
    assert states == ["error", "error", "not_run"]
    (failed,) = found.canaries
    assert failed.status == "fail" and "m gave NaN in task keep-choose (item 3)" in failed.detail
