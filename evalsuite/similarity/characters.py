"""Which runs of characters a text has, as hashes: what typing errors leave mostly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.plain_text import cuts, spaced
from evalsuite.similarity.tokens import Counts, TokenTable, normalise, starts, words

_BLOCK_BYTES = 1 << 17  # the grams of so much text are sorted in the cache
_ROWS = 512
_NONE = TokenTable(np.empty(0, np.uint64), np.zeros(1, np.int64))
_ASCII = 128
_SCATTER = np.uint32(0x9E3779B1)


@dataclass(frozen=True)
class _Characters:
    """Tokens of some texts, one space after each."""

    codes: NDArray[np.uint32]
    """Code points of all texts, shape (characters,)."""
    lengths: Counts
    """Of each text, the last space counted, shape (texts,)."""


def distinct_grams(texts: pl.Series, n: int) -> TokenTable:
    """Return the distinct runs of `n` characters of each text, as sorted 32-bit hashes.

    Args:
        texts: null is the empty text; tokens are taken and joined by one space.
        n: characters in a run, 1 to 4; a text with fewer has none.
    """
    texts = texts.fill_null("")
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    plain = (ascii_only & ~texts.str.contains("'(", literal=True)).to_numpy()
    fast, slow = np.flatnonzero(plain), [np.flatnonzero(~plain)]
    parts, places = [_NONE], [np.empty(0, np.int64)]
    for begin, block in _plain(texts.filter(pl.Series(plain))):
        parts.append(_distinct(block, n))
        places.append(fast[begin : begin + block.lengths.size])
        slow.append(places[-1][block.lengths == 0])  # a text without a token is one token, itself
    others = np.concatenate(slow)
    for begin in range(0, others.size, _ROWS):
        places.append(others[begin : begin + _ROWS])
        parts.append(_distinct(_any(texts.gather(places[-1])), n))
    every = np.concatenate(places)
    found = TokenTable(
        np.concatenate([part.hashes for part in parts]),
        starts(np.concatenate([part.lengths for part in parts])),
    )
    where = np.empty(len(texts), np.int64)
    where[every] = np.arange(every.size)  # of a text that was read twice, the second reading
    return found.take(where)


def _plain(texts: pl.Series) -> Iterator[tuple[int, _Characters]]:
    short = texts.str.contains_any(["'", "cannot"], ascii_case_insensitive=True)
    if short.any():
        texts = texts.scatter(short.arg_true(), normalise(texts.filter(short)))
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    for begin, end in cuts(sizes, _BLOCK_BYTES):
        codes, lengths = spaced(texts.slice(begin, end - begin), sizes[begin:end])
        yield begin, _Characters(codes.astype(np.uint32), lengths)


def _any(texts: pl.Series) -> _Characters:
    text = words(texts).list.join(" ") + " "
    raw = "".join(text.to_list()).encode("utf-32-le", "surrogatepass")
    return _Characters(np.frombuffer(raw, np.uint32), text.str.len_chars().to_numpy().astype("i8"))


def _distinct(texts: _Characters, n: int) -> TokenTable:
    ends = np.cumsum(texts.lengths)
    hashes = _windows(texts.codes, n)
    inside = np.ones(hashes.size, bool)
    for k in range(1, n + 1):  # those that reach the last space, or the next text
        over = (ends - k)[texts.lengths >= k]
        inside[over[over < hashes.size]] = False
    counts = np.maximum(texts.lengths - n, 0)
    keys = np.repeat(np.arange(counts.size, dtype=np.uint64) << np.uint64(32), counts)
    keys |= hashes[inside]
    keys.sort()
    if keys.size:
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    borders = np.arange(counts.size + 1, dtype=np.uint64) << np.uint64(32)
    offsets = np.searchsorted(keys, borders).astype(np.int64)
    keys &= np.uint64(0xFFFFFFFF)
    return TokenTable(keys, offsets)


def _windows(codes: NDArray[np.uint32], n: int) -> NDArray[np.uint32]:
    """Return a number for every run of n characters; those of ASCII alone never share one.

    Its second half is lowbias32 of github.com/skeeto/hash-prospector, which maps no two to one.
    """
    if codes.max(initial=0) >= _ASCII:
        codes = np.where(codes < _ASCII, codes, codes * _SCATTER)
    out = np.zeros(max(codes.size - n + 1, 0), np.uint32)
    scratch = np.empty_like(out)
    for k in range(n):
        np.left_shift(codes[k : k + out.size], np.uint32(7 * k), out=scratch)
        out += scratch
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        np.right_shift(out, np.uint32(shift), out=scratch)
        out ^= scratch
        out *= np.uint32(factor)
    return out
