"""Subsets: exactly N, as the definitions say, the same every time."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import curate as package
from curate.frame import ROW
from curate.steps.selection import facility
from curate.steps.selection.facility import facility_location, similarities, value_of
from curate.steps.selection.farthest import farthest_first
from curate.steps.selection.vectors import SCALE, Vectors, whole_numbers
from workspace.errors import DataError, UsageError


def frame_of(texts: list[str], **columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"text": texts, "id": [f"r{n}" for n in range(len(texts))], **columns})


def random_vectors(rows: int, dimensions: int = 6, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    return Vectors(whole_numbers(rng.normal(size=(rows, dimensions))))


def distances(vectors: Vectors) -> NDArray[np.float64]:
    every = vectors.values.astype(np.float64)
    return np.asarray(((every[:, None] - every[None]) ** 2).sum(axis=2))


def plain_greedy(
    vectors: Vectors, count: int, first: int, bonus: NDArray[np.float64], share: float
) -> list[int]:
    gaps = distances(vectors) / (2 * SCALE**2)
    chosen = [first]
    while len(chosen) < count:
        scores = bonus + share * gaps[:, chosen].min(axis=1)
        scores[chosen] = -np.inf
        chosen.append(int(np.argmax(scores)))
    return chosen


METHODS = ("facility_location", "k_centre", "mmr")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=30),
    st.integers(1, 35),
    st.sampled_from(METHODS),
)
def test_exactly_n_of_any_rows_are_kept_in_their_order(
    texts: list[str], count: int, method: str
) -> None:
    frame = frame_of(texts, quality=[float(len(text)) for text in texts])
    outcome = package.select(frame, count, method=method)
    kept = outcome.kept.select(ROW).collect()[ROW].to_list()
    assert len(kept) == min(count, len(texts))
    assert kept == sorted(set(kept))
    assert sorted(kept + outcome.dropped[ROW].to_list()) == list(range(len(texts)))
    assert set(outcome.dropped["reason"]) <= {"not_selected"}
    again = package.select(frame, count, method=method)
    assert again.kept.collect().equals(outcome.kept.collect())


def test_a_share_may_be_asked_for_and_more_than_there_is_keeps_all() -> None:
    texts = [f"row number {n}" for n in range(20)]
    assert package.select(frame_of(texts), "25%").kept.collect().height == 5
    outcome = package.select(frame_of(texts), 50)
    assert outcome.dropped.is_empty()
    assert outcome.notes == ("20 rows are there, 50 were asked for: all are kept.",)
    with pytest.raises(UsageError):
        package.select(frame_of(texts), 1.5)


def test_a_dropped_row_names_the_chosen_row_nearest_to_it() -> None:
    texts = ["the cat sat on a mat", "the cat sat on the mat", "prime numbers never end"]
    outcome = package.select(frame_of(texts), 2, method="k_centre")
    assert outcome.dropped.height == 1
    kept = set(outcome.kept.collect()["id"])
    assert "r2" in kept
    partner = (kept - {"r2"}).pop()
    assert f"the nearest of them is {partner}, similarity 0." in outcome.dropped["detail"][0]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 1000), st.integers(1, 8))
def test_k_centre_equals_the_plain_greedy_algorithm_whatever_the_pool(
    rows: int, count: int, seed: int, pool: int
) -> None:
    vectors = random_vectors(rows, 3, seed)
    values = vectors.values.copy()
    values[rows // 2 :] = values[: rows - rows // 2]  # every row twice: ties must not matter
    vectors, count = Vectors(values), min(count, rows)
    found = farthest_first(vectors, count, pool=pool).tolist()
    assert found == plain_greedy(vectors, count, found[0], np.zeros(rows), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_k_centre_is_within_twice_the_best_radius(seed: int) -> None:
    vectors = random_vectors(10, 3, seed)
    gaps = np.sqrt(distances(vectors))
    radius = {
        chosen: gaps[:, list(chosen)].min(axis=1).max() for chosen in combinations(range(10), 3)
    }
    found = gaps[:, farthest_first(vectors, 3)].min(axis=1).max()
    assert found <= 2 * min(radius.values()) + 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_facility_location_is_within_its_bound_of_the_best_choice(seed: int) -> None:
    vectors = random_vectors(10, 4, seed)
    every = vectors.of(slice(None))
    near = similarities(every, every)
    best = max(near[list(c)].max(axis=0).sum() for c in combinations(range(10), 3))
    found = near[facility_location(vectors, 3)].max(axis=0).sum()
    assert found >= (1 - 1 / np.e) * best


@pytest.mark.parametrize("seed", range(4))
def test_lazy_facility_location_equals_the_plain_greedy_algorithm(seed: int) -> None:
    vectors = random_vectors(60, 5, seed)
    every = vectors.of(slice(None))
    near = similarities(every, every)
    covered, chosen = np.zeros(60), []
    for _ in range(12):
        gains = np.maximum(near, covered).sum(axis=1)
        gains[chosen] = -1
        chosen.append(int(np.argmax(gains)))
        covered = np.maximum(covered, near[chosen[-1]])
    assert facility_location(vectors, 12).tolist() == chosen


@pytest.mark.parametrize("count", [1, 7, 150, 400])
def test_many_rows_are_chosen_by_random_looks_and_still_beat_chance(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = random_vectors(400, 8)
    exact = value_of(vectors, facility_location(vectors, count))
    monkeypatch.setattr(facility, "EXACT_ROWS", 10)
    monkeypatch.setattr(facility, "SAMPLE_ROWS", 200)
    sampled = facility_location(vectors, count)
    monkeypatch.setattr(facility, "MATRIX_CELLS", 10)
    found = facility_location(vectors, count)
    assert np.array_equal(found, facility_location(vectors, count))
    for chosen in (sampled, found):
        assert np.unique(chosen).size == count
    rng = np.random.default_rng(0)
    chance = np.mean([value_of(vectors, rng.permutation(400)[:count]) for _ in range(20)])
    assert value_of(vectors, found) >= chance - 1e-9
    assert value_of(vectors, sampled) >= 0.9 * exact


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(0, 100), st.sampled_from([0.0, 0.3, 1.0]))
def test_mmr_weighs_quality_against_distance_as_defined(rows: int, seed: int, share: float) -> None:
    vectors = random_vectors(rows, 3, seed)
    bonus = share * np.random.default_rng(seed).random(rows)
    found = farthest_first(vectors, rows, bonus=bonus, distance_share=1 - share, pool=3).tolist()
    assert found == plain_greedy(vectors, rows, found[0], bonus, 1 - share)


def test_mmr_takes_the_best_and_skips_what_it_has() -> None:
    texts = ["apples are red", "apples are red!", "ships sail the sea", "stars burn far away"]
    frame = frame_of(texts, score=[9, 8, 3, 1])
    best = package.select(frame, 2, method="mmr", quality="score", quality_share=1.0)
    assert best.kept.collect()["id"].to_list() == ["r0", "r1"]
    both = package.select(frame, 2, method="mmr", quality="score", quality_share=0.5)
    assert both.kept.collect()["id"].to_list() == ["r0", "r2"]
    with pytest.raises(DataError, match="'quality'"):
        package.select(frame, 2, method="mmr")


def test_answer_length_is_a_quality_without_a_column() -> None:
    frame = pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": "ask"}]] * 3,
            "completion": [[{"role": "assistant", "content": "w " * n}] for n in (1, 9, 4)],
            "id": ["a", "b", "c"],
        }
    )
    outcome = package.select(frame, 1, method="mmr", quality="answer_length", quality_share=1.0)
    assert outcome.kept.collect()["id"].to_list() == ["b"]


def test_vectors_of_ones_own_take_the_place_of_words() -> None:
    frame = frame_of(["same"] * 4)
    own = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 5.0], [float("nan"), 0.0]])
    outcome = package.select(frame.head(3), 2, method="k_centre", vectors=own[:3])
    assert "r2" in set(outcome.kept.collect()["id"])
    assert outcome.notes[0].startswith("By your own vectors")
    package.select(frame, 2, vectors=own)
    with pytest.raises(DataError, match="one vector"):
        package.select(frame, 2, vectors=own[:3])


def test_products_are_whole_numbers_that_single_precision_holds() -> None:
    rng = np.random.default_rng(1)
    values = whole_numbers(rng.normal(size=(200, 512)) * 1e30)
    exact = values.astype(np.int64) @ values.astype(np.int64).T
    single = values.astype(np.float32) @ values.astype(np.float32).T
    assert np.array_equal(exact, single.astype(np.int64))
    assert np.abs(np.sqrt(np.diag(exact)) - SCALE).max() < 16


def test_an_embedder_of_a_folder_takes_the_place_of_words(
    static_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = ["how can i repair my car", "how can i mend my automobile", "the moon and the river"]
    frame = pl.DataFrame({"text": texts, "id": ["a", "b", "c"]})
    outcome = package.select(frame, 2, method="k_centre", vectors=str(static_folder))
    # Of two that mean the same one is enough, though they share few words.
    assert outcome.dropped.height == 1
    assert outcome.dropped[ROW][0] in (0, 1)
    assert any("vectors of" in note for note in outcome.notes)
