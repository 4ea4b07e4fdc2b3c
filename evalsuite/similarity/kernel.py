"""The inner loops of near-duplicate search in C, where the installation could compile them.

`kernel.c` gives bit for bit what numpy gives, several times faster; without it nothing but the time
is different. The library is named by a digest of its source, so that an outdated one is not found.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

T = TypeVar("T")
R = TypeVar("R")
Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]

Tables = Sequence[tuple[Hashes, Counts]]
"""Hashes and offsets of two tables, whose rows are taken one after the other."""

SOURCE = Path(__file__).with_name("kernel.c")
LONGEST = 16
"""Longest token, in bytes, that the kernel hashes itself."""


def library_path(source: Path = SOURCE) -> Path:
    """Return where the library compiled from this source is, or would be."""
    digest = hashlib.blake2b(source.read_bytes(), digest_size=6).hexdigest()
    return source.with_name(f"kernel-{digest}.so")


@cache
def library() -> Any:
    """Return the compiled kernel, or None where there is none for this machine."""
    if sys.byteorder != "little":
        return None
    try:
        found = ctypes.CDLL(str(library_path()))
    except OSError:  # never compiled, or for another machine
        return None
    found.scan.restype = ctypes.c_int64
    found.scan.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    found.row_hashes.restype = None
    found.row_hashes.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    ]
    found.only_symbols.restype = None
    found.only_symbols.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p),
    ]
    found.band_keys.restype = None
    found.band_keys.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64),
    ]
    found.distinct.restype = None
    found.distinct.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    found.shared.restype = None
    found.shared.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_uint64),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return found


def in_threads(work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """Return what `work` makes of each job, in their order, on as many threads as polars has.

    It pays for work that spends its time outside Python: in the kernel, in numpy, in polars.
    """
    threads = min(pl.thread_pool_size(), len(jobs))
    if threads < 2:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


def scan(
    text: NDArray[np.uint8],
    offsets: Counts,
    classes: NDArray[np.uint8],
    negations: Hashes,
) -> tuple[Hashes, Counts, Counts]:
    """Return the token hashes of ASCII texts, how many each text has, and the tokens too long.

    Args:
        text: bytes of the texts.
        offsets: where each text begins in them, and where the last one ends, shape (rows + 1,).
        classes: 0 for a byte of no token, 1 for a letter, 2 for a digit, 3 for an operator, shape
            (256,); a to z in both cases are letters.
        negations: hashes of words that are marked as operators are.

    Returns:
        Hashes, lowest bit 1 for a number, an operator or a negation; tokens of each text; and of
        each token of more than `LONGEST` bytes, whose hash is 0 but for that bit: which token it
        is, its first byte and the one after its last, shape (long tokens, 3).
    """
    size, rows = int(offsets[-1] - offsets[0]), offsets.size - 1
    hashes, counts = np.empty(size, np.uint64), np.empty(rows, np.int64)
    long_tokens = np.empty((size // (LONGEST + 1) + 1, 3), np.int64)
    long_count = library().scan(
        *(text.ctypes.data, offsets.ctypes.data, rows, classes.ctypes.data),
        *(negations.ctypes.data, negations.size),
        *(hashes.ctypes.data, counts.ctypes.data, long_tokens.ctypes.data),
    )
    return hashes[: counts.sum()].copy(), counts, long_tokens[:long_count]


def row_hashes(hashes: Hashes, offsets: Counts, *, ordered: bool) -> Hashes:
    """Return one hash for each row over its tokens, in their order or in any.

    Args:
        hashes, offsets: of a table.
        ordered: whether places count, and the number of tokens.
    """
    out = np.empty(offsets.size - 1, np.uint64)
    library().row_hashes(
        *(hashes.ctypes.data, offsets.ctypes.data, out.size, int(ordered), out.ctypes.data)
    )
    return out


def only_symbols(hashes: Hashes, offsets: Counts) -> tuple[Hashes, Counts]:
    """Return the tokens whose lowest bit is 1, row after row, and how many each row has.

    Args:
        hashes, offsets: of a table.
    """
    found, counts = np.empty(hashes.size + 1, np.uint64), np.empty(offsets.size - 1, np.int64)
    library().only_symbols(
        *(hashes.ctypes.data, offsets.ctypes.data, counts.size),
        *(found.ctypes.data, counts.ctypes.data),
    )
    return found[: counts.sum()].copy(), counts


def _pointers(tables: Tables) -> list[Any]:
    """Return the addresses of the hashes of both tables, and those of the offsets."""
    return [
        (ctypes.c_void_p * 2)(*(table[part].ctypes.data for table in tables)) for part in (0, 1)
    ]


def band_keys(
    tables: Tables,
    rows: Counts,
    lengths: Counts,
    whole: Hashes,
    multipliers: Hashes,
    factors: NDArray[np.uint32],
    keys: Hashes,
) -> None:
    """Write the band keys of rows, each the tokens of one table and then those of another.

    Args:
        tables: hashes and offsets of both tables.
        rows: of the tables; each has a token.
        lengths: tokens of each of `rows`.
        whole: of each of `rows`, what stands for it where it has fewer tokens than a shingle.
        multipliers: of the tokens of a shingle, shape (tokens,).
        factors: of the permutations, shape (bands * functions,).
        keys: where they go, shape (bands, rows), a part of an array in C's order.
    """
    bands, longest = keys.shape[0], int(lengths.max())
    tokens, values = np.empty(longest, np.uint64), np.empty(longest, np.uint32)
    ends = np.empty(factors.size + 1, np.uint32)
    library().band_keys(
        *_pointers(tables),
        *(rows.ctypes.data, rows.size, multipliers.size, multipliers.ctypes.data),
        *(whole.ctypes.data, factors.ctypes.data, bands, factors.size // bands),
        *(tokens.ctypes.data, values.ctypes.data, ends.ctypes.data),
        *(keys.ctypes.data, keys.strides[0] // keys.itemsize),
    )


def distinct(tables: Tables, rows: Counts, lengths: Counts) -> tuple[Hashes, Counts]:
    """Return the distinct tokens of rows, each row's sorted, and how many each has.

    Args:
        tables: hashes and offsets of both tables.
        rows: of the tables.
        lengths: tokens of each of `rows`.
    """
    sets, sizes = np.empty(int(lengths.sum()), np.uint64), np.empty(rows.size, np.int64)
    spare = np.empty(int(lengths.max(initial=0)), np.uint64)
    library().distinct(
        *_pointers(tables),
        *(rows.ctypes.data, rows.size, spare.ctypes.data, sets.ctypes.data, sizes.ctypes.data),
    )
    return sets[: sizes.sum()], sizes


def shared(
    left: tuple[Hashes, Counts],
    right: tuple[Hashes, Counts],
    pairs: tuple[Counts, Counts],
    weights: NDArray[np.float32] | None,
    out: Sequence[NDArray[np.float64]],
) -> None:
    """Write what the sets of each pair share.

    Args:
        left, right: sets from `distinct`, and their offsets.
        pairs: rows of `left`, and rows of `right`.
        weights: of the tokens, by their bits above the lowest; a power of two of them. None: 1.
        out: for the weight of all tokens that both have, for that of symbols, and for how many.
    """
    first, second = pairs
    library().shared(
        *(part.ctypes.data for side in (left, right) for part in side),
        *(first.ctypes.data, second.ctypes.data, first.size),
        *((None, 0) if weights is None else (weights.ctypes.data, weights.size - 1)),
        *(one.ctypes.data for one in out),
    )
