"""What a line over time says of its points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evalsuite.history.timeline import Line, Point, read_history
from tests.evalsuite.report.conftest import evaluation as evaluation  # a fixture
from workspace.files import read_json, write_json


def point(score: float, n: int, suite: str = "a") -> Point:
    return Point("e", "", score, None, None, None, n, "pass", suite)


def test_a_change_is_told_between_points_of_as_many_items_of_one_suite() -> None:
    points = (point(0.1, 24), point(0.2, 10), point(0.3, 24, "b"), point(0.5, 24))
    assert Line("m", "base", "x", "retention", True, points).change == 0.4
    assert Line("m", "base", "x", "retention", True, points[:2]).change is None


def test_other_weights_under_the_name_of_the_base_are_another_line(
    evaluation: Callable[..., Path], tmp_path: Path
) -> None:
    document = read_json(evaluation() / "results.json", kind="evaluation result")
    for name, digest in (("one", "ab" * 32), ("two", "cd" * 32)):
        document["models"][0] |= {"path": f"runs/{name}", "digest": digest}
        (tmp_path / "evals" / name).mkdir(parents=True)
        write_json(tmp_path / "evals" / name / "results.json", document)
    found = read_history(tmp_path / "evals", model="naive", ability="dates").lines
    assert [one.base for one in found] == [
        "runs/one (sha256 abababababab)",
        "runs/two (sha256 cdcdcdcdcdcd)",
    ]
    assert all(len(one.points) == 1 for one in found)
