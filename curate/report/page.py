"""Renders the report; everything that came from data is escaped by the template engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from curate.pipeline import Curated
from curate.reasons import Reason
from curate.report.funnel import funnel
from curate.texts import answer_text, prompt_text
from workspace.files import write_text
from workspace.text import plain

_PER_REASON = 4


@dataclass(frozen=True)
class Example:
    """A dropped row."""

    where: str
    detail: str
    asks: str
    says: str


@dataclass(frozen=True)
class ReasonBlock:
    """A reason with its count and a few rows."""

    step: str
    reason: str
    description: str
    count: int
    examples: tuple[Example, ...]


def write_report(path: Path, curated: Curated, name: str, digest: str) -> None:
    """Write `report.html`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ledger = curated.ledger
    page = environment.get_template("page.html.jinja").render(
        name=name,
        digest=digest,
        type=curated.type,
        ledger=ledger,
        funnel=funnel(ledger),
        totals=[ledger.total(step) for step in ledger.steps],
        seconds={time.step: time.seconds for time in ledger.times},
        notes=[note for time in ledger.times for note in time.notes] + [*ledger.split_notes],
        reasons=reason_blocks(curated),
    )
    write_text(path, page)


def _inert(value: Any) -> Any:
    """Make control characters visible in whatever is printed: file names are text from data too."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def reason_blocks(curated: Curated) -> list[ReasonBlock]:
    """Return each step's reasons with examples, in the order of the steps."""
    frame = curated.dropped
    if frame.is_empty():
        return []
    blocks = []
    groups = frame.group_by("step", "reason", maintain_order=True)
    for (step, reason), rows in groups:
        blocks.append(
            ReasonBlock(
                str(step),
                str(reason),
                Reason(str(reason)).description,
                rows.height,
                tuple(_examples(rows.head(_PER_REASON), curated.type)),
            )
        )
    return blocks


def _examples(rows: pl.DataFrame, kind: str) -> list[Example]:
    texts = rows.select(
        pl.format("{}:{}", "source", "row").alias("where"),
        pl.col("detail").fill_null(""),
        prompt_text(kind).alias("asks") if _has_text(rows, kind) else pl.lit("").alias("asks"),
        answer_text(kind).alias("says") if _has_text(rows, kind) else pl.lit("").alias("says"),
        (pl.col("raw") if "raw" in rows.columns else pl.lit(None, pl.String)).alias("raw"),
    )
    return [
        Example(
            plain(where, 120), plain(detail, 300), plain(asks or raw or "", 400), plain(says, 300)
        )
        for where, detail, asks, says, raw in texts.iter_rows()
    ]


def _has_text(rows: pl.DataFrame, kind: str) -> bool:
    from curate.texts import TYPES

    return all(column in rows.columns for column in TYPES[kind].all)
