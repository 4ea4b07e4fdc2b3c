"""The commands as Python functions on polars frames, with the same names."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl
import polars_hash as plh
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from curate.conventions.configs import Consistency
from curate.curating import CurateResult, run_curate
from curate.frame import MARKS, ROW, hashed_content
from curate.given import given, whole_turns
from curate.images_out import with_bytes
from curate.one_step import section_for, step_config
from curate.pipeline import curate_rows
from curate.private import write_private
from curate.recipe import Split
from curate.splitting import SPLITS, split_rows
from curate.steps.balance import BalanceStep
from curate.steps.balancing.configs import Balance, Mix
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
from curate.steps.mix import MixStep
from curate.steps.near_duplicates import NearDuplicatesStep
from curate.steps.quality.configs import PERSONAL_KINDS, Filter, Redact, Repair
from curate.steps.redact import RedactStep
from curate.steps.registry import make_step
from curate.steps.repair import RepairStep
from curate.steps.score import ScoreStep
from curate.steps.scoring.configs import Score
from curate.steps.select import SelectStep
from curate.steps.selection.configs import Select
from curate.steps.selection.vectors import Vectors, whole_numbers
from curate.texts import TYPES, canonical
from workspace.errors import DataError, UsageError
from workspace.layout import RECIPE, Workspace
from workspace.recipe import Section

if TYPE_CHECKING:
    from curate.calibration.outcome import Calibration
    from curate.conventions.looking import Consistent
    from curate.covering.result import Coverage
    from curate.ledger import Ledger
    from curate.synth.augmenting import AugmentResult

Config = TypeVar("Config", bound=Section)


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
    format: str = "auto",
    header: Sequence[str] = (),
    quotes: bool = True,
    encoding: str = "utf-8",
    max_quarantine: float = 0.01,
) -> Rows:
    """Read files of any known format into rows of one type.

    Args:
        paths: files and globs.
        type: the dataset type; `auto` takes what most rows are.
        columns: usual name → your column's name.
        format: of the files; `auto` tells it from each name.
        header: column names of tables whose first line is a record already.
        quotes: whether fields of tables may be quoted.
        encoding: of tables.
        max_quarantine: largest share of rows that may be unusable.
    """
    named = ",".join(f"{usual}={own}" for usual, own in (columns or {}).items())
    section = section_for(
        [str(path) for path in paths],
        named,
        format,
        table={"header": tuple(header), "quotes": quotes, "encoding": encoding},
        type=type,
        max_quarantine=max_quarantine,
    )
    work = Path(tempfile.mkdtemp(prefix="curate-"))
    # The frame is lazy: its rows stay on disk for as long as anything may collect them.
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    curated = curate_rows(section, _workspace(Path.cwd()), Path.cwd(), work)
    frame = curated.kept
    if curated.images is not None:
        frame = with_bytes(frame, curated.images, work / "with-images.parquet")
    return Rows(frame, curated.type, curated.dropped, curated.ledger)


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


def calibrate(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    precision: float = 0.99,
    seed: int = 0,
    plants: int = 2000,
    sample: int = 20_000,
) -> Calibration:
    """Say which threshold of `dedupe` suits these rows, from plants of known truth among them.

    Args:
        frame: rows.
        precision: wanted share of true copies among the rows removed, above 0 and below 1.
        seed: the same one makes the same plants.
        plants: how many rows to plant, half of them copies.
        sample: most rows to draw plants from and to compare with each other.

    Raises:
        UsageError: a value that cannot be.
        DataError: too few rows to make plants of.
    """
    from curate.calibration.calibrate import THRESHOLDS
    from curate.calibration.calibrate import calibrate as measure

    context, _ = _prepared(frame, loosest=THRESHOLDS[0])
    return measure(context, precision=precision, seed=seed, plants=plants, sample=sample)


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


def step(frame: pl.LazyFrame | pl.DataFrame, name: str, **settings: Any) -> Outcome:
    """Apply any step of a recipe by its name, for example `step(frame, "contradictions")`.

    Raises:
        UsageError: there is no such step, or it does not take these settings.
    """
    config = step_config(name, settings)
    context, rows = _prepared(frame)
    return make_step(config).apply(rows, context)


def balance(
    frame: pl.LazyFrame | pl.DataFrame,
    by: str | Sequence[str] = "label",
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Give each label, source, length, script or value of a column its share.

    Args:
        frame: rows; the label is in `user_label`.
        by: one name, or several for each combination.
        model: a directory whose tokenizer counts trained tokens; without it, words are counted.
        settings: as in the recipe: `cap`, `upsample`, `target`, `temperature`, `count` …
    """
    context, rows = _prepared(frame)
    context.model = _model_directory(model)
    config = _checked(Balance, {"by": by, **settings})
    return BalanceStep(config).apply(rows, context)


def select(
    frame: pl.LazyFrame | pl.DataFrame,
    rows: float,
    *,
    vectors: NDArray[Any] | str | None = None,
    **settings: Any,
) -> Outcome:
    """Keep a subset of the rows that represents them all.

    Args:
        frame: rows.
        rows: how many, or a share below 1.
        vectors: your own embeddings, shape (rows, dimensions), or a folder with an embedder,
            instead of words.
        settings: as in the recipe: `method`, `quality`, `quality_share`, `text`, `seed`.

    Raises:
        DataError: not one vector for each row.
    """
    context, held = _prepared(frame)
    own = None
    if isinstance(vectors, str):
        settings["vectors"] = vectors
    elif vectors is not None:
        if vectors.ndim != 2 or len(vectors) != len(context.ids):
            raise DataError(
                "one vector is needed for each row",
                cause=f"There are {len(context.ids):,} rows; `vectors` has the shape "
                f"{vectors.shape}.",
            )
        own = Vectors(whole_numbers(vectors))
    config = _checked(Select, {"rows": rows, **settings})
    return SelectStep(config, own).apply(held, context)


def semantic_duplicates(
    frame: pl.LazyFrame | pl.DataFrame, embedder: str, *, threshold: float = 0.95, **settings: Any
) -> Outcome:
    """Drop rows that mean the same as a better one, by the cosine of their embeddings.

    Args:
        frame: rows.
        embedder: a model2vec or sentence-transformers folder, a hub name, or `lexical`.
        threshold: least cosine.
        settings: as in the recipe: `text`, `keep`, `same_numbers`.
    """
    return step(frame, "semantic_duplicates", embedder=embedder, threshold=threshold, **settings)


def topics(frame: pl.LazyFrame | pl.DataFrame, count: int = 20, **settings: Any) -> Outcome:
    """Give each row a topic, in the column `topic`: a cluster of vectors, named by its words.

    Args:
        frame: rows.
        count: how many topics.
        settings: as in the recipe: `embedder`, `text`, `words`, `seed`.
    """
    return step(frame, "topics", count=count, **settings)


def mix(
    frames: Mapping[str, pl.LazyFrame | pl.DataFrame],
    weights: Mapping[str, float],
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Make one dataset of several, by shares of tokens or rows.

    Args:
        frames: name → rows, all of one type; rows without a `source` get the name.
        weights: name → weight; their sum counts as 1.
        model: a directory whose tokenizer counts trained tokens; without it, words are counted.
        settings: as in the recipe: `count`, `size`, `keep`, `max_repeats`, `seed`.
    """
    if set(frames) != set(weights) or not frames or min(weights.values(), default=0) <= 0:
        raise UsageError(
            "each frame needs a weight above 0",
            cause=f"Frames: {', '.join(frames)}; weights: {', '.join(weights)}.",
        )
    parts = [
        _named_source(frame.lazy().collect(), number)
        for number, frame in enumerate(frames.values())
    ]
    kinds = sorted({_type_of(part.columns) for part in parts})
    if len(kinds) > 1:
        raise DataError(
            "rows of two types cannot be mixed",
            cause=f"The frames are of type {', '.join(kinds)}.",
            cure="`curate.read(FILE, type=…)` brings them to one.",
        )
    context, rows = _prepared(_with_own_ids(pl.concat(parts, how="diagonal_relaxed")))
    context.model = _model_directory(model)
    names = list(frames)
    entries = {_MIXED.format(number): number for number in range(len(names))}
    step = MixStep(_checked(Mix, settings), entries, [weights[name] for name in names], names)
    outcome = step.apply(rows, context)
    number = pl.col("source").replace_strict(entries, return_dtype=pl.Int64)
    name = number.replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    kept = outcome.kept.with_columns(pl.coalesce("_source", name).alias("source")).drop("_source")
    return replace(outcome, kept=kept)


_MIXED = "\x00{}"


def _named_source(frame: pl.DataFrame, number: int) -> pl.DataFrame:
    """Put the number of a frame where mixing looks, and its own sources beside it."""
    own = pl.col("source") if "source" in frame.columns else pl.lit(None, pl.String)
    return given(frame, _type_of(frame.columns)).with_columns(
        own.cast(pl.String).alias("_source"), pl.lit(_MIXED.format(number)).alias("source")
    )


def _with_own_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Number ids that two frames share: each row has one of its own."""
    if "id" not in frame.columns:
        return frame
    nth = pl.int_range(pl.len()).over("id")
    twice = pl.concat_str("id", pl.lit("-"), nth.cast(pl.String))
    return frame.with_columns(pl.when(nth == 0).then("id").otherwise(twice).alias("id"))


def _model_directory(model: str | Path | None) -> Path | None:
    from evalsuite.models import ModelSection, resolve_model

    return resolve_model(ModelSection(path=str(model)), Path.cwd()).path if model else None


def _checked(config: type[Config], settings: dict[str, Any]) -> Config:
    """Return the settings as a step takes them.

    Raises:
        UsageError: the first that it does not.
    """
    try:
        return config.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "this value cannot be used", where=place, cause=f"{first['msg']}."
        ) from None


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
    presidio: Mapping[str, Any] | None = None,
) -> Outcome:
    """Replace personal data by placeholders, or drop the rows that hold some.

    Args:
        frame: rows of one type.
        kinds: of email, phone, card, iban, ip, key.
        action: `redact` or `drop`.
        map: a file for what each placeholder stood for, written with mode 0600.
        presidio: as in the recipe: `model`, `language`, `entities`, `score`; needs the extra `pii`.

    Raises:
        UsageError: a value that the step does not take, or no such spaCy model.
    """
    context, rows = _prepared(frame)
    settings = {
        "kinds": tuple(kinds),
        "action": action,
        "map": None if map is None else str(map),
        "presidio": presidio,
    }
    outcome = RedactStep(_checked(Redact, settings)).apply(rows, context)
    if outcome.private is not None:
        write_private([outcome.private])
    return _rehashed(outcome, context)


def _rehashed(outcome: Outcome, context: StepContext) -> Outcome:
    """Changed rows have another content hash."""
    if outcome.changed.is_empty():
        return outcome
    return replace(outcome, kept=hashed_content(outcome.kept, context.type))


def score(
    frame: pl.LazyFrame | pl.DataFrame,
    kind: str,
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Give every row a number by a model, in the struct column `scores`, and drop rows by it.

    Args:
        frame: rows of one type.
        kind: `perplexity`, `ifd`, `judge` or `reward`.
        model: `builtin`, a directory or a hub name, for all but `judge`.
        settings: as in the recipe: `min`, `max`, `keep_share`, `name`, `backend`, `rubric` …

    Raises:
        UsageError: there is no such kind, or it does not take these settings.
        ModelError: the model cannot be used.
    """
    given = {**settings, **({"model": str(model)} if model is not None else {})}
    context, rows = _prepared(frame)
    return ScoreStep(_checked(Score, {kind: given})).apply(rows, context)


def coverage(
    frame: pl.LazyFrame | pl.DataFrame,
    against: str | Path | Sequence[str],
    *,
    field: str | None = None,
    vectors: str = "lexical",
    regions: int | None = None,
    sample: int = 5_000,
    seed: int = 0,
) -> Coverage:
    """Find what training rows lack, against a sample of real inputs.

    Args:
        frame: training rows of one type.
        against: real inputs: a file of rows with or without answers, a dataset, a text file with
            one input on each line, or the texts themselves.
        field: the column with the input; left out: the usual ones.
        vectors: a folder with an embedder, or `lexical`: words weighted by their rarity.
        regions: how many; left out: one for each 40 distinct inputs, 2 to 120.
        sample: most real inputs to compare.
        seed: of the sample and of the regions.

    Raises:
        DataError: no training row, or no real input.
    """
    from curate.covering.inputs import given_inputs, read_inputs
    from curate.covering.measure import measure_coverage

    if isinstance(against, str | Path):
        inputs = read_inputs(str(against), field=field, sample=sample, seed=seed)
    else:
        inputs = given_inputs(against, sample=sample, seed=seed)
    context, _ = _prepared(frame)
    return measure_coverage(context, inputs, vectors=vectors, regions=regions, seed=seed)


def consistency(
    frame: pl.LazyFrame | pl.DataFrame, *, share: float = 0.95, language: bool = True
) -> Consistent:
    """Find answers whose form, keys, labels or style depart from what nearly all others do.

    Args:
        frame: rows of one type; `source` says where each is from, if it is there.
        share: least share of rows that makes a convention.
        language: tell the language of long answers, which takes most of the time.

    Returns:
        The findings, and the rows that depart. Nothing is dropped: the step `consistency` does.
    """
    from curate.conventions.looking import look

    context, rows = _prepared(frame)
    return look(rows, context, _checked(Consistency, {"share": share, "language": language}))


def split(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    validation: float = 0.05,
    test: float = 0.05,
    seed: int = 0,
    similarity: float = 0.7,
    stratify: str | Sequence[str] | None = None,
) -> dict[str, pl.LazyFrame]:
    """Return split name → rows; what is alike is in one split. Splits without rows are absent.

    Args:
        frame: rows.
        validation: share, or number from 1.
        test: share, or number from 1.
        seed: another sets other groups aside.
        similarity: rows at least this alike are one group.
        stratify: `label`, `source` … that has the same share in each split.
    """
    asked = Split.model_validate(
        {
            "validation": validation,
            "test": test,
            "seed": seed,
            "similarity": similarity,
            "stratify": stratify,
        }
    )
    context, rows = _prepared(frame, loosest=similarity)
    place = positions(rows)
    assignment = split_rows(place, rows, asked, context)
    out = {}
    for number, name in enumerate(SPLITS):
        chosen = pl.DataFrame({ROW: place[assignment.split == number]})
        if chosen.height:
            out[name] = rows.join(chosen.lazy(), on=ROW, how="semi", maintain_order="left")
    return out


def run(
    recipe: str | Path | None = None,
    *overrides: str,
    dry_run: bool = False,
    cache: bool = True,
    force: bool = False,
) -> CurateResult:
    """Make the dataset that a recipe describes, as `temper curate RECIPE --set …` does.

    Args:
        recipe: its file; None: `temper.yaml` here or above.
        overrides: `key=value` pairs.
        dry_run: do everything but publish.
        cache: use and keep results below `cache/steps/`.
        force: begin although memory or disk will not do, by the plan.
    """
    from curate.recipe import CurateSection
    from evalsuite.models import ModelSection
    from workspace.recipe import load_recipe

    path = Path(recipe) if recipe is not None else None
    loaded = load_recipe(path, {"curate": CurateSection, "model": ModelSection}, overrides)
    return run_curate(loaded, loaded.workspace, dry_run=dry_run, cache=cache, force=force)


def augment(
    recipe: str | Path | None = None, *overrides: str, dry_run: bool = False
) -> AugmentResult:
    """Make the rows that a recipe's `augment` section asks for, as `temper curate augment` does."""
    from curate.recipe import CurateSection
    from curate.synth.augmenting import run_augment
    from curate.synth.recipe import AugmentSection
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection
    from workspace.recipe import load_recipe

    path = Path(recipe) if recipe is not None else None
    sections: dict[str, type[BaseModel]] = {
        "curate": CurateSection,
        "model": ModelSection,
        "augment": AugmentSection,
        "evaluate": EvalSection,
    }
    loaded = load_recipe(path, sections, overrides)
    return run_augment(loaded, loaded.workspace, dry_run=dry_run)


def _prepared(
    frame: pl.LazyFrame | pl.DataFrame, *, loosest: float = 0.7
) -> tuple[StepContext, pl.LazyFrame]:
    """Return a context over the frame, which gets the columns that steps need and it lacks."""
    held = frame.lazy().collect()
    whole, kind = completed(given(held, _type_of(held.columns)))
    lazy = whole.collect().lazy()
    here = Path.cwd()
    return StepContext(lazy, kind, _workspace(here), here, loosest), lazy


def _workspace(here: Path) -> Workspace:
    """Return the workspace; where no recipe makes one, nothing is kept when Python ends."""
    found = Workspace.find(here)
    return found if (found.root / RECIPE).is_file() else replace(found, cache_elsewhere=_passing())


@cache
def _passing() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="curate-cache-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def completed(frame: pl.LazyFrame | pl.DataFrame) -> tuple[pl.LazyFrame, str]:
    """Return the frame with the columns that steps need and it lacks, `_row` anew; and its type."""
    lazy = frame.lazy()
    empty = lazy.head(0).collect()
    kind = _type_of(empty.columns)
    turns = [whole_turns(empty, column) for column in TYPES[kind].turns]
    numbered = lazy.drop(ROW, strict=False).with_row_index(ROW)
    held = numbered.with_columns(pl.col(ROW).cast(pl.Int64), *turns, *_missing(empty))
    if "content_hash" not in empty.columns:
        whole = held.with_columns(canonical(kind).alias("_whole"))
        digest = plh.col("_whole").chash.blake3().str.slice(0, 32)
        held = whole.with_columns(digest.alias("content_hash")).drop("_whole")
    nth = pl.int_range(pl.len()).over("content_hash").cast(pl.String)
    made = pl.concat_str("content_hash", nth, separator="-")
    own = pl.col("id").cast(pl.String) if "id" in empty.columns else pl.lit(None, pl.String)
    return held.with_columns(pl.coalesce(own, made).alias("id")), kind


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


def _missing(frame: pl.DataFrame) -> list[pl.Expr]:
    kinds: dict[str, Any] = dict.fromkeys(("tools", *MARKS), pl.String)
    kinds |= {"row": pl.Int64, "parents": pl.List(pl.String), "quality": pl.Float64}
    return [
        pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame.columns
    ]
