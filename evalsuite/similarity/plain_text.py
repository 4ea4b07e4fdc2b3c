"""Tokens of ASCII text by byte classes: the same as by regular expression, many times faster.

Most rows of most corpora are ASCII. Their bytes are looked up in a table of classes, the borders
of tokens are found by comparing neighbouring classes, and the tokens are hashed where they stand;
no string is made of any of them. Rows in which anything else occurs are for the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity import kernel
from evalsuite.similarity.xxh3 import LONGEST, PADDING, hash_spans

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

_LETTER, _DIGIT, _SYMBOL = 1, 2, 3
_CLASS = 3
_CAPITAL = 32
"""Marks a capital among the classes: the bit by which a small letter differs from it."""
_BLOCK_BYTES = 1 << 19  # its classes, flags and borders stay in the second-level cache
_NO_HASHES = np.empty(0, np.uint64)
_NO_PLACES = np.empty(0, np.int64)
_NO_FLAGS = np.empty(0, bool)
_SYMBOLS = b"+<=>|~*/^%&#[]{}"


def _table() -> bytes:
    classes = bytearray(256)
    for byte in range(256):
        if chr(byte) in "abcdefghijklmnopqrstuvwxyz_":
            classes[byte] = _LETTER
        elif chr(byte) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            classes[byte] = _LETTER | _CAPITAL
        elif chr(byte) in "0123456789":
            classes[byte] = _DIGIT
        elif byte in _SYMBOLS:
            classes[byte] = _SYMBOL
    return bytes(classes)


_CLASSES = _table()
_KINDS = np.frombuffer(_CLASSES, np.uint8) & np.uint8(_CLASS)
_COMPILED_BYTES = 1 << 22


@dataclass(frozen=True)
class Spans:
    """Tokens of a run of rows: hashes in order, how many each row has, which are symbols."""

    hashes: NDArray[np.uint64]
    lengths: Places
    """Tokens of each row, shape (rows,)."""
    symbols: Flags
    """Numbers and operators, shape (tokens,)."""
    long: NDArray[np.int64]
    """Tokens of more than `xxh3.LONGEST` bytes, which are not hashed yet."""
    long_words: list[str]
    """Their text."""


def scan(texts: pl.Series) -> Spans:
    """Return the tokens of ASCII texts that hold no `'(`.

    Args:
        texts: contractions written out, in any case.
    """
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    parts = [
        _scan_block(texts.slice(begin, end - begin), sizes[begin:end]) for begin, end in cuts(sizes)
    ]
    return Spans(
        np.concatenate([_NO_HASHES, *(part.hashes for part in parts)]),
        np.concatenate([_NO_PLACES, *(part.lengths for part in parts)]),
        np.concatenate([_NO_FLAGS, *(part.symbols for part in parts)]),
        np.flatnonzero(np.concatenate([_NO_FLAGS, *(part.long for part in parts)])),
        [word for part in parts for word in part.long_words],
    )


@dataclass(frozen=True)
class Marked:
    """Tokens of a run of rows, the lowest bit of a hash 1 for numbers, operators and negations."""

    hashes: NDArray[np.uint64]
    """Of a token of more than `kernel.LONGEST` bytes nothing but that bit."""
    lengths: Places
    """Tokens of each row, shape (rows,)."""
    long: Places
    """Tokens of more bytes than that."""
    long_words: list[str]
    """Their text."""


def scan_compiled(texts: pl.Series, negations: NDArray[np.uint64]) -> Marked:
    """Return the tokens of ASCII texts that hold no `'(`, found by the kernel.

    Args:
        texts: contractions written out, in any case.
        negations: hashes of the words that are marked as operators are.
    """

    def part(rows: tuple[int, int]) -> tuple[Marked, int]:
        begin, end = rows
        array = texts.slice(begin, end - begin).to_arrow()
        _, offsets_bytes, text_bytes = array.buffers()
        first = array.offset
        offsets = np.frombuffer(offsets_bytes, np.int64)[first : first + len(array) + 1]
        text = np.frombuffer(text_bytes or b"", np.uint8)
        hashes, counts, long = kernel.scan(text, offsets, _KINDS, negations)
        words = [
            text[start:stop].tobytes().decode("ascii").lower() for _, start, stop in long.tolist()
        ]
        return Marked(hashes, counts, long[:, 0], words), hashes.size

    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    parts = kernel.in_threads(part, cuts(sizes, _COMPILED_BYTES))
    begins = np.cumsum([0, *(count for _, count in parts)])
    return Marked(
        np.concatenate([_NO_HASHES, *(one.hashes for one, _ in parts)]),
        np.concatenate([_NO_PLACES, *(one.lengths for one, _ in parts)]),
        np.concatenate(
            [_NO_PLACES, *(one.long + at for (one, _), at in zip(parts, begins, strict=False))]
        ),
        [word for one, _ in parts for word in one.long_words],
    )


def spaced(texts: pl.Series, sizes: Places) -> tuple[Bytes, Places]:
    """Return the bytes of the tokens in lower case, a space after each, and how many a text has.

    Args:
        texts: ASCII, without `'(`, contractions written out, in any case.
        sizes: bytes of each.
    """
    data, text = _read(texts)
    text = text[: len(data)]
    classes = np.frombuffer(data.translate(_CLASSES), np.uint8)
    starts, stops, _ = _borders(text, classes & np.uint8(_CLASS))
    taken = stops - starts + 1
    ends = np.cumsum(taken)
    place = np.arange(taken.sum(), dtype=np.int32)
    place += np.repeat((starts - ends + taken).astype(np.int32), taken)
    out = np.take(text, place, mode="clip")
    out[ends - 1] = ord(" ")
    last = np.searchsorted(starts, np.cumsum(sizes + 1))
    return out, np.diff(np.concatenate([[0], ends])[last], prepend=0)


def cuts(sizes: Places, block_bytes: int = _BLOCK_BYTES) -> list[tuple[int, int]]:
    """Return ranges of rows of about so many bytes."""
    ends, at = np.cumsum(sizes), [0]
    while at[-1] < sizes.size:
        done = ends[at[-1] - 1] if at[-1] else 0
        fits = int(np.searchsorted(ends, done + block_bytes, "right"))
        at.append(max(at[-1] + 1, fits))
    return list(pairwise(at))


@dataclass(frozen=True)
class _Block:
    hashes: NDArray[np.uint64]
    lengths: Places
    """Tokens of each row."""
    symbols: Flags
    long: Flags
    long_words: list[str]


def _read(texts: pl.Series) -> tuple[bytes, Bytes]:
    """Return the bytes of texts, one after the other, and the same in lower case, padded."""
    # The line breaks around them are neighbours for the first and the last byte.
    data = b"\n%b\n" % texts.str.join("\n").item().encode("ascii")
    return data, _lowered(data, np.frombuffer(data.translate(_CLASSES), np.uint8))


def _lowered(data: bytes, classes: Bytes) -> Bytes:
    """Return the bytes in lower case, with room behind them for the hash to read."""
    text = np.zeros(len(data) + PADDING, np.uint8)
    np.bitwise_and(classes, _CAPITAL, out=text[: len(data)])
    text[: len(data)] |= np.frombuffer(data, np.uint8)
    return text


def _scan_block(texts: pl.Series, sizes: Places) -> _Block:
    """Find and hash the tokens of some rows, joined by line breaks, whose sizes are known."""
    data, text = _read(texts)
    classes = np.frombuffer(data.translate(_CLASSES), np.uint8)
    starts, stops, symbols = _borders(text[: len(data)], classes & np.uint8(_CLASS))
    lengths = stops - starts
    long = lengths > LONGEST
    words = [
        text[first:last].tobytes().decode("ascii")
        for first, last in zip(starts[long].tolist(), stops[long].tolist(), strict=True)
    ]
    counts = np.diff(np.searchsorted(starts, np.cumsum(sizes + 1)), prepend=0)
    return _Block(hash_spans(text, starts, lengths), counts, symbols, long, words)


def _borders(text: Bytes, classes: Bytes) -> tuple[Places, Places, Flags]:
    """Return where tokens begin and end, and which are numbers or operators.

    The first and the last byte are line breaks, so a neighbour of every other byte exists.
    """
    borders = np.flatnonzero(classes[1:] != classes[:-1]) + 1
    kinds = classes[borders[:-1]]
    runs = np.flatnonzero(kinds)
    starts, stops, kinds = borders[runs], borders[runs + 1], kinds[runs]
    if (kinds == _LETTER).all():
        return starts, stops, np.zeros(starts.size, bool)
    starts, stops, kinds = _operators(text, starts, stops, kinds)
    return _numbers(text, starts, stops, kinds)


def _operators(
    text: Bytes, starts: Places, stops: Places, kinds: Bytes
) -> tuple[Places, Places, Bytes]:
    """Take runs of operators apart, and give `!=` its first half."""
    if ((stops - starts)[kinds == _SYMBOL] > 1).any():
        sizes = np.where(kinds == _SYMBOL, stops - starts, 1)
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        starts = np.repeat(starts, sizes) + (np.arange(first.size) - first)
        stops, kinds = np.repeat(stops, sizes), np.repeat(kinds, sizes)
        stops = np.where(kinds == _SYMBOL, starts + 1, stops)
    signs = np.flatnonzero(kinds == _SYMBOL)
    at = starts[signs]
    starts[signs] -= (text[at] == ord("=")) & (text[at - 1] == ord("!"))
    return starts, stops, kinds


def _numbers(
    text: Bytes, starts: Places, stops: Places, kinds: Bytes
) -> tuple[Places, Places, Flags]:
    """Give numbers their sign and point, and join the parts of one such as `1,234.5`."""
    symbols = kinds != _LETTER
    digits = np.flatnonzero(kinds == _DIGIT)
    at = starts[digits]
    before = text[at - 1]
    point = before == ord(".")
    # The part before, of which this one goes on, ends where the point or comma stands.
    after = (digits > 0) & (kinds[digits - 1] == _DIGIT) & (stops[digits - 1] == at - 1)
    after &= point | (before == ord(","))
    at -= point & ~after
    at -= (text[at - 1] == ord("-")) & ~after
    starts[digits] = at
    joined = digits[after]
    if not joined.size:
        return starts, stops, symbols
    return np.delete(starts, joined), np.delete(stops, joined - 1), np.delete(symbols, joined)
