"""What `select` can be told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from curate.amounts import Amount
from curate.embedding.configs import EmbedderName
from workspace.recipe import Section


class Select(Section):
    """Keep a subset of the rows that represents them all."""

    rows: Annotated[Amount, Field(gt=0.0)]
    """How many: a number, or a share of the rows (below 1, or `10%`)."""
    method: Literal["facility_location", "k_centre", "mmr"] = "facility_location"
    """`facility_location`: every row has a chosen one near it, on average: what is common is
    represented. `k_centre`: no row is far from a chosen one: what is rare is there, oddities too.
    `mmr`: good rows that differ from each other."""
    quality: str = "quality"
    """For `mmr`: the column of numbers that says how good a row is; `answer_length` is the number
    of words in the answer; or a score of a `score` step, with a hyphen before it (`-perplexity`)
    where lower is better. The higher the better; only the order of the values counts."""
    quality_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """For `mmr`: how much quality counts against being different; 1 is the best alone."""
    text: Literal["prompt", "answer", "both"] = "both"
    """What is compared."""
    vectors: EmbedderName = "lexical"
    """`lexical`: words weighted by rarity (TF-IDF), hashed to 512 dimensions; paraphrases without
    a common word are as far apart as strangers. Or a model2vec or sentence-transformers folder."""
    seed: int = 0
    """Another seed looks at other random rows, where not all are looked at."""

    @model_validator(mode="after")
    def _whole_rows(self) -> Self:
        if self.rows > 1 and self.rows != int(self.rows):
            raise ValueError("a share below 1, or a whole number of rows")
        return self
