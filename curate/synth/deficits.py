"""What is missing: so many rows, rare labels, or abilities that an evaluation found wanting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.synth.gaps import gap_deficits
from curate.synth.recipe import FailedAbilities, RareLabels, Target
from curate.synth.seeds import SeedTable
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import TokenTable, tokenise
from evalsuite.similarity.verify import Weights
from workspace.errors import DataError
from workspace.layout import Workspace

Rows = NDArray[np.int64]

_WRONG_BELOW = 0.5
"""An item with a smaller score was answered wrongly."""
_MOST_FAILED = 500
"""So many wrongly answered items are enough to find what lies near them."""
_COMMON = 0.2
"""A word in more of the rows than this tells nothing about which is near."""


@dataclass(frozen=True)
class Deficit:
    """One thing that is missing."""

    name: str
    """`all`, a label, or an ability."""
    wanted: int
    """Rows to make."""
    pool: Rows
    """Places in the seed table that rows may be made from."""
    label: str | None = None
    """The label that made rows get; None: that of what they are made from."""
    answer: str | None = None
    """The answer that every made row must have; None: any."""
    why: str = ""


def find_deficits(
    target: Target, seeds: SeedTable, workspace: Workspace, base_dir: Path
) -> tuple[list[Deficit], list[str]]:
    """Return what is missing, the largest first, and what a person should know.

    Raises:
        DataError: there is nothing to make rows from, or the source has no labels.
        UsageError: no such evaluation.
    """
    if not len(seeds):
        raise DataError(
            "there is no row to make others from",
            cause=f"{seeds.unusable:,} rows use tools or do not end with a question and answer.",
        )
    if target.labels is not None:
        found, notes = _rare_labels(target.labels, seeds)
    elif target.evaluation is not None:
        found, notes = _failed_abilities(target.evaluation, seeds, workspace)
    elif target.deficits is not None:
        gaps, notes = gap_deficits(target.deficits, seeds.frame["id"], base_dir)
        found = [Deficit(one.name, one.rows, one.pool, why=one.why) for one in gaps]
    else:
        every = np.arange(len(seeds), dtype=np.int64)
        found, notes = [Deficit("all", target.rows or 0, every, why="as many as asked for")], []
    if seeds.unusable:
        notes.append(
            f"{seeds.unusable:,} source rows were passed over: they use tools, or do not end with "
            "a question and its answer."
        )
    return sorted(found, key=lambda one: (-one.wanted, one.name)), notes


def _rare_labels(target: RareLabels, seeds: SeedTable) -> tuple[list[Deficit], list[str]]:
    labels = seeds.frame[target.by]
    if labels.null_count() == len(labels):
        raise DataError(
            "the source rows have no labels",
            where="augment.target.labels",
            cause="No row of the dataset has a label in `meta.label`.",
            cure="Name the column when curating (`columns: {label: …}`), or say `by: answer`.",
        )
    counted = pl.DataFrame({"label": labels}).with_row_index("place").drop_nulls("label")
    groups = counted.group_by("label", maintain_order=True).agg("place").sort("label")
    unknown = sorted({*target.only} - {*groups["label"]})
    if unknown:
        raise DataError(
            f"no source row has the label {unknown[0]!r}",
            where="augment.target.labels.only",
            cause=f"The labels are: {', '.join(groups['label'].head(20))}.",
        )
    out = []
    for label, places in groups.iter_rows():
        missing = target.least - len(places)
        if missing > 0 and (not target.only or label in target.only):
            why = f"{len(places):,} rows, {target.least:,} wanted"
            answer = label.strip() if target.by == "answer" else None
            pool = np.array(places, np.int64)
            out.append(Deficit(label, missing, pool, label, answer, why))
    enough = groups.height - len(out)
    return out, [f"{enough:,} of {groups.height:,} labels have enough rows."] if enough else []


def _failed_abilities(
    target: FailedAbilities, seeds: SeedTable, workspace: Workspace
) -> tuple[list[Deficit], list[str]]:
    from evalsuite.report.document import read_results

    directory = workspace.evaluation(target.name)
    comparisons = read_results(directory).comparisons
    chosen = [one for one in comparisons if target.model in (None, one.tuned)]
    if not chosen:
        known = ", ".join(one.tuned for one in comparisons) or "none"
        raise DataError(
            "this evaluation compares no such model", where=str(directory), cause=f"It has {known}."
        )
    model = chosen[0].tuned
    abilities = {
        ability.name: f"{ability.verdict}: {ability.sentence}"
        for ability in chosen[0].verdict.abilities
        if ability.name in target.abilities
        or (not target.abilities and ability.verdict in target.verdicts)
    }
    missing = sorted({*target.abilities} - {*abilities})
    if missing:
        known = ", ".join(ability.name for ability in chosen[0].verdict.abilities)
        raise DataError(
            f"this evaluation has no ability {missing[0]!r}",
            where=str(directory),
            cause=f"It has: {known}.",
        )
    samples = pl.read_parquet(
        directory / "samples.parquet", columns=["ability", "model", "prompt", "score"]
    )
    out, notes = [], [f"{directory.name}, {model}: {len(abilities)} abilities call for rows."]
    for name, why in abilities.items():
        pool, how = _pool(name, samples, model, target, seeds)
        label = name if how == "label" else None
        if pool.size:
            notes.append(f"{name}: {pool.size:,} source rows, found by {how}.")
            out.append(Deficit(name, target.rows, pool, label, why=why))
        else:
            notes.append(f"{name}: no source row is like it; nothing can be made for it.")
    return out, notes


def _pool(
    ability: str, samples: pl.DataFrame, model: str, target: FailedAbilities, seeds: SeedTable
) -> tuple[Rows, str]:
    """Return the source rows to make rows for an ability from, and how they were found."""
    labelled = (seeds.frame["label"] == ability).fill_null(False).arg_true().to_numpy()
    if labelled.size:
        return labelled.astype(np.int64), "label"
    mine = samples.filter((pl.col("ability") == ability) & (pl.col("model") == model))
    wrong = mine.filter(pl.col("score") < _WRONG_BELOW)["prompt"].unique(maintain_order=True)
    texts = seeds.frame["question"]
    if seeds.type == "text":
        texts = seeds.frame["answer"]
    near = nearest_rows(wrong.head(_MOST_FAILED), texts, target.nearest)
    return near, f"likeness to {len(wrong):,} items answered wrongly"


def nearest_rows(items: pl.Series, texts: pl.Series, count: int) -> Rows:
    """Return the rows that are among the `count` most like some item, ascending.

    The cosine over words weighted by rarity, computed for every pair that shares a word which is
    not in most rows.
    """
    if not len(items) or not len(texts):
        return np.empty(0, np.int64)
    rows, asked = unique_per_row(tokenise(texts)), unique_per_row(tokenise(items))
    weights = Weights.learn(rows)
    left, right = _long(asked, weights, "item"), _long(rows, weights, "row")
    common = right.group_by("token").len().filter(pl.col("len") > max(50, _COMMON * len(texts)))
    right_kept = right.join(common, on="token", how="anti")
    norms = right.group_by("row").agg(pl.col("weight").sum().sqrt().alias("norm"))
    shared = left.join(right_kept, on="token").group_by("item", "row").agg(pl.col("weight").sum())
    scored = shared.join(norms, on="row").with_columns(
        (pl.col("weight") / pl.col("norm")).alias("score")
    )
    best = (
        scored.sort("item", "score", "row", descending=[False, True, False])
        .group_by("item", maintain_order=True)
        .head(count)
    )
    return best["row"].unique().sort().to_numpy().astype(np.int64)


def _long(table: TokenTable, weights: Weights, name: str) -> pl.DataFrame:
    rows = np.repeat(np.arange(len(table), dtype=np.int64), table.lengths)
    return pl.DataFrame(
        {name: rows, "token": table.hashes, "weight": weights.of(table.hashes)}
    ).select(*((name, "token", "weight") if name == "row" else (name, "token")))


def describe(deficits: Sequence[Deficit]) -> list[list[str]]:
    """Return the lines of a table: name, rows to make, rows to make them from, why."""
    return [[one.name, f"{one.wanted:,}", f"{one.pool.size:,}", one.why] for one in deficits]


__all__ = ["Deficit", "describe", "find_deficits", "nearest_rows"]
