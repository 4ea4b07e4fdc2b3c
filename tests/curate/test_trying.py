"""Other settings of a step, tried on a published dataset."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curate.judging import Judged, fitted, near_pairs
from curate.trying import open_trial, steps_of, with_number
from tests.tui.data_rows import write_workspace
from workspace.errors import DataError, UsageError
from workspace.files import read_json
from workspace.layout import Workspace


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_workspace(tmp_path_factory.mktemp("trying"))


def test_the_settings_as_they_are_drop_what_the_ledger_says(dataset: Path) -> None:
    ledger = {one["step"]: one for one in read_json(dataset / "ledger.json", kind="x")["steps"]}
    steps = steps_of(dataset)
    assert [*steps] == ["exact_duplicates", "near_duplicates", "filter"]
    for name in steps:
        trial = open_trial(dataset, name, Workspace(dataset.parents[2]))
        tried = trial.tried(trial.step.settings)
        assert trial.rows == trial.of == ledger[name]["in"]["rows"]
        assert tried.kept == ledger[name]["kept"]["rows"]
        assert sum(tried.dropped.values()) == trial.rows - tried.kept


def test_another_threshold_drops_more_or_fewer_rows(dataset: Path) -> None:
    trial = open_trial(dataset, "near_duplicates", Workspace(dataset.parents[2]))
    assert trial.step.numbers() == {"threshold": 0.8}
    kept = []
    for threshold in (0.6, 0.8, 0.99):
        kept.append(trial.tried(with_number(trial.step.settings, "threshold", threshold)).kept)
    assert kept == sorted(kept)
    assert kept[-1] == trial.rows
    with pytest.raises(UsageError):
        trial.tried(with_number(trial.step.settings, "threshold", 7))


def test_a_sample_has_a_row_and_what_it_repeats_or_neither(dataset: Path) -> None:
    trial = open_trial(dataset, "exact_duplicates", Workspace(dataset.parents[2]), most=25)
    assert trial.rows < trial.of == 52
    ids = set(trial.context.ids)
    assert all(one.removesuffix("-1") in ids for one in ids)


def test_a_step_that_is_not_in_the_recipe_is_told(dataset: Path) -> None:
    with pytest.raises(DataError, match="no such step"):
        open_trial(dataset, "normalise", Workspace(dataset.parents[2]))


def test_the_pairs_nearest_to_the_threshold_come_first_and_say_what_goes(dataset: Path) -> None:
    trial = open_trial(dataset, "near_duplicates", Workspace(dataset.parents[2]))
    pairs = near_pairs(trial)
    distances = [abs(pair.similarity - 0.8) for pair in pairs]
    assert distances == sorted(distances)
    gone = pl.read_parquet(dataset / "dropped.parquet")
    dropped = gone.filter(pl.col("step") == "near_duplicates")
    assert {pair.row for pair in pairs if pair.is_dropped} == {*dropped["id"]}
    assert {pair.partner for pair in pairs if pair.is_dropped} == {*dropped["duplicate_of"]}
    assert all("answer" in pair.row_text and pair.row_text != pair.partner_text for pair in pairs)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], 0.8),
        ([(0.9, True), (0.7, False)], 0.8),
        ([(0.85, False), (0.95, True)], 0.9),
        ([(0.75, True)], 0.745),
        ([(0.85, False), (0.84, False), (0.9, True), (0.86, True)], 0.855),
    ],
)
def test_the_threshold_that_breaks_the_fewest_judgements_is_proposed(said, expected) -> None:
    assert fitted([Judged(*one) for one in said], 0.8) == pytest.approx(expected)
