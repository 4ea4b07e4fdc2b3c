"""Vectors of rows: computed once, found again, bounded in memory."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.api.frames import prepared
from curate.embedding import rows as module
from curate.embedding.cache import VectorCache, keys_of
from curate.embedding.room import room_for
from curate.embedding.rows import embedded
from curate.steps.base import StepContext
from curate.steps.selection.vectors import SCALE, whole_numbers
from evalsuite.embedding import Floats, open_embedder
from workspace.errors import Stopped
from workspace.layout import Workspace


class Counting:
    """An embedder that remembers what it was asked for."""

    name, digest, semantic, dimensions, max_tokens = "counting", "d1", True, 4, None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return np.array([[len(text), 1, 0, 0] for text in texts], np.float32)


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr(module, "open_embedder", lambda name, base: counting)
    return counting


def context_of(texts: list[str], root: Path) -> StepContext:
    frame = pl.DataFrame({"_row": range(len(texts)), "text": texts, "id": map(str, texts)})
    return StepContext(frame.lazy(), "text", Workspace(root), root)


def test_each_different_text_is_embedded_once_and_never_again(
    embedder: Counting, tmp_path: Path
) -> None:
    texts = ["a", "bb", "a", "ccc", "bb"]
    first = embedded(np.arange(5), "some", "whole", context_of(texts, tmp_path))
    assert sorted(embedder.asked) == ["a", "bb", "ccc"]
    wanted = whole_numbers(np.array([[len(text), 1, 0, 0] for text in texts], np.float64))
    assert np.array_equal(first.vectors.values, wanted)
    again = embedded(
        np.array([0, 2, 4]), "some", "whole", context_of(["ccc", "x", "bb", "y", "dddd"], tmp_path)
    )
    assert embedder.asked[3:] == ["dddd"]
    assert again.vectors.values[:, 0].tolist() == [wanted[3, 0], wanted[1, 0], 993]
    embedder.digest = "d2"
    embedded(np.arange(1), "some", "whole", context_of(["a"], tmp_path))
    assert embedder.asked[4:] == ["a"]


def test_the_cache_is_private_and_may_be_deleted_or_damaged(
    embedder: Counting, tmp_path: Path
) -> None:
    embedded(np.arange(2), "some", "whole", context_of(["a", "bb"], tmp_path))
    cache = tmp_path / "cache"
    for place in (cache, cache / "vectors", *(cache / "vectors").iterdir()):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    files = sorted((cache / "vectors").glob("*/*.npy"))
    assert [file.name.split(".", 1)[1] for file in files] == ["keys.npy", "vectors.npy"]
    for file in files:
        whole = file.read_bytes()
        for bad in (b"", whole[:-3], b"nonsense" * 20):
            file.write_bytes(bad)
            embedder.asked.clear()
            found = embedded(np.arange(2), "some", "whole", context_of(["a", "bb"], tmp_path))
            assert (found.vectors.norms() > 0).all()
            assert embedder.asked == ["a", "bb"]
        for written in (cache / "vectors").glob("*/*.npy"):
            written.unlink()
        embedded(np.arange(2), "some", "whole", context_of(["a", "bb"], tmp_path))


def test_a_stop_loses_only_what_was_not_written(
    embedder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    monkeypatch.setattr(module, "_SHARD_SECONDS", 0.0)
    texts = ["x" * n for n in range(1, 8)]
    context = context_of(texts, tmp_path)
    looks = iter([None, None, Stopped(15)])

    def check() -> None:
        if (error := next(looks)) is not None:
            raise error

    context.check_stop = check
    with pytest.raises(Stopped):
        embedded(np.arange(7), "some", "whole", context)
    assert embedder.asked == texts[:4]
    found = embedded(np.arange(7), "some", "whole", context_of(texts, tmp_path))
    assert embedder.asked == texts
    assert (found.vectors.norms() > 0).all()


def test_progress_is_told(embedder: Counting, tmp_path: Path) -> None:
    said: list[str] = []
    context = context_of(["a", "b", "a"], tmp_path)
    context.tell = said.append
    embedded(np.arange(3), "some", "whole", context)
    assert said[-1] == "embedding with counting: 3 of 3 rows"


def test_keys_of_many_shards_are_found(tmp_path: Path) -> None:
    cache = VectorCache.open(Workspace(tmp_path), Counting())
    rng = np.random.default_rng(0)
    digests = [f"{number:032x}" for number in rng.permutation(300).tolist()]
    vectors = rng.integers(-SCALE, SCALE, size=(300, 4)).astype(np.int16)
    for begin in range(0, 300, 100):
        some = slice(begin, begin + 100)
        cache.add(keys_of(digests[some]), vectors[some])
    for known in (cache, VectorCache.open(Workspace(tmp_path), Counting())):
        assert np.array_equal(known.take(known.find(keys_of(digests))), vectors)
        assert known.find(keys_of(["f" * 32, "0" * 31 + "z"])).tolist() == [-1, -1]


def test_what_is_embedded_is_the_part_asked_for(embedder: Counting, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "say"}]
    frame = prepared(pl.DataFrame({"messages": [turns]}))[1]
    context = StepContext(frame, "messages", Workspace(tmp_path), tmp_path)
    for text in ("whole", "prompt", "answer"):
        embedded(np.arange(1), "some", text, context)
    assert embedder.asked == ["ask\n\nsay", "ask", "say"]


def test_large_vectors_lie_in_a_file_without_a_name(tmp_path: Path) -> None:
    few = room_for(10, 4, tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    many = room_for(1 << 20, 64, tmp_path / "a" / "b")
    assert isinstance(many, np.memmap)
    assert few.shape == (10, 4)
    assert many.shape == (1 << 20, 64)
    assert not many[-1].any()
    many[-1] = 7
    assert many[-1].sum() == 7 * 64
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_vectors_of_a_folder_are_those_of_its_embedder(
    static_folder: Path, transformer_folder: Path, tmp_path: Path
) -> None:
    texts = ["buy a car", "", "river " * 50]
    for folder in (static_folder, transformer_folder):
        found = embedded(np.arange(3), str(folder), "whole", context_of(texts, tmp_path))
        true = open_embedder(str(folder), tmp_path).encode(texts)
        assert np.abs(found.vectors.values / SCALE - true).max() <= 0.5 / SCALE + 1e-6
        assert found.notes[0].startswith("1 row has nothing that")
    assert found.notes[1].endswith("reads the first 24 tokens of a text.")
