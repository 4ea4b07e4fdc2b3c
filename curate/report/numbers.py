"""What the report draws of all rows: a few numbers of each, and a sample that is looked at closer.

No text of more rows than the sample is ever in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curate.frame import ROW
from curate.steps.balancing.cells import script
from curate.steps.quality.configs import Language
from curate.steps.quality.masks import Masks
from curate.texts import TYPES, answer_text, prompt_text, with_images_told

SAMPLE = 1_000
"""Rows of which languages and trained tokens are found."""
LOOKED_AT = 4_000
"""Characters of a sampled row in which its language and script are sought."""


@dataclass(frozen=True)
class RowNumbers:
    """Numbers of all rows of one stage: as they were read, or as they were kept."""

    rows: pl.DataFrame
    """`prompt` and `answer` (characters), `tokens`, `turns`, `label`, `source`, `made`, and of
    kept rows `split` and `group`; one line for each row."""
    sample: pl.DataFrame
    """`trained` (tokens that carry loss, null where no tokenizer is known), `language`, `script`;
    one line for each sampled row."""

    @property
    def sampled(self) -> bool:
        """Whether the sample is not all rows."""
        return self.sample.height < self.rows.height

    @property
    def stands_for(self) -> float:
        """How many rows each row of the sample stands for."""
        return self.rows.height / max(self.sample.height, 1)


def numbers_of(
    frame: pl.LazyFrame, kind: str, model: Path | None, masks: Masks | None = None
) -> RowNumbers:
    """Return the numbers of the rows of a frame, in two passes over it.

    Args:
        frame: rows with `_row`, the columns of the type and the marks.
        kind: the dataset type.
        model: whose tokenizer and template count trained tokens.
        masks: hide what no label may show.
    """
    names = frame.collect_schema().names()
    optional = [name for name in ("tokens", "split", "group") if name in names]
    rows = (
        frame.select(
            ROW,
            with_images_told(prompt_text(kind), "").str.len_chars().alias("prompt"),
            with_images_told(answer_text(kind), "").str.len_chars().alias("answer"),
            _turns(kind).alias("turns"),
            pl.col("user_label").alias("label"),
            "source",
            (pl.col("parents").list.len().fill_null(0) > 0).alias("made"),
            *optional,
        )
        .sort(ROW)
        .collect()
    )
    if masks is not None:
        rows = rows.with_columns(_masked(rows["label"], masks))
    step = -(-rows.height // SAMPLE) or 1
    chosen = rows.gather_every(step).select(ROW)
    return RowNumbers(rows.drop(ROW), _looked_at(frame, chosen, kind, model))


def _turns(kind: str) -> pl.Expr:
    columns = TYPES[kind].turns
    if not columns:
        return pl.lit(None, pl.UInt32)
    counted = [pl.col(name).list.len().fill_null(0) for name in columns if name != "rejected"]
    return pl.sum_horizontal(*counted, 1 if kind == "answer" else 0).cast(pl.UInt32)


def _masked(labels: pl.Series, masks: Masks) -> pl.Series:
    """Mask what of the labels is personal; a label is looked at once, however many rows have it."""
    known = labels.drop_nulls().unique()
    shown = [masks.mark(name) for name in known]
    return labels.replace(known, pl.Series(shown, dtype=pl.String))


def _looked_at(
    frame: pl.LazyFrame, chosen: pl.DataFrame, kind: str, model: Path | None
) -> pl.DataFrame:
    rows = frame.join(chosen.lazy(), on=ROW, how="semi").sort(ROW)
    both = pl.concat_str(prompt_text(kind), answer_text(kind), separator="\n")
    texts = rows.select(both.str.slice(0, LOOKED_AT).alias("text")).collect()["text"]
    return pl.DataFrame(
        {
            "trained": _trained(rows, kind, model, texts.len()),
            "language": _languages(texts),
            "script": texts.to_frame().select(script(pl.col("text")).alias("script"))["script"],
        },
        schema={"trained": pl.Int64, "language": pl.String, "script": pl.String},
    )


def _languages(texts: pl.Series) -> pl.Series:
    from curate.steps.quality.rules.language import likely_languages

    return likely_languages(texts, Language())


def _trained(rows: pl.LazyFrame, kind: str, model: Path | None, count: int) -> pl.Series:
    from curate.steps.balancing.measure import trained_tokens

    if model is None:
        return pl.Series([None] * count, dtype=pl.Int64)
    from evalsuite.models import ChatTokenizer

    amounts, _ = trained_tokens(rows, kind, ChatTokenizer.from_dir(model))
    return pl.Series(amounts, dtype=pl.Int64)
