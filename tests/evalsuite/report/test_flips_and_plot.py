"""Which answers are shown, and where the marks of the forest plot lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.gate import judge
from evalsuite.report.axis import LEFT, RIGHT
from evalsuite.report.diff import word_diff
from evalsuite.report.document import ComparisonRecord
from evalsuite.report.flips import Samples
from evalsuite.report.frontier import frontier
from evalsuite.report.plot import forests
from evalsuite.verdict import AbilityResult, PairedAbility


def stored(path: Path, rows: list[tuple[str, str, str, float]]) -> Samples:
    """Write rows of (ability, item, model, score)."""
    table = [
        {
            "task": ability,
            "ability": ability,
            "item_id": item,
            "model": model,
            "score": score,
            "prompt": f"ask {item}",
            "gold": None,
            "output": f"{model} says {item}",
        }
        for ability, item, model, score in rows
    ]
    pq.write_table(pa.Table.from_pylist(table), path / "samples.parquet")
    return Samples(path / "samples.parquet")


def test_items_are_paired_by_id_and_not_by_position(tmp_path: Path) -> None:
    samples = stored(
        tmp_path,
        [
            ("a", "1", "base", 1.0),
            ("a", "2", "base", 0.0),
            ("a", "2", "tuned", 1.0),
            ("a", "1", "tuned", 0.0),
            ("a", "3", "tuned", 0.0),
        ],
    )
    found = samples.flips("base", "tuned", ["a"])
    assert (found.lost, found.gained, found.hidden) == (1, 1, 0)
    assert [(flip.kind, flip.item_id) for flip in found.shown] == [("lost", "1"), ("gained", "2")]
    assert found.shown[0].tuned_output == "tuned says 1"
    assert found.shown[0].gold == ""


def test_equal_item_ids_of_two_tasks_are_two_items(tmp_path: Path) -> None:
    rows = [(task, "1", model, 1.0) for task in "ab" for model in ("base", "tuned")]
    rows[1] = ("a", "1", "tuned", 0.0)
    found = stored(tmp_path, rows).flips("base", "tuned", ["a", "b"])
    assert (found.lost, found.gained) == (1, 0)


def test_a_loud_ability_does_not_crowd_out_a_quiet_one(tmp_path: Path) -> None:
    rows = [("loud", str(i), m, float(m == "base")) for i in range(50) for m in ("base", "tuned")]
    rows += [("quiet", str(i), m, float(m == "base")) for i in range(3) for m in ("base", "tuned")]
    found = stored(tmp_path, rows).flips("base", "tuned", ["loud", "quiet"], most_lost=8)
    assert [flip.ability for flip in found.shown] == ["loud"] * 5 + ["quiet"] * 3
    assert (found.lost, found.hidden) == (53, 45)


def test_the_largest_losses_come_first_where_scores_are_not_binary(tmp_path: Path) -> None:
    rows = [("a", str(i), "base", 0.9) for i in range(5)]
    rows += [("a", str(i), "tuned", 0.8 - 0.1 * i) for i in range(5)]
    found = stored(tmp_path, rows).flips("base", "tuned", ["a"], most_lost=2)
    assert [flip.item_id for flip in found.shown] == ["4", "3"]


def results() -> tuple[AbilityResult, ...]:
    ids = [str(index) for index in range(500)]
    kept = [1.0] * 480 + [0.0] * 20
    return judge(
        [
            PairedAbility("goal", "target", [0.0] * 500, kept, ids, min_gain=0.05),
            PairedAbility("kept", "retention", kept, [1.0] * 470 + [0.0] * 30, ids),
            PairedAbility("lost", "retention", kept, [1.0] * 200 + [0.0] * 300, ids),
            PairedAbility("apart", "retention", kept, kept, ids, held_back=True),
            PairedAbility("broken", "retention", state="error"),
        ]
    ).abilities


def test_marks_lie_in_order_on_an_axis_that_retention_groups_share() -> None:
    goal, kept, apart = forests(results())
    assert [forest.rows[0].ability.name for forest in (goal, kept, apart)] == [
        "goal",
        "kept",
        "apart",
    ]
    assert kept.zero == apart.zero
    assert kept.ticks == apart.ticks
    for forest in (goal, kept, apart):
        places = [tick.at for tick in forest.ticks]
        assert places == sorted(places)
        assert any(tick.label == "0" and tick.at == forest.zero for tick in forest.ticks)
        for row in forest.rows:
            if row.low is not None and row.centre is not None and row.high is not None:
                assert LEFT <= row.low <= row.centre <= row.high <= RIGHT
    assert kept.rows[0].threshold < kept.zero
    assert goal.rows[0].threshold > goal.zero


def test_what_was_not_measured_has_a_row_without_a_mark() -> None:
    row = next(row for row in forests(results())[1].rows if row.ability.name == "broken")
    assert row.centre is None
    assert row.needs_words


def test_nothing_to_plot_is_no_plot() -> None:
    assert forests(()) == []


def test_an_axis_of_missing_abilities_only_can_still_be_drawn() -> None:
    verdict = judge([PairedAbility("x", "retention", state="not_run", margin=0.0)])
    (forest,) = forests(verdict.abilities)
    assert forest.zero == pytest.approx(50, abs=1)


def test_tasks_of_two_suites_that_are_called_alike_are_told_apart(tmp_path: Path) -> None:
    rows = [
        {
            "task": "sums", "ability": f"{suite}/sums", "item_id": "1", "model": model,
            "score": float(suite == "b" or model == "base"),
            "prompt": "ask", "gold": None, "output": model,
        }
        for suite in "ab"
        for model in ("base", "tuned")
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "samples.parquet")
    found = Samples(tmp_path / "samples.parquet").flips("base", "tuned", ["a/sums", "b/sums"])
    assert [(flip.ability, flip.kind) for flip in found.shown] == [("a/sums", "lost")]


def test_the_words_that_differ_are_marked_and_whole_answers_are_kept() -> None:
    left, right = word_diff("the team is billing, high", "the team is support, high")
    assert [piece.text for piece in left if piece.differs] == ["billing"]
    assert [piece.text for piece in right if piece.differs] == ["support"]
    assert "".join(piece.text for piece in right) == "the team is support, high"
    assert [piece.differs for side in word_diff("", "x") for piece in side] == [False, False]
    assert [piece.differs for piece in word_diff("83", '{"team": 1}')[0]] == [False]
    long = "a b " * 400
    assert [piece.differs for piece in word_diff(long, long + "c")[1]] == [False]
    assert "\x1b" not in "".join(piece.text for piece in word_diff("\x1b[31m a", "b")[0])


def test_models_that_no_other_beats_are_told_on_the_frontier() -> None:
    def compared(name: str, gained: int, lost: int) -> ComparisonRecord:
        ids = [str(number) for number in range(600)]
        right, wrong = [1.0] * 600, [0.0] * 600
        target = PairedAbility("t", "target", wrong, [1.0] * gained + [0.0] * (600 - gained), ids)
        kept = PairedAbility("k", "retention", right, [0.0] * lost + [1.0] * (600 - lost), ids)
        return ComparisonRecord(base="base", tuned=name, verdict=judge([target, kept]))

    rows = [compared("gentle", 300, 0), compared("harsh", 540, 300), compared("poor", 240, 60)]
    found = frontier(rows)
    assert found is not None
    assert [point.is_best for point in found.points] == [True, True, False]
    gentle, harsh, _ = found.points
    assert harsh.x > gentle.x > found.zero_x and harsh.y > gentle.y == found.zero_y
    assert (harsh.gain, harsh.worst, harsh.ability) == (0.9, -0.5, "k")
    assert frontier(rows[:1]) is None
