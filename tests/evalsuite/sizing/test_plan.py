"""Which items are asked when: fixed by clusters, never by answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.engine.pairing import abilities_of
from evalsuite.sizing.draw import drawn, said_of_draw
from evalsuite.sizing.plan import narrowed, positions, schedules
from evalsuite.sizing.section import SizingSection
from evalsuite.tasks import LoadedSuite, load_suite
from workspace.errors import RecipeError

SUITE = """\
schema_version: 1
name: kept
purpose: retention
min_items: 40
tasks:
  - {name: sums, kind: generation, data: rows.jsonl, prompt: "{{ q }}", gold: "{{ a }}",
     scorer: exact, cluster: topic, margin: 0.1}
  - {name: words, ability: words, kind: generation, data: rows.jsonl, prompt: "{{ q }}",
     gold: "{{ a }}", scorer: exact, alpha: 0.01, min_items: 20}
  - {name: more, ability: words, kind: generation, data: rows.jsonl, prompt: "say {{ q }}",
     gold: "{{ a }}", scorer: exact, alpha: 0.01, min_items: 20}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., LoadedSuite]:
    def make(text: str = SUITE, count: int = 100) -> LoadedSuite:
        rows = [
            {"id": f"r{n}", "q": f"q{n}", "a": "x", "topic": f"t{n // 3}"} for n in range(count)
        ]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "kept.yaml").write_text(text)
        return load_suite(tmp_path / "kept.yaml")

    return make


def test_looks_begin_with_min_items_and_keep_clusters_whole(
    suite: Callable[..., LoadedSuite],
) -> None:
    loaded = suite()
    found = schedules([loaded], SizingSection())
    assert set(found) == {"sums", "words"}
    sums = found["sums"]
    assert len(sums.sizes) == 3 and sums.sizes[-1] == 100
    assert 40 <= sums.sizes[0] <= 42 and 70 <= sums.sizes[1] <= 72
    assert sum(sums.levels) == pytest.approx(0.05)
    for look in (1, 2):
        seen = {place for _, place in sums.seen(look)}
        clusters = [{3 * c, 3 * c + 1, 3 * c + 2} & set(range(100)) for c in range(34)]
        assert all(one <= seen or not one & seen for one in clusters)
    assert sorted(sums.added(1) + sums.added(2) + sums.added(3)) == sorted(sums.places)
    assert sums.added(4) == ()
    words = found["words"]
    assert words.sizes == (20, 110, 200)
    assert sum(words.levels) == pytest.approx(0.01)
    assert {task for task, _ in words.seen(1)} == {"words", "more"}


def test_the_first_is_never_below_min_items_and_batches_can_be_given(
    suite: Callable[..., LoadedSuite],
) -> None:
    loaded = suite()
    found = schedules([loaded], SizingSection(first=20, batch=25))
    assert found["sums"].sizes[0] >= 40
    assert found["words"].sizes == (20, 45, 70, 95, 120, 145, 170, 195, 200)
    assert schedules([loaded], SizingSection(first=500))["sums"].levels == (0.05,)
    other = schedules([loaded], SizingSection(seed=1))
    assert other["sums"].places != schedules([loaded], SizingSection())["sums"].places


def test_narrowed_suites_have_the_items_chosen_and_no_empty_task(
    suite: Callable[..., LoadedSuite],
) -> None:
    loaded = suite()
    (left,) = narrowed([loaded], positions([("kept", ("more", 7)), ("kept", ("more", 2))]))
    assert [task.spec.name for task in left.tasks] == ["more"]
    assert [item.id for item in left.tasks[0].items] == ["r2", "r7"]
    assert narrowed([loaded], {}) == ()


def test_terms_are_the_tasks_else_the_suites(suite: Callable[..., LoadedSuite]) -> None:
    sums, words = abilities_of([suite()])
    assert (sums.terms.margin, sums.terms.alpha, sums.terms.min_items) == (0.1, 0.05, 40)
    assert (words.terms.margin, words.terms.alpha, words.terms.min_items) == (0.05, 0.01, 20)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("alpha: 0.01, min_items: 20}\n  - {name: more", "min_items: 20}\n  - {name: more",
         "one alpha for all tasks of ability words, not 0.01 and 0.05"),
        ("margin: 0.1", "min_gain: 0.1", "no min_gain in task sums"),
    ],
)  # fmt: skip
def test_terms_that_disagree_are_refused(
    suite: Callable[..., LoadedSuite], old: str, new: str, told: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        suite(SUITE.replace(old, new))
    assert told in "".join(str(one) for one in caught.value.problems)


def test_a_part_is_drawn_by_a_hash_in_whole_clusters_and_said(
    suite: Callable[..., LoadedSuite],
) -> None:
    loaded = suite()
    assert drawn([loaded], None, 0) == (loaded,) and not said_of_draw([loaded])
    (part,) = drawn([loaded], 20, 0)
    assert drawn([suite()], 20, 0)[0].digest == part.digest != loaded.digest
    assert drawn([loaded], 20, 1)[0].digest != part.digest
    sums, words, _ = part.tasks
    assert len(words.items) == 20 and 20 <= len(sums.items) <= 22
    clusters = {item.cluster for item in sums.items}
    assert list(sums.items) == [i for i in loaded.tasks[0].items if i.cluster in clusters]
    (note,) = said_of_draw([part])
    assert note.startswith("kept: a part of the items is asked") and "words 20 of 100" in note
    assert drawn([loaded], 100, 0) == (loaded,)
