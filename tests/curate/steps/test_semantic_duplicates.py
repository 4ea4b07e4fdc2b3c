"""Rows of one meaning: what brute force finds, what is told, and what is never dropped."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import curate as package
from curate.embedding.background import background
from curate.embedding.greedy import greedy_near
from curate.frame import ROW
from curate.steps.selection.vectors import Vectors, whole_numbers
from workspace.errors import LimitExceeded, ModelError, UsageError


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Vectors are kept below the current directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workspace"))
        yield


def frame_of(texts: list[str], **columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"text": texts, "id": [f"r{n}" for n in range(len(texts))], **columns})


def chat(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    turns = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        for asked, said in pairs
    ]
    return pl.DataFrame({"messages": turns, "id": [f"r{n}" for n in range(len(pairs))]})


def clustered(rows: int, seed: int, spread: float = 0.15, dimensions: int = 16) -> Vectors:
    """Return vectors in clumps, with copies and zeros among them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(rows // 6, 1), dimensions))
    values = centres[rng.integers(len(centres), size=rows)]
    values = values + spread * rng.normal(size=values.shape)
    values[rng.random(rows) < 0.03] = 0
    copies = rng.random(rows) < 0.1
    values[copies] = values[rng.integers(rows, size=int(copies.sum()))]
    return Vectors(whole_numbers(values))


def brute_force(
    vectors: Vectors, rank: NDArray[np.int64], threshold: float, apart: NDArray[np.uint64]
) -> dict[int, tuple[int, float]]:
    """Return dropped row → the nearest kept row and the cosine, one row at a time."""
    every = vectors.values.astype(np.float64)
    lengths = np.linalg.norm(every, axis=1)
    kept: list[int] = []
    gone = {}
    for row in np.argsort(rank).tolist():
        near = [
            (float(every[row] @ every[other] / (lengths[row] * lengths[other])), other)
            for other in kept
            if lengths[row] and lengths[other] and apart[row] == apart[other]
        ]
        best = max((value for value, _ in near), default=-1.0)
        if best >= threshold:
            gone[row] = (next(other for value, other in near if value == best), best)
        else:
            kept.append(row)
    return gone


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    threshold=st.sampled_from([0.5, 0.9, 0.97, 1.0]),
    groups=st.integers(1, 3),
    block=st.sampled_from([1, 7, 1024]),
)
def test_what_is_dropped_is_what_brute_force_drops(
    rows: int, seed: int, threshold: float, groups: int, block: int
) -> None:
    from curate.embedding import greedy

    vectors = clustered(rows, seed)
    rng = np.random.default_rng(seed)
    rank = rng.permutation(rows)
    apart = rng.integers(groups, size=rows).astype(np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy, "_BLOCK", block)
        near = greedy_near(vectors, rank, threshold - 1e-9, apart)
    gone = brute_force(vectors, rank, threshold - 1e-9, apart)
    assert set(np.flatnonzero(near.partner >= 0).tolist()) == set(gone)
    for row, (_, best) in gone.items():
        assert near.cosine[row] == pytest.approx(best, abs=1e-6)
        partner = int(near.partner[row])
        assert near.partner[partner] == -1  # only a kept row is worth dropping for
        assert rank[partner] < rank[row]
        assert apart[partner] == apart[row]
    assert near.indexed_rows == 0


def test_an_index_finds_what_comparing_all_finds() -> None:
    vectors = clustered(6_000, 3, spread=0.05, dimensions=32)
    rank, apart = np.random.default_rng(1).permutation(6_000), np.zeros(6_000, np.uint64)
    exact = greedy_near(vectors, rank, 0.97, apart)
    asked = greedy_near(vectors, rank, 0.97, apart, exact_rows=1_000)
    again = greedy_near(vectors, rank, 0.97, apart, exact_rows=1_000)
    assert np.array_equal(asked.partner, again.partner)
    assert asked.indexed_rows > 5_000
    gone, found = exact.partner >= 0, asked.partner >= 0
    assert gone.sum() > 2_000
    assert (found & gone).sum() / gone.sum() > 0.999  # recall
    partner = asked.partner[found]
    assert (asked.partner[partner] == -1).all()
    wide = vectors.values.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    true = (wide[found] * wide[partner]).sum(axis=1) / (lengths[found] * lengths[partner])
    assert np.abs(asked.cosine[found] - true).max() < 1e-9
    assert true.min() >= 0.97


def test_many_equal_rows_leave_one_whichever_way_they_are_compared() -> None:
    values = np.tile(whole_numbers(np.array([[1.0, 2.0, 3.0]])), (20_000, 1))
    apart = np.zeros(20_000, np.uint64)
    for exact_rows in (50_000, 10):
        near = greedy_near(Vectors(values), np.arange(20_000), 0.99, apart, exact_rows=exact_rows)
        assert near.partner[0] == -1
        assert (near.partner[1:] == 0).all()


def test_synonyms_are_one_row_for_an_embedder(static_folder: Path) -> None:
    frame = frame_of(
        ["how can i repair my car", "how can i mend my automobile", "the moon and the river"]
    )
    outcome = package.semantic_duplicates(frame, str(static_folder), threshold=0.97)
    assert outcome.dropped[ROW].to_list() == [1]
    assert outcome.dropped["reason"].to_list() == ["semantic_duplicate"]
    assert outcome.dropped["duplicate_of"].to_list() == ["r0"]
    (detail,) = outcome.dropped["detail"]
    assert detail.startswith("cosine 0.9")
    assert ">= 0.97 to r0, by vectors of" in detail
    words = package.semantic_duplicates(frame, "lexical", threshold=0.97)
    assert words.dropped.is_empty()


def test_lexical_drops_are_not_called_semantic() -> None:
    frame = frame_of(["a b c d e f g h", "b a c d e f g h", "something else"])
    outcome = package.semantic_duplicates(frame, "lexical", threshold=0.99)
    assert outcome.dropped["reason"].to_list() == ["lexical_duplicate"]
    told = " ".join([*outcome.notes, *outcome.dropped["detail"]])
    assert "lexical" in told
    assert "semantic" not in told


@pytest.mark.parametrize("texts", [("2 red car", "3 red car"), ("to start", "not to start")])
def test_numbers_and_negations_keep_rows_apart(static_folder: Path, texts: tuple[str, str]) -> None:
    frame = frame_of([*texts])
    guarded = package.semantic_duplicates(frame, str(static_folder), threshold=0.3)
    assert guarded.dropped.is_empty()
    bare = package.semantic_duplicates(frame, str(static_folder), threshold=0.3, same_numbers=False)
    assert bare.dropped[ROW].to_list() == [1]


def test_labels_keep_rows_apart_unless_prompts_alone_are_compared(static_folder: Path) -> None:
    frame = chat([("buy a big car", "red"), ("purchase a large car", "blue")])
    whole = package.semantic_duplicates(frame, str(static_folder), threshold=0.5)
    assert whole.dropped.is_empty()
    prompts = package.semantic_duplicates(frame, str(static_folder), threshold=0.9, text="prompt")
    assert prompts.dropped[ROW].to_list() == [1]


def test_the_longer_answer_stays_as_with_near_duplicates(static_folder: Path) -> None:
    words = "the tax of the song is a bread to the engine how can i do the"
    frame = chat([("buy a big car", words), ("purchase a large car", f"{words} wheel")])
    settings = {"threshold": 0.9, "embedder": str(static_folder)}
    assert package.semantic_duplicates(frame, **settings).dropped[ROW].to_list() == [0]
    first = package.semantic_duplicates(frame, **settings, keep="first")
    assert first.dropped[ROW].to_list() == [1]


def test_a_threshold_among_random_pairs_is_warned_of(static_folder: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.array(
        [
            "the",
            "a",
            "my",
            "how",
            "can",
            "red",
            "blue",
            "river",
            "moon",
            "tax",
            "bread",
            "song",
            "engine",
            "wheel",
        ]
    )
    frame = frame_of([" ".join(rng.choice(words, 40)) for _ in range(200)])
    loose = package.semantic_duplicates(frame, str(static_folder), threshold=0.6)
    assert any("random pairs have a cosine of" in note for note in loose.notes)
    assert any(note.startswith("WARNING: the threshold 0.6 is below") for note in loose.notes)
    strict = package.semantic_duplicates(frame, str(static_folder), threshold=1.0)
    assert not any(note.startswith("WARNING") for note in strict.notes)


def test_random_pairs_have_the_cosines_of_all_pairs() -> None:
    vectors = clustered(300, 5, spread=0.6)
    found = background(vectors)
    assert found is not None
    wide = vectors.values[(vectors.values != 0).any(axis=1)].astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    every = (wide @ wide.T)[np.triu_indices(len(wide), 1)]
    for mine, percent in ((found.median, 50), (found.p99, 99), (found.p999, 99.9)):
        assert mine == pytest.approx(np.percentile(every, percent), abs=0.02)
    assert background(Vectors(np.zeros((5, 3), np.int16))) is None
    assert background(Vectors(np.zeros((0, 3), np.int16))) is None


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["buy a car", "purchase a car", "\x1b[31mred", "<b>moon</b> [bold]", "  "]),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(texts, min_size=1, max_size=12), semantic=st.booleans())
def test_rows_balance_and_keep_their_order(
    static_folder: Path, rows: list[str], semantic: bool
) -> None:
    embedder = str(static_folder) if semantic else "lexical"
    outcome = package.semantic_duplicates(frame_of(rows), embedder, threshold=0.9)
    kept = outcome.kept.select(ROW).collect()[ROW].to_list()
    assert kept == sorted(kept)
    assert sorted(kept + outcome.dropped[ROW].to_list()) == list(range(len(rows)))
    ids = {f"r{row}" for row in kept}
    assert set(outcome.dropped["duplicate_of"]) <= ids
    assert not any("\x1b" in text for text in [*outcome.notes, *outcome.dropped["detail"]])


def test_kto_labels_keep_rows_apart(static_folder: Path) -> None:
    turn = [{"role": "user", "content": "buy a car"}]
    said = [{"role": "assistant", "content": "the red wheel"}]
    frame = pl.DataFrame(
        {"prompt": [turn] * 3, "completion": [said] * 3, "label": [True, False, True]}
    )
    outcome = package.semantic_duplicates(frame, str(static_folder))
    assert outcome.dropped[ROW].to_list() == [2]


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    frame = frame_of(["a", "b"])
    with pytest.raises(ModelError, match="no such folder"):
        package.semantic_duplicates(frame, str(tmp_path / "nothing"))
    with pytest.raises(UsageError):
        package.semantic_duplicates(frame, "lexical", threshold=1.5)
    with pytest.raises(UsageError):
        package.step(frame, "semantic_duplicates")


def test_the_circuit_breaker_watches_this_step_too(
    curate: Any, lines: Any, static_folder: Path
) -> None:
    lines([{"text": f"{'buy' if n % 2 else 'purchase'} a big car"} for n in range(200)])
    step = {"semantic_duplicates": {"embedder": str(static_folder), "threshold": 0.9}}
    with pytest.raises(LimitExceeded, match="semantic_duplicates would drop 199 of 200"):
        curate({"sources": ["rows.jsonl"], "steps": [step]})


def test_one_question_to_two_images_is_two_rows(tmp_path: Path) -> None:
    lines = []
    for colour in ("red", "blue", "red"):
        stream = io.BytesIO()
        Image.new("RGB", (6, 4), colour).save(stream, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
        asked = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "what shape is shown in this picture"},
        ]
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "a square"}]
        lines.append(json.dumps({"messages": turns}))
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    frame = package.read(tmp_path / "rows.jsonl").frame
    outcome = package.semantic_duplicates(frame, "lexical", threshold=0.3, same_numbers=False)
    assert outcome.dropped[ROW].to_list() == [2]


def test_outside_a_workspace_nothing_is_kept_in_the_directory(
    static_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = frame_of(["how can i repair my car", "the moon and the river"])
    package.semantic_duplicates(frame, str(static_folder))
    assert not any(tmp_path.iterdir())
    (tmp_path / "temper.yaml").write_text("name: mine\n")
    package.semantic_duplicates(frame, str(static_folder))
    assert any((tmp_path / "cache" / "vectors").rglob("*.npy"))
