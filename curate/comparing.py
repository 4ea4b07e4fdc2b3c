"""Two datasets held against each other: which rows came, went, changed or moved, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.phrases import phrase
from curate.splitting import SPLITS
from workspace.errors import DataError
from workspace.files import read_json
from workspace.yaml import load_yaml

EXAMPLES = 3
_WHATS = ("came", "went", "changed", "moved")
_ROWS = {"id": pl.String, "content_hash": pl.String, "split": pl.String, "made": pl.Boolean}


@dataclass(frozen=True)
class Group:
    """Rows to which the same happened for the same reason."""

    what: str
    """`came` (in the second dataset only), `went`, `changed` (another text), `moved` (split)."""
    why: str
    rows: int
    examples: tuple[str, ...]
    """Ids of the first of them."""


@dataclass(frozen=True)
class Setting:
    """A value of the two recipes that differs; None where a recipe has none."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Difference:
    """What is different between two datasets."""

    rows_before: int
    rows_after: int
    same: int
    """Rows with the same text in the same split."""
    groups: tuple[Group, ...]
    settings: tuple[Setting, ...]

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "schema_version": 1,
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
            "same": self.same,
            "groups": [vars(group) | {"examples": [*group.examples]} for group in self.groups],
            "settings": [vars(setting) for setting in self.settings],
        }


def compare(before: Path, after: Path) -> Difference:
    """Compare two published datasets, row by row, by the ids of the rows.

    Raises:
        DataError: one of the directories is no dataset.
    """
    old, new = _rows(before), _rows(after)
    both = old.join(
        new, on="id", how="full", suffix="_after", coalesce=True, maintain_order="left_right"
    )
    gone, came = pl.col("split_after").is_null(), pl.col("split").is_null()
    stays = ~gone & ~came
    changed = stays & (pl.col("content_hash") != pl.col("content_hash_after"))
    moved = stays & ~changed & (pl.col("split") != pl.col("split_after"))
    what = (
        pl.when(gone).then(pl.lit("went")).when(came).then(pl.lit("came"))
        .when(changed).then(pl.lit("changed")).when(moved).then(pl.lit("moved"))
    )  # fmt: skip
    told = both.with_columns(what.alias("what")).filter(pl.col("what").is_not_null())
    causes = pl.concat(
        [
            _dropped(after).with_columns(pl.lit("went").alias("what")),
            _dropped(before).with_columns(pl.lit("came").alias("what")),
            _altered(after).with_columns(pl.lit("changed").alias("what")),
        ]
    )
    told = told.join(causes, on=["id", "what"], how="left", maintain_order="left")
    told = told.with_columns(pl.coalesce("why", _unexplained()).alias("why"))
    return Difference(
        old.height,
        new.height,
        both.height - told.height,
        tuple(_groups(told)),
        tuple(_settings(before, after)),
    )


def _rows(dataset: Path) -> pl.DataFrame:
    if not (dataset / "ledger.json").is_file():
        raise DataError(
            "this is no dataset",
            where=str(dataset),
            cause="It has no ledger.json.",
            cure="Name a dataset, or a directory below datasets/NAME/.",
        )
    parts = [pl.DataFrame(schema=_ROWS)]
    for split in SPLITS:
        path = dataset / f"{split}.parquet"
        if path.is_file():
            made = pl.col("meta").struct.field("parents").list.len() > 0
            rows = pl.scan_parquet(path, glob=False)
            chosen = rows.select(
                "id", "content_hash", pl.lit(split).alias("split"), made.alias("made")
            )
            parts.append(chosen.collect())
    return pl.concat(parts)


def _dropped(dataset: Path) -> pl.DataFrame:
    rows = pl.scan_parquet(dataset / "dropped.parquet", glob=False)
    return rows.select("id", phrase("{}: {}", "step", "reason").alias("why")).collect()


def _altered(dataset: Path) -> pl.DataFrame:
    path = dataset / "altered.parquet"
    if not path.is_file():
        return pl.DataFrame(schema={"id": pl.String, "why": pl.String})
    told = phrase("{}: {}", "step", "reason").alias("why")
    last = pl.scan_parquet(path, glob=False).select("id", told).unique("id", keep="last")
    return last.collect()


def _unexplained() -> pl.Expr:
    moved = phrase("{} → {}", "split", "split_after")
    return (
        pl.when(pl.col("what") == "moved").then(moved)
        .when(pl.col("what") == "changed").then(pl.lit("as it was read"))
        .when(pl.col("what") == "went").then(pl.lit("not read, or not made"))
        .when("made_after").then(pl.lit("made"))
        .otherwise(pl.lit("not read before"))
    )  # fmt: skip


def _groups(told: pl.DataFrame) -> Iterator[Group]:
    found = told.group_by("what", "why", maintain_order=True).agg(
        pl.len().alias("rows"), pl.col("id").head(EXAMPLES).alias("examples")
    )
    groups = [
        Group(row["what"], row["why"], row["rows"], tuple(row["examples"]))
        for row in found.iter_rows(named=True)
    ]
    yield from sorted(groups, key=lambda one: (_WHATS.index(one.what), -one.rows, one.why))


def _settings(before: Path, after: Path) -> Iterator[Setting]:
    old, new = (dict(_flat(_recipe(path))) for path in (before, after))
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield Setting(key, old.get(key), new.get(key))


def _recipe(dataset: Path) -> Mapping[str, Any]:
    """Return what the dataset was made by: the recipe's values, its sources, its tokenizer."""
    path = dataset / "recipe.yaml"
    whole = load_yaml(path).data if path.is_file() else {}
    found = whole.get("curate")
    told = {**found} if isinstance(found, dict) else {}
    if isinstance(told.get("steps"), list):
        told["steps"] = _by_name(told["steps"])
    ledger = read_json(dataset / "ledger.json", kind="ledger")
    files = {source["name"]: source["sha256"] for source in ledger.get("sources", ())}
    told |= {"model": whole.get("model"), "tokenizer": ledger.get("tokenizer"), "sha256 of": files}
    return told


def _by_name(steps: Sequence[Any]) -> dict[str, Any]:
    """Return steps by their names, so that a step put in between renames no other, and their order.

    A step that is there twice is `name`, then `name 2`, as in the ledger.
    """
    named: dict[str, Any] = {}
    for step in steps:
        name, settings = next(iter(step.items())) if isinstance(step, dict) else (str(step), {})
        again = sum(1 for known in named if known.split()[0] == name)
        named[name if not again else f"{name} {again + 1}"] = settings
    return {"in order": ", ".join(named), **named}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}.{number}")
    elif value is not None:
        yield key, str(value)


__all__ = ["Difference", "Group", "Setting", "compare"]
