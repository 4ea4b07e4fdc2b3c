"""The language of each answer, where the detector is sure."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.steps.quality.rules.base import without_code
from evalsuite.scorers.language import detector

_LOOKED_AT, _PREPARED = 300, 2_000
_NO_LANGUAGE = r"(?:https?://|www\.)\S+|\S*[@\\_{}<>]\S*|[\p{N}\p{S}]+"
_SURE = 0.9


def languages_of(texts: pl.Series, names: dict[str, int], least_letters: int) -> NDArray[np.int16]:
    """Return the number of each text's language; -1 where it cannot be told.

    Args:
        texts: null is passed over.
        names: language code → number; new ones are added.
        least_letters: shorter texts are passed over.
    """
    begin = without_code(pl.col("text").str.slice(0, _PREPARED))
    shown = pl.DataFrame({"text": texts}).select(
        begin.str.replace_all(_NO_LANGUAGE, " ").str.slice(0, _LOOKED_AT).alias("text")
    )["text"]
    enough = (shown.str.count_matches(r"\p{L}") >= least_letters).fill_null(False)
    out = np.full(len(texts), -1, np.int16)
    tell = detector()
    for place in enough.arg_true().to_list():
        best = tell.detect(shown[place].replace("\n", " "), model="lite", k=1)[0]
        if float(best["score"]) >= _SURE:
            out[place] = names.setdefault(str(best["lang"]), len(names))
    return out
