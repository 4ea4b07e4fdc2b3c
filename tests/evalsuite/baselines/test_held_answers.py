"""What of a stored evaluation is held against a model, on samples made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.baselines.against import Against, answered, held_against, keyed, left_out
from evalsuite.deciding import remarks
from evalsuite.engine.measured import Measured
from evalsuite.engine.pairing import ability_names, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import EvalRequest
from evalsuite.engine.unmeasured import Unmeasured
from evalsuite.report import Results
from evalsuite.run import suite_record
from evalsuite.sizing.section import SizingSection
from evalsuite.tasks import LoadedSuite, load_suite
from workspace.errors import UsageError

SAMPLE = Sample("", "", "", "", "base", "", "", "", 1.0, "", 0.0, 1, 1, 0.0, False)


@pytest.fixture
def suites(tmp_path: Path, suite_writer: Callable[..., list[Path]]) -> list[LoadedSuite]:
    return [load_suite(path) for path in suite_writer(tmp_path)]


def answers(suites: Sequence[LoadedSuite], *, without: str = "") -> list[Sample]:
    names = ability_names(suites)
    return [
        replace(SAMPLE, task=task.spec.name, ability=names[suite.spec.name, task.spec.name],
                item_id=item.id, prompt=item.id)
        for suite in suites
        for task in suite.tasks
        if task.spec.name != without
        for item in task.items
    ]  # fmt: skip


def stored(suites: Sequence[LoadedSuite], samples: Sequence[Sample]) -> Against:
    results = Results.model_validate(
        {"id": "old", "created": "", "models": [], "comparisons": [],
         "suites": [suite_record(suite) for suite in suites]}
    )  # fmt: skip
    return Against("baseline old", Path("old"), results, "base", tuple(samples))


def test_a_task_without_samples_is_not_measured(suites: list[LoadedSuite]) -> None:
    gone = suites[0].tasks[0].spec.name
    found = keyed(answers(suites, without=gone), suites)
    states = {one.name: one.state for one in pair_abilities(suites, found, found)}
    assert states.pop(suites[0].tasks[0].spec.measures) == "not_run"
    assert set(states.values()) == {"measured"}


def test_a_stored_evaluation_that_lacks_a_task_is_refused(suites: list[LoadedSuite]) -> None:
    gone = suites[0].tasks[0].spec.name
    lacking = stored(suites, answers(suites, without=gone))
    with pytest.raises(UsageError, match="did not answer every task") as caught:
        answered(lacking, suites)
    assert gone in caught.value.cause
    assert answered(lacking, suites, lambda task: task.spec.name != gone)


def test_answers_are_found_though_fewer_suites_share_an_ability_now(
    suites: list[LoadedSuite],
) -> None:
    one, other = suites
    tasks = tuple(
        replace(task, spec=task.spec.model_copy(update={"ability": one.tasks[0].spec.measures}))
        for task in other.tasks[:1]
    )
    both = [one, replace(other, tasks=tasks)]
    samples = answers(both)
    assert any("/" in sample.ability for sample in samples)
    places = answered(stored(both, samples), [one])
    assert [len(found) for found in places.values()] == [len(task.items) for task in one.tasks]


def test_items_too_long_for_the_model_are_left_out_of_both(suites: list[LoadedSuite]) -> None:
    old = stored(suites, answers(suites))
    now = keyed(answers(suites), suites)
    (short, *_, gone) = now
    now[short] = now[short][1:]
    del now[gone]
    missing = {gone: Unmeasured("incompatible", "all items are too long")}
    verdict = held_against(old, suites, "new", now, (), missing).verdict
    by_name = {one.name: one for one in verdict.abilities}
    names = ability_names(suites)
    assert by_name[names[short]].n == len(now[short])
    assert "all items are too long" in by_name[names[gone]].sentence
    (note,) = left_out(old, suites, "new", {**now, gone: keyed(old.samples, suites)[gone]})
    assert note.startswith(f"{short[1]}: 1 of 24 items that baseline old answered were not put")


def test_sizing_that_does_not_apply_is_said(suites: list[LoadedSuite]) -> None:
    old = stored(suites, answers(suites))
    asked = EvalRequest(
        name="x",
        base=None,  # type: ignore[arg-type]  # not looked at
        subjects=(),
        suites=tuple(suites),
        against=old,
        alone=True,
    )
    settings = asked.settings.model_copy(update={"sizing": SizingSection()})
    measured = Measured(samples={"base": keyed(answers(suites), suites)})
    request = replace(asked, settings=settings)
    (note,) = remarks(request, asked, measured)
    assert note == "sizing: with --against models are asked all items at once"
    assert not [*remarks(asked, asked, measured)]
