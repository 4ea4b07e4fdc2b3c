"""Some rows of each reason for which rows were dropped."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curate.phrases import phrase
from curate.pipeline import Curated
from curate.reasons import Reason
from curate.report.excerpt import READ_AT_MOST, excerpt
from curate.report.room import Room
from curate.report.rows import ShownRow
from curate.report.words import Comparison, compare_words
from curate.texts import TYPES, shown_answer, shown_prompt

PER_REASON = 4
_TEXT = 500
_DETAIL = 300


@dataclass(frozen=True)
class Example:
    """A dropped row."""

    id: str
    place: str
    detail: str
    asks: str
    says: str
    duplicate_of: str | None


@dataclass(frozen=True)
class Shown:
    """A dropped row beside the one that it repeats, if it does."""

    example: Example
    asks: str
    says: str
    partner: ShownRow | None = None
    asked: Comparison | None = None
    """The prompts word by word; None: there is no partner, or they are equal."""
    said: Comparison | None = None


@dataclass(frozen=True)
class ReasonBlock:
    """A reason with its count and a few rows."""

    step: str
    reason: str
    description: str
    count: int
    examples: tuple[Shown, ...]

    @property
    def more(self) -> int:
        """Rows that are not shown."""
        return self.count - len(self.examples)


def examples_of(curated: Curated) -> dict[tuple[str, str], list[Example]]:
    """Return some rows for each step and reason, spread over all that it dropped."""
    frame = curated.dropped
    if frame.is_empty():
        return {}
    chosen = (
        frame.select("step", "reason")
        .with_row_index("place")
        .with_columns(
            pl.len().over("step", "reason").alias("size"),
            pl.int_range(pl.len()).over("step", "reason").alias("nth"),
        )
        .filter(
            (pl.col("nth") * PER_REASON // pl.col("size"))
            > ((pl.col("nth").cast(pl.Int64) - 1) * PER_REASON // pl.col("size"))
        )
    )
    rows = frame[chosen["place"].to_list()]
    texts = rows.select(
        "step",
        "reason",
        "id",
        phrase("{}:{}", "source", pl.col("row").fill_null(0)).alias("place"),
        pl.col("detail").fill_null(""),
        *_texts(rows, curated.type),
        "duplicate_of",
    )
    found: dict[tuple[str, str], list[Example]] = {}
    for step, reason, *held in texts.iter_rows():
        found.setdefault((step, reason), []).append(Example(*held))
    return found


def _texts(rows: pl.DataFrame, kind: str) -> tuple[pl.Expr, pl.Expr]:
    """Return what was asked and answered, or the raw line of a row that could not be read."""
    raw = pl.col("raw").fill_null("") if "raw" in rows.columns else pl.lit("")
    asks, says = raw, pl.lit("")
    if all(column in rows.columns for column in TYPES[kind].all):
        asked = shown_prompt(kind)
        asks, says = pl.when(asked != "").then(asked).otherwise(raw), shown_answer(kind)
    cut = [text.str.slice(0, READ_AT_MOST).fill_null("") for text in (asks, says)]
    return cut[0].alias("asks"), cut[1].alias("says")


def reason_blocks(
    curated: Curated,
    examples: dict[tuple[str, str], list[Example]],
    partners: dict[str, ShownRow],
    room: Room,
) -> list[ReasonBlock]:
    """Return each step's reasons with rows, in the order of the steps, the largest first."""
    blocks = []
    for step in curated.ledger.steps:
        counts = curated.ledger.total(step).dropped
        for reason, count in sorted(counts.items(), key=lambda one: -one[1].rows):
            if not count.rows:
                continue
            shown = []
            for example in examples.get((step, reason), []):
                one = _shown(example, partners.get(example.duplicate_of or ""))
                if room.takes(*_held(one)):
                    shown.append(one)
            description = Reason(reason).description
            blocks.append(ReasonBlock(step, reason, description, count.rows, tuple(shown)))
    return blocks


def _shown(example: Example, partner: ShownRow | None) -> Shown:
    detail = excerpt(example.detail.removeprefix(f"{example.place}: "), _DETAIL)
    short = Example(
        example.id, example.place, detail, "", "", example.duplicate_of
    )  # the whole text is not kept
    asks, says = excerpt(example.asks, _TEXT), excerpt(example.says, _TEXT)
    if partner is None:
        return Shown(short, asks, says)
    asked = compare_words(partner.asks, example.asks, _TEXT)
    said = compare_words(partner.says, example.says, _TEXT)
    return Shown(
        short,
        asks,
        says,
        partner,
        None if partner.asks == example.asks else asked,
        None if partner.says == example.says else said,
    )


def _held(one: Shown) -> list[str]:
    texts = [one.example.place, one.example.detail, one.asks, one.says]
    for side in (one.asked, one.said):
        texts += side.texts if side else ()
    return texts
