"""Vectors that were computed once: on disk, found by embedder and text, safe to delete.

A shard is two files: `NAME.vectors.npy` and, written last, `NAME.keys.npy`; NAME is a digest of the
keys. A key is the SHA-256 of a text. Shards are never changed; what cannot be read is ignored and
computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.embedding.room import vectors_directory
from curate.steps.selection.vectors import SCALE
from evalsuite.embedding import Embedder
from workspace.files import atomic_path
from workspace.layout import Workspace

Keys = NDArray[np.bytes_]
"""Shape (texts,), 32 bytes each as hexadecimal digits of half a SHA-256."""
_KEY = np.dtype("S32")


@dataclass
class VectorCache:
    """The vectors of one embedder."""

    directory: Path
    dimensions: int
    _shards: list[NDArray[np.int16]] = field(default_factory=list)
    _keys: Keys = field(default_factory=lambda: np.empty(0, _KEY))
    """Ascending."""
    _shard: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    _place: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def open(cls, workspace: Workspace, embedder: Embedder) -> VectorCache:
        """Return what is known of this embedder's vectors."""
        named = hashlib.sha256(f"{embedder.digest}\n{SCALE}\n".encode()).hexdigest()[:32]
        cache = cls(vectors_directory(workspace) / named, embedder.dimensions)
        for place in (cache.directory.parents[1], cache.directory.parent, cache.directory):
            workspace.make(place)
        found = filter(None, map(cache._read, sorted(cache.directory.glob("*.keys.npy"))))
        cache._enter(list(found))
        return cache

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """Return the number of each key's vector for `take`, -1 where it is not known."""
        if not self._keys.size:
            return np.full(keys.size, -1, np.int64)
        near = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
        return np.where(self._keys[near] == keys, near, -1)

    def take(self, numbers: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return known vectors, shape (numbers, dimensions)."""
        out = np.empty((numbers.size, self.dimensions), np.int16)
        for shard in np.unique(self._shard[numbers]):
            mine = np.flatnonzero(self._shard[numbers] == shard)
            out[mine] = self._shards[shard][self._place[numbers[mine]]]
        return out

    def add(self, keys: Keys, vectors: NDArray[np.int16]) -> None:
        """Keep the vectors of texts that were not known; the same key may not be there twice."""
        name = hashlib.sha256(keys.tobytes()).hexdigest()[:32]
        for part, values in (("vectors", vectors), ("keys", keys)):
            path = self.directory / f"{name}.{part}.npy"
            with atomic_path(path, private=True) as temporary, temporary.open("wb") as stream:
                np.save(stream, values, allow_pickle=False)
        self._enter([(keys, vectors)])

    def _read(self, file: Path) -> tuple[Keys, NDArray[np.int16]] | None:
        try:
            keys = np.load(file, allow_pickle=False)
            name = file.name.replace(".keys.", ".vectors.")
            vectors = np.load(file.with_name(name), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = keys.dtype == _KEY and vectors.dtype == np.int16
        whole = whole and vectors.shape == (keys.size, self.dimensions)
        return (keys, vectors) if whole else None

    def _enter(self, shards: list[tuple[Keys, NDArray[np.int16]]]) -> None:
        if not shards:
            return
        many = [keys.size for keys, _ in shards]
        number = np.repeat(np.arange(len(shards), dtype=np.int32) + len(self._shards), many)
        keys = np.concatenate([keys for keys, _ in shards])
        place = np.concatenate([np.arange(count) for count in many])
        order = np.argsort(keys, kind="stable")
        before = np.searchsorted(self._keys, keys[order])
        self._keys = np.insert(self._keys, before, keys[order])
        self._shard = np.insert(self._shard, before, number[order])
        self._place = np.insert(self._place, before, place[order])
        self._shards += [vectors for _, vectors in shards]


def keys_of(digests: Sequence[str]) -> Keys:
    """Return keys from hexadecimal digests."""
    return np.array(digests, _KEY)
