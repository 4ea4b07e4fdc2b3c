"""Words and lines unlike any prose: the quality rules of Gopher and FineWeb."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from curate.phrases import phrase
from curate.reasons import Reason
from curate.steps.quality.configs import Heuristics
from curate.steps.quality.rules.base import (
    FOUND,
    Quiet,
    broken,
    measured,
    percent,
    without_code,
    words,
)

_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_LINE = r"(?m)^[^\n]*\S[^\n]*$"


class HeuristicsRule(Quiet):
    """Measures the text outside code; each measure has its own threshold in the detail."""

    name: ClassVar[str] = "heuristics"

    def __init__(self, config: Heuristics) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows out of a bound."""
        some = block.select("_row", without_code(measured(self.config.of)).alias("text"))
        text = pl.col("text")
        some = some.with_columns(words(text).alias("words"))
        unspaced = text.str.count_matches(_UNSPACED) * 10 > text.str.len_chars()
        some = some.filter((pl.col("words") >= max(self.config.min_words, 1)) & ~unspaced)
        some = some.with_columns(text.str.count_matches(_LINE).clip(1).alias("lines"))
        parts = [pl.DataFrame(schema=FOUND)]
        for when, detail in self._bounds(text):
            parts.append(broken(some, when, Reason.NOT_PROSE, detail))
        return pl.concat(parts)

    def _bounds(self, text: pl.Expr) -> list[tuple[pl.Expr, pl.Expr]]:
        """Return each measure out of bounds, and what to say of it."""
        config, count = self.config, pl.col("words")
        mean = text.str.replace_all(r"\s+", "").str.len_chars() / count
        symbols = text.str.count_matches(r"#|…|\.\.\.") / count
        letters = text.str.count_matches(r"\S*\p{L}\S*") / count
        bullets = text.str.count_matches(r"(?m)^[ \t]*[-*•●‣▪+][ \t]") / pl.col("lines")
        trailing = text.str.count_matches(r"(?m)(?:…|\.\.\.)[ \t]*$") / pl.col("lines")
        ended = text.str.count_matches(r"(?m)[.!?。！？…:;\"”’')\]]+[ \t]*$") / pl.col("lines")
        stops = pl.sum_horizontal(
            text.str.contains(rf"(?i)\b{word}\b").cast(pl.Int32) for word in _STOP_WORDS
        )
        newlines = text.str.count_matches("\n") / count
        mean_said, symbols_said = mean.round(1), symbols.round(2)
        least, most = config.min_mean_word, config.max_mean_word
        bounds = [
            (mean < least, _said("{} characters a word < ", mean_said, least)),
            (mean > most, _said("{} characters a word > ", mean_said, most)),
            (
                symbols > config.max_symbols,
                _said("{} symbols a word > ", symbols_said, config.max_symbols),
            ),
            (
                stops < config.min_stop_words,
                _said("{} of 8 stop words < ", stops, config.min_stop_words),
            ),
            _least("words with a letter", letters, config.min_alphabetic),
            _least("lines that end a sentence", ended, config.min_punctuated_lines),
            _most("lines with a bullet", bullets, config.max_bullet_lines),
            _most("lines that end in an ellipsis", trailing, config.max_ellipsis_lines),
        ]
        if config.max_newlines is not None:
            said = _said("{} line breaks a word > ", newlines.round(2), config.max_newlines)
            bounds.append((newlines > config.max_newlines, said))
        return bounds


def _said(text: str, value: pl.Expr, bound: float) -> pl.Expr:
    return phrase(f"{text}{bound:g}", value)


def _least(of: str, value: pl.Expr, bound: float) -> tuple[pl.Expr, pl.Expr]:
    return value < bound, phrase(f"{{}} of {of} < {bound:.0%}", percent(value))


def _most(of: str, value: pl.Expr, bound: float) -> tuple[pl.Expr, pl.Expr]:
    return value > bound, phrase(f"{{}} of {of} > {bound:.0%}", percent(value))
