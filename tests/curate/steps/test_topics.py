"""Topics: clusters that hold, names that tell, and steps that go by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate as package
from curate.embedding.kmeans import spherical_kmeans
from curate.embedding.naming import topic_names
from curate.frame import ROW
from curate.recipe import CurateSection
from curate.steps.selection.vectors import Vectors, whole_numbers
from workspace.errors import DataError, UsageError

SUBJECTS = {
    "card": "my card was lost can you block the card",
    "moon": "the moon turns around the planet each month",
    "bread": "bread needs flour yeast water and an oven",
}


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Vectors are kept below the current directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workspace"))
        yield


def subject_rows(sizes: tuple[int, int, int] = (40, 30, 20)) -> list[dict[str, str]]:
    rng = np.random.default_rng(0)
    rows = []
    for (subject, said), size in zip(SUBJECTS.items(), sizes, strict=True):
        for number in range(size):
            words = rng.permutation(said.split())[:6]
            rows.append({"id": f"{subject}{number}", "text": f"{subject} {' '.join(words)}"})
    return [rows[place] for place in rng.permutation(len(rows))]


def subject_frame() -> pl.DataFrame:
    return pl.DataFrame(subject_rows())


@pytest.mark.parametrize("embedder", ["lexical", "static"])
def test_rows_of_one_subject_have_one_topic_with_its_words(
    embedder: str, static_folder: Path
) -> None:
    frame = subject_frame()
    if embedder == "static":
        known = {"card": "red blue car", "moon": "river moon tax", "bread": "song wheel engine"}
        said = [f"{known[row.rstrip('0123456789')]} {row[-1]}" for row in frame["id"]]
        frame = frame.with_columns(pl.Series("text", said))
    name = embedder if embedder == "lexical" else str(static_folder)
    outcome = package.topics(frame, 3, embedder=name)
    kept = outcome.kept.select("id", "topic").collect()
    subject = kept["id"].str.replace(r"\d+$", "")
    pairs = Counter(zip(subject, kept["topic"], strict=True))
    assert sorted(pairs.values(), reverse=True) == [40, 30, 20]
    if embedder == "lexical":
        assert all(subject in topic.split() for subject, topic in pairs)
    assert outcome.dropped.is_empty()
    assert outcome.marked
    assert "3 topics by" in outcome.notes[-1]
    assert kept["id"].to_list() == frame["id"].to_list()


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=30),
    count=st.integers(1, 8),
    seed=st.integers(-5, 2**70),
)
def test_any_rows_get_at_most_so_many_topics(texts: list[str], count: int, seed: int) -> None:
    frame = pl.DataFrame({"text": texts})
    outcome = package.topics(frame, count, seed=seed)
    kept = outcome.kept.collect()
    assert kept[ROW].to_list() == list(range(len(texts)))
    assert kept["text"].to_list() == texts
    names = kept["topic"].drop_nulls().unique()
    assert len(names) <= count
    for text, topic in zip(texts, kept["topic"], strict=True):
        assert (topic is None) == (not text)
    assert not any("\x1b" in note for note in outcome.notes)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 80), count=st.integers(1, 12), seed=st.integers(0, 1000))
def test_every_row_is_nearest_to_the_mean_of_its_cluster(rows: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 5))
    values[rng.random(rows) < 0.1] = 0
    vectors = Vectors(whole_numbers(values))
    found = spherical_kmeans(vectors, count, seed=seed)
    zero = ~vectors.values.any(axis=1)
    assert ((found.of == -1) == zero).all()
    assert found.sizes.tolist() == np.bincount(found.of[~zero], minlength=0).tolist()
    assert sorted(found.sizes.tolist(), reverse=True) == found.sizes.tolist()
    assert found.sizes.size <= count
    if not zero.all():
        means = np.stack(
            [vectors.values[found.of == n].sum(axis=0) for n in range(len(found.sizes))]
        )
        lengths = np.linalg.norm(means, axis=1)
        assert (lengths > 0).all()
        cosines = vectors.values[~zero] @ (means / lengths[:, None]).T
        cosines /= np.linalg.norm(vectors.values[~zero], axis=1)[:, None]
        own = cosines[np.arange(len(cosines)), found.of[~zero]]
        assert own.mean() == pytest.approx(found.cohesion, abs=0.02)
        assert (own >= cosines.max(axis=1) - 0.15).all()


def test_clusters_are_found_again_and_do_not_depend_on_threads() -> None:
    import threadpoolctl

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(7, 24))
    values = centres[rng.integers(7, size=20_000)] + 0.3 * rng.normal(size=(20_000, 24))
    vectors = Vectors(whole_numbers(values))
    found = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads):
            found.append(spherical_kmeans(vectors, 7, seed=1))
    assert np.array_equal(found[0].of, found[1].of)
    assert found[0].sizes.size == 7
    assert found[0].cohesion > 0.9


def test_names_are_the_words_that_tell_topics_apart() -> None:
    texts = pl.Series(["the card is lost", "the card is gone", "the moon is up", "the moon is far"])
    names = topic_names([texts], np.array([0, 0, 1, 1]), 2, words_each=1)
    assert names == ["card", "moon"]
    same = topic_names([texts], np.array([0, 1, 0, 1]), 2, words_each=2)
    assert len(set(same)) == 2
    bare = topic_names([pl.Series(["1 2", "3"])], np.array([0, 1]), 2)
    assert bare == ["without words", "without words 2"]
    hostile = pl.Series(["\x1b[31m red[/] <b>", "\x1b[31m red[/] <b>"])
    assert topic_names([hostile], np.array([0, 0]), 1) == ["red"]


def test_topics_are_published_and_read_again(curate: Any, lines: Any) -> None:
    lines(subject_rows())
    section = {
        "sources": ["rows.jsonl"],
        "steps": [{"topics": {"count": 3}}],
        "split": {"validation": 9, "test": 9, "stratify": "topic", "similarity": 1.0},
    }
    result = curate(section)
    assert any("3 topics by lexical vectors" in note for note in result.notes)
    parts = {name: pl.read_parquet(result.path / f"{name}.parquet") for name in ("train", "test")}
    topics = {name: Counter(part["meta"].struct.field("topic")) for name, part in parts.items()}
    assert sorted(topics["test"].values()) == [2, 3, 4]
    assert set(topics["train"]) == set(topics["test"])
    again = package.read(result.path / "train.parquet")
    read = again.frame.select("topic").collect()["topic"].to_list()
    assert read == parts["train"]["meta"].struct.field("topic").to_list()
    assert again.ledger.sources[0]["ignored_columns"] == {}


def test_topics_outlive_steps_that_change_and_make_rows(curate: Any, lines: Any) -> None:
    rows = subject_rows()
    rows[0]["text"] += " donâ€™t"
    lines(rows)
    steps = [
        {"topics": {"count": 3}},
        "repair",
        {"balance": {"by": "topic", "upsample": "max", "count": "rows"}},
    ]
    result = curate({"sources": ["rows.jsonl"], "steps": steps})
    kept = pl.read_parquet(result.path / "train.parquet")
    counts = Counter(kept["meta"].struct.field("topic"))
    assert sorted(counts.values()) == [40, 40, 40]
    assert result.ledger.total("repair").kept.rows == 90


def test_balance_can_find_topics_by_itself() -> None:
    outcome = package.balance(subject_frame(), "topic", topics={"count": 3}, cap=25, count="rows")
    subject = outcome.kept.collect()["id"].str.replace(r"\d+$", "")
    assert sorted(Counter(subject).values()) == [20, 25, 25]
    assert any("→" in note for note in outcome.notes)


def test_going_by_topics_that_nobody_found_is_refused(curate: Any, lines: Any) -> None:
    with pytest.raises(DataError, match="Put the step `topics` before"):
        package.balance(subject_frame(), "topic", cap=5)
    with pytest.raises(UsageError, match="topics without `by: topic`"):
        package.balance(subject_frame(), "source", topics={"count": 3}, cap=5)
    lines(subject_rows())
    section = {"sources": ["rows.jsonl"], "split": {"test": 5, "stratify": "topic"}}
    with pytest.raises(DataError, match="no row has a topic"):
        curate(section)


def test_fewer_different_rows_than_topics_are_told() -> None:
    outcome = package.topics(pl.DataFrame({"text": ["red car", "red car", "moon"]}), 20)
    assert outcome.kept.collect()["topic"].n_unique() == 2
    assert outcome.notes[-1].startswith("20 topics were asked for")
    one = package.topics(pl.DataFrame({"text": ["red car"]}), 5)
    assert one.kept.collect()["topic"].null_count() == 0
    none = package.topics(pl.DataFrame({"text": ["", ""]}), 5)
    assert none.kept.collect()["topic"].null_count() == 2


def test_the_schema_takes_a_bare_step() -> None:
    section = CurateSection.model_validate({"sources": ["a"], "steps": ["topics"]})
    assert section.steps[0].model_dump()["topics"]["embedder"] == "lexical"
