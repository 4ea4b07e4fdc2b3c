"""Everything that the report and the card say, gathered once at bounded cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from curate.ledger import Ledger
from curate.pipeline import Curated
from curate.report.changes import ChangeBlock, change_blocks, changed_examples
from curate.report.closest import Closeness, chosen_pairs, closeness
from curate.report.dropped import ReasonBlock, examples_of, reason_blocks
from curate.report.flow import River, river
from curate.report.histogram import Histogram
from curate.report.made import Made, chosen_made, copies_in, made_examples, makers_of
from curate.report.numbers import RowNumbers, numbers_of
from curate.report.pictures import histograms_of, shares_of
from curate.report.room import Room
from curate.report.rows import dropped_rows, kept_rows, rows_before
from curate.report.shares import Shares
from curate.report.splits import Splits, splits_of
from curate.statements import Statement, statements

_PAIRS_ROOM, _DROPPED_ROOM, _CHANGES_ROOM, _MADE_ROOM = 350_000, 600_000, 150_000, 150_000
_WARNING = "WARNING: "
_FEW_LEFT = 0.5
_UNSURE_LANGUAGE = 0.05
"""A language is named if at least this share of the sampled rows are in it."""


@dataclass(frozen=True)
class Note:
    """What a person should know."""

    step: str
    text: str
    warning: bool


@dataclass(frozen=True)
class Facts:
    """What became of the rows, and what the dataset is now."""

    name: str
    digest: str
    type: str
    ledger: Ledger
    rows: RowNumbers
    """Of the kept rows."""
    river: River
    notes: tuple[Note, ...]
    """Warnings first."""
    histograms: tuple[Histogram, ...]
    shares: tuple[Shares, ...]
    closeness: tuple[Closeness, ...]
    reasons: tuple[ReasonBlock, ...]
    changes: tuple[ChangeBlock, ...]
    made: Made
    splits: Splits
    statements: tuple[Statement, ...]
    trained_share: float | None
    """Share of the tokens that carry loss, of the sampled rows; None: not counted."""
    languages: tuple[str, ...]
    """Codes of the languages that a good part of the sampled rows is in, the most used first."""
    recipe: str
    """The resolved recipe as YAML."""
    read_and_kept: int
    """Rows that were read and are still there; the other kept rows were made."""
    steps_run: bool
    """Whether rows were read and curated; otherwise they were made."""


def facts_of(
    curated: Curated,
    name: str,
    digest: str,
    recipe: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> Facts:
    """Gather what the report and the card say.

    Four passes are made over the rows, none of which holds the text of more than a few thousand.

    Args:
        curated: the rows, still in the work directory.
        name: of the dataset.
        digest: of the dataset.
        recipe: the resolved recipe as YAML.
        tables: tables beside the rows; `made` says how rows were made.
    """
    evidence = curated.evidence
    model = evidence.model if evidence else None
    before = numbers_of(evidence.read, curated.type, model, evidence.masks) if evidence else None
    after = numbers_of(curated.kept, curated.type, model)
    ledger = curated.ledger
    pictures = shares_of(before, after)
    texts = _texts(curated, (tables or {}).get("made"))
    return Facts(
        name,
        digest,
        curated.type,
        ledger,
        after,
        river(ledger),
        tuple(sorted(_notes(ledger, pictures), key=lambda note: not note.warning)),
        histograms_of(before, after, curated.type),
        pictures,
        texts.closeness,
        texts.reasons,
        texts.changes,
        texts.made,
        splits_of(ledger, after.rows),
        statements(curated),
        _trained_share(after),
        _languages(after),
        recipe,
        _read_and_kept(curated),
        evidence is not None,
    )


@dataclass(frozen=True)
class _Texts:
    """The parts that show texts of rows."""

    closeness: tuple[Closeness, ...]
    reasons: tuple[ReasonBlock, ...]
    changes: tuple[ChangeBlock, ...]
    made: Made


def _texts(curated: Curated, table: pl.DataFrame | None) -> _Texts:
    """Choose the rows that are shown, then fetch their texts in one pass over each frame."""
    evidence = curated.evidence
    pairs = chosen_pairs(evidence.nearest) if evidence else None
    examples = examples_of(curated)
    changed = changed_examples(curated)
    chosen = chosen_made(table)
    wanted = {*changed["id"], *chosen["id"], *chosen["parents"].explode().drop_nulls()}
    wanted |= {one.duplicate_of for shown in examples.values() for one in shown if one.duplicate_of}
    if pairs is not None:
        wanted |= {*pairs["row"], *pairs["partner"]}
    rows = {**dropped_rows(curated, wanted), **kept_rows(curated, wanted)}
    read = rows_before(evidence.read, curated.type, changed["id"]) if evidence else {}
    return _Texts(
        tuple(closeness(evidence.similarities, pairs, rows, Room(_PAIRS_ROOM)))
        if evidence and pairs is not None
        else (),
        tuple(reason_blocks(curated, examples, rows, Room(_DROPPED_ROOM))),
        tuple(change_blocks(curated, changed, read, rows, Room(_CHANGES_ROOM))),
        Made(
            makers_of(table),
            made_examples(chosen, rows, curated.parents, Room(_MADE_ROOM)),
            copies_in(curated.ledger),
        ),
    )


def _notes(ledger: Ledger, pictures: Sequence[Shares]) -> Iterator[Note]:
    for source, rows, kept in _by_source(ledger):
        if rows and not kept:
            yield Note("sources", f"No row of {source} is left: all {rows:,} were dropped.", True)
        elif kept < _FEW_LEFT * rows:
            text = f"Of {source} only {kept:,} of {rows:,} rows are left ({kept / rows:.0%})."
            yield Note("sources", text, True)
    for picture in pictures:
        if picture.name == "label" and picture.lost and picture.before:
            text = f"{picture.lost:,} of {picture.before.groups:,} labels have no row left."
            yield Note("labels", text, True)
    told = [(time.step, note) for time in ledger.times for note in time.notes]
    split = [("split", note) for note in ledger.split_notes if note.startswith(_WARNING)]
    for step, text in [*told, *split]:
        yield Note(step, text.removeprefix(_WARNING), text.startswith(_WARNING))
    if ledger.tokens_by is None:
        yield Note("tokens", "Tokens were not counted: no model is known whose they are.", False)


def _by_source(ledger: Ledger) -> Iterator[tuple[str, int, int]]:
    """Yield each source with its rows before the first step and after the last."""
    if not ledger.steps:
        return
    first, last = ledger.steps[0], ledger.steps[-1]
    kept = {entry.source: entry.kept.rows for entry in ledger.entries if entry.step == last}
    for entry in ledger.entries:
        if entry.step == first and entry.rows_in.rows:
            yield entry.source, entry.rows_in.rows, kept.get(entry.source, 0)


def _read_and_kept(curated: Curated) -> int:
    made = curated.altered.filter(pl.col("what") == "made").select("id")
    lost = made.join(curated.dropped.select("id"), on="id", how="semi")
    return curated.ledger.rows_kept - (made.height - lost.height)


def _trained_share(after: RowNumbers) -> float | None:
    trained, tokens = after.sample["trained"], after.rows["tokens"] if _counted(after) else None
    if tokens is None or not trained.count():
        return None
    mean = float(tokens.mean() or 0)  # type: ignore[arg-type]
    return min(1.0, float(trained.mean() or 0) / mean) if mean else None  # type: ignore[arg-type]


def _counted(after: RowNumbers) -> bool:
    return "tokens" in after.rows.columns and after.rows["tokens"].count() > 0


def _languages(after: RowNumbers) -> tuple[str, ...]:
    sure = after.sample["language"].drop_nulls()
    counts = sure.value_counts().sort("count", "language", descending=[True, False])
    least = max(1, _UNSURE_LANGUAGE * after.sample.height)
    return tuple(counts.filter(pl.col("count") >= least)["language"])
