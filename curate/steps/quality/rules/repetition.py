"""Answers that repeat themselves: Gopher's measures (Rae et al. 2021, table A1), by words.

Gopher counts characters; words come to nearly the same and are compared as hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import ROW
from curate.phrases import phrase
from curate.reasons import Reason
from curate.steps.quality.configs import Repetition
from curate.steps.quality.rules.base import (
    FOUND,
    Quiet,
    broken,
    found,
    percent,
    without_code,
    words,
)
from evalsuite.similarity.tokens import mix

_MIN_LINES = 6
_LONGEST = 10

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


class RepetitionRule(Quiet):
    """Lines first, then runs of words; only what repeats pairs is looked at for longer runs."""

    name: ClassVar[str] = "repetition"

    def __init__(self, config: Repetition) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that repeat themselves too much."""
        some = block.select(ROW, without_code(pl.col("said")).alias("text"))
        some = some.filter(words(pl.col("text")) >= max(self.config.min_words, 1))
        if some.is_empty():
            return pl.DataFrame(schema=FOUND)
        return pl.concat([self._lines(some), self._ngrams(some)])

    def _lines(self, some: pl.DataFrame) -> pl.DataFrame:
        line = pl.element().str.strip_chars()
        lists = some.lazy().filter(pl.col("text").str.count_matches("\n") >= _MIN_LINES - 1)
        lists = lists.select(
            ROW,
            pl.col("text")
            .str.split("\n")
            .list.eval(line.filter(line.str.contains(r"[\p{L}\p{N}]"))),
        )
        lines = lists.filter(pl.col("text").list.len() >= _MIN_LINES).explode("text")
        size = pl.col("text").str.len_chars()
        again = pl.int_range(pl.len()).over(ROW, "text") > 0
        shares = (
            lines.with_columns(again.alias("again"), size.alias("size"))
            .group_by(ROW, maintain_order=True)
            .agg(
                pl.col("again").mean().alias("lines"),
                (pl.col("size").filter("again").sum() / pl.col("size").sum()).alias("characters"),
            )
            .collect()
        )
        bounds = (
            ("lines", self.config.max_duplicate_lines, "lines occurred before"),
            (
                "characters",
                self.config.max_duplicate_line_characters,
                "characters are in such lines",
            ),
        )
        parts = []
        for column, bound, what in bounds:
            said = phrase(f"{{}} of {what} > {bound:.0%}", percent(pl.col(column)))
            parts.append(broken(shares, pl.col(column) > bound, Reason.REPETITION, said))
        return pl.concat(parts).with_columns(pl.col(ROW).cast(pl.Int64))

    def _ngrams(self, some: pl.DataFrame) -> pl.DataFrame:
        split = some.select(ROW, pl.col("text").str.to_lowercase().str.extract_all(r"\S+"))
        lengths = split["text"].list.len().to_numpy().astype(np.int64)
        hashes = split["text"].explode().hash(seed=0).to_numpy().astype(np.uint64)
        text = _Text(hashes, np.repeat(np.arange(split.height), lengths), lengths)
        rows, details, seen = [], [], set()
        for row, detail in self._broken(text):
            if row not in seen:
                seen.add(row)
                rows.append(split[ROW][row])
                details.append(detail)
        return found(rows, Reason.REPETITION, details)

    def _broken(self, text: _Text) -> list[tuple[int, str]]:
        out = []
        config = self.config
        tops = {2: config.max_top_2gram, 3: config.max_top_3gram, 4: config.max_top_4gram}
        for n in range(2, _LONGEST + 1):
            repeats = text.repeats(n)
            if n in tops:
                bound, value = tops[n], repeats.top
                what = f"words are one run of {n} words"
            else:
                bound = max(config.max_duplicate_5gram - 0.01 * (n - 5), 0.01)
                value, what = repeats.covered, f"words are in runs of {n} that occurred before"
            for row in np.flatnonzero(value > bound).tolist():
                out.append((int(text.name[row]), f"{value[row]:.0%} of {what} > {bound:.0%}"))
            # Whatever repeats a longer run repeats at least as much of every shorter one.
            least = min([b for m, b in tops.items() if m > n] + [config.max_duplicate_5gram - 0.05])
            text = text.only(repeats.all > max(least, 0.0))
            if not text.lengths.size:
                break
        return out


@dataclass(frozen=True)
class _Repeats:
    """Shares of the words of each row, shape (rows,)."""

    top: NDArray[np.float64]
    """In the commonest n-gram, if it is there twice."""
    covered: NDArray[np.float64]
    """In n-grams that occurred before."""
    all: NDArray[np.float64]
    """In n-grams that are there twice, the first time included."""


@dataclass(frozen=True)
class _Text:
    """Words of many rows in one array."""

    hashes: Hashes
    row: Places
    """Row of each word, ascending, shape (words,)."""
    lengths: Places
    """Words of each row, shape (rows,)."""
    names: Places | None = None

    @property
    def name(self) -> Places:
        """What each row was called at first."""
        return np.arange(self.lengths.size) if self.names is None else self.names

    def only(self, wanted: NDArray[np.bool_]) -> _Text:
        """Return the text of some rows, numbered anew."""
        words = wanted[self.row]
        number = np.cumsum(wanted) - 1
        return _Text(
            self.hashes[words], number[self.row[words]], self.lengths[wanted], self.name[wanted]
        )

    def repeats(self, n: int) -> _Repeats:
        """Return how much of each row is in n-grams that repeat."""
        rows, total = self.lengths.size, self.hashes.size
        top, none = np.zeros(rows), np.zeros(rows)
        if total < n:
            return _Repeats(top, none, none)
        keys = mix(self.row[: total - n + 1].astype(np.uint64) + np.uint64(1))
        for offset in range(n):
            keys = mix(keys ^ self.hashes[offset : total - n + 1 + offset])
        whole = np.flatnonzero(self.row[: total - n + 1] == self.row[n - 1 :])
        order = whole[np.argsort(keys[whole], kind="stable")]
        ordered = keys[order]
        same = np.zeros(order.size, bool)
        same[1:] = ordered[1:] == ordered[:-1]
        begins = np.flatnonzero(~same)
        counts = np.diff(np.append(begins, order.size))
        twice = counts > 1
        share = counts[twice] * n / self.lengths[self.row[order[begins[twice]]]]
        np.maximum.at(top, self.row[order[begins[twice]]], share)
        either = same.copy()
        either[:-1] |= same[1:]
        return _Repeats(
            np.minimum(top, 1.0),
            self._covered(order[same], n),
            self._covered(order[either], n),
        )

    def _covered(self, begins: Places, n: int) -> NDArray[np.float64]:
        """Return the share of each row's words that lie in n-grams beginning at these places."""
        edges = np.zeros(self.hashes.size + 1, np.int64)
        np.add.at(edges, begins, 1)
        np.add.at(edges, begins + n, -1)
        inside = np.cumsum(edges)[:-1] > 0
        return np.bincount(self.row[inside], minlength=self.lengths.size) / self.lengths
