"""The commands as Python functions on polars frames, with the same names."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars_hash as plh

from curate.curating import CurateResult, run_curate
from curate.frame import MARKS, ROW, hashed_content
from curate.one_step import section_for
from curate.pipeline import curate_rows
from curate.private import write_private
from curate.recipe import Split
from curate.splitting import SPLITS, split_rows
from curate.steps.base import Outcome, StepContext, positions
from curate.steps.configs import (
    Decontaminate,
    DecontaminateFile,
    ExactDuplicates,
    NearDuplicates,
)
from curate.steps.decontaminate import DecontaminateStep
from curate.steps.exact_duplicates import ExactDuplicatesStep
from curate.steps.filter import FilterStep
from curate.steps.near_duplicates import NearDuplicatesStep
from curate.steps.quality.configs import PERSONAL_KINDS, Filter, Redact, Repair
from curate.steps.redact import RedactStep
from curate.steps.repair import RepairStep
from curate.texts import TYPES, canonical
from workspace.errors import DataError
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.ledger import Ledger

_TURN_FIELDS: dict[str, Any] = {
    "role": pl.String,
    "content": pl.String,
    "tool_calls": pl.List(
        pl.Struct(
            {
                "id": pl.String,
                "type": pl.String,
                "function": pl.Struct({"name": pl.String, "arguments": pl.String}),
            }
        )
    ),
    "name": pl.String,
    "tool_call_id": pl.String,
}


@dataclass(frozen=True)
class Rows:
    """What `read` returns: rows of one type, and the account of those that did not fit."""

    frame: pl.LazyFrame
    type: str
    dropped: pl.DataFrame
    ledger: Ledger


def read(
    *paths: str | Path,
    type: str = "auto",
    columns: dict[str, str] | None = None,
    max_quarantine: float = 0.01,
) -> Rows:
    """Read files of any known format into rows of one type.

    Args:
        paths: files and globs.
        type: the dataset type; `auto` takes what most rows are.
        columns: usual name → your column's name.
        max_quarantine: largest share of rows that may be unusable.
    """
    named = ",".join(f"{usual}={own}" for usual, own in (columns or {}).items())
    section = section_for(
        [str(path) for path in paths], named, type=type, max_quarantine=max_quarantine
    )
    work = Path(tempfile.mkdtemp(prefix="curate-"))
    # The frame is lazy: its rows stay on disk for as long as anything may collect them.
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    curated = curate_rows(section, Workspace.find(), Path.cwd(), work)
    return Rows(curated.kept, curated.type, curated.dropped, curated.ledger)


def dedupe(
    frame: pl.LazyFrame | pl.DataFrame, *, threshold: float = 0.8, keep: str = "longest"
) -> Outcome:
    """Drop exact duplicates, then near-duplicates of at least `threshold`; 1 keeps those."""
    context, rows = _prepared(frame, loosest=threshold)
    outcome = ExactDuplicatesStep(ExactDuplicates()).apply(rows, context)
    if threshold != 1:  # beyond 1 is for the step to refuse
        config = NearDuplicates.model_validate({"threshold": threshold, "keep": keep})
        near = NearDuplicatesStep(config).apply(outcome.kept, context)
        dropped = pl.concat([outcome.dropped, near.dropped])
        outcome = Outcome(near.kept, dropped, outcome.notes + near.notes)
    return outcome


def decontaminate(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    suites: Sequence[str] = (),
    files: Sequence[tuple[str, str]] = (),
    threshold: float = 0.8,
) -> Outcome:
    """Drop rows that hold an item of `suites` or of `files` (pairs of path and field)."""
    context, rows = _prepared(frame)
    config = Decontaminate(
        suites=tuple(suites),
        files=tuple(DecontaminateFile(path=path, field=field) for path, field in files),
        threshold=threshold,
    )
    return DecontaminateStep(config).apply(rows, context)


def repair(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    encoding: bool = True,
    controls: bool = True,
    nfc: bool = True,
) -> Outcome:
    """Repair encoding damage; `changed` says what was done to which row."""
    context, rows = _prepared(frame)
    config = Repair(encoding=encoding, controls=controls, nfc=nfc)
    return _rehashed(RepairStep(config).apply(rows, context), context)


def filter(
    frame: pl.LazyFrame | pl.DataFrame, *, preset: str | None = None, **rules: Any
) -> Outcome:
    """Drop rows by named rules.

    Args:
        frame: rows of one type.
        preset: `chat`, `solutions` or `web`.
        rules: name of a rule → its settings as a dictionary, True, or False; `patterns` is a list.
    """
    context, rows = _prepared(frame)
    config = Filter.model_validate({**({"preset": preset} if preset else {}), **rules})
    return FilterStep(config).apply(rows, context)


def redact(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    kinds: Sequence[str] = PERSONAL_KINDS,
    action: str = "redact",
    map: str | Path | None = None,
) -> Outcome:
    """Replace personal data by placeholders, or drop the rows that hold some.

    Args:
        frame: rows of one type.
        kinds: of email, phone, card, iban, ip, key.
        action: `redact` or `drop`.
        map: a file for what each placeholder stood for, written with mode 0600.
    """
    context, rows = _prepared(frame)
    settings = {"kinds": tuple(kinds), "action": action, "map": None if map is None else str(map)}
    outcome = RedactStep(Redact.model_validate(settings)).apply(rows, context)
    if outcome.private is not None:
        write_private([outcome.private])
    return _rehashed(outcome, context)


def _rehashed(outcome: Outcome, context: StepContext) -> Outcome:
    """Changed rows have another content hash."""
    if outcome.changed.is_empty():
        return outcome
    return replace(outcome, kept=hashed_content(outcome.kept, context.type))


def split(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    validation: float = 0.05,
    test: float = 0.05,
    seed: int = 0,
    similarity: float = 0.7,
) -> dict[str, pl.LazyFrame]:
    """Return split name → rows; what is alike is in one split. Splits without rows are absent."""
    asked = Split(validation=validation, test=test, seed=seed, similarity=similarity)
    context, rows = _prepared(frame, loosest=similarity)
    place = positions(rows)
    assignment = split_rows(place, rows, asked, context)
    out = {}
    for number, name in enumerate(SPLITS):
        chosen = pl.DataFrame({ROW: place[assignment.split == number]})
        if chosen.height:
            out[name] = rows.join(chosen.lazy(), on=ROW, how="semi", maintain_order="left")
    return out


def run(recipe: str | Path | None = None, *overrides: str, dry_run: bool = False) -> CurateResult:
    """Make the dataset that a recipe describes, as `temper curate RECIPE --set …` does."""
    from curate.recipe import CurateSection
    from evalsuite.models import ModelSection
    from workspace.recipe import load_recipe

    path = Path(recipe) if recipe is not None else None
    loaded = load_recipe(path, {"curate": CurateSection, "model": ModelSection}, overrides)
    return run_curate(loaded, loaded.workspace, dry_run=dry_run)


def _prepared(
    frame: pl.LazyFrame | pl.DataFrame, *, loosest: float = 0.7
) -> tuple[StepContext, pl.LazyFrame]:
    """Return a context over the frame, which gets the columns that steps need and it lacks."""
    held = frame.lazy().collect()
    kind = _type_of(held.columns)
    held = held.drop(ROW, strict=False).with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    held = held.with_columns(
        *(_whole_turns(held, column) for column in TYPES[kind].turns), *_missing(held)
    )
    if "content_hash" not in held.columns:
        whole = held.with_columns(canonical(kind).alias("_whole"))
        hashed = whole.select(plh.col("_whole").chash.sha2_256().str.slice(0, 32))
        held = held.with_columns(hashed["_whole"].alias("content_hash"))
    if "id" not in held.columns:
        nth = pl.int_range(pl.len()).over("content_hash").cast(pl.String)
        held = held.with_columns(pl.concat_str("content_hash", nth, separator="-").alias("id"))
    lazy = held.lazy()
    here = Path.cwd()
    return StepContext(lazy, kind, Workspace.find(here), here, loosest), lazy


def _type_of(columns: Sequence[str]) -> str:
    order = ("unpaired_preference", "preference", "prompt_completion", "messages", "answer", "text")
    for kind in order:
        if {*TYPES[kind].all} <= {*columns}:
            return kind
    raise DataError(
        "these rows are of no known dataset type",
        cause=f"Their columns are {', '.join(columns)}.",
        cure="`curate.read(FILE)` brings other formats into one.",
    )


def _whole_turns(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Give every turn all the fields a turn can have."""
    dtype: Any = frame.schema[column]
    has = {field.name for field in dtype.inner.fields}
    turn = pl.element().struct
    fields = [
        turn.field(name) if name in has else pl.lit(None, kind).alias(name)
        for name, kind in _TURN_FIELDS.items()
    ]
    return pl.col(column).list.eval(pl.struct(fields))


def _missing(frame: pl.DataFrame) -> list[pl.Expr]:
    kinds: dict[str, Any] = dict.fromkeys(("tools", *MARKS), pl.String)
    kinds |= {"row": pl.Int64, "parents": pl.List(pl.String)}
    return [
        pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame.columns
    ]
