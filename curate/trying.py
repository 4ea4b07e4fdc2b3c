"""Other settings of a step, tried at once on rows of a published dataset.

What is tried is what reached the step: the rows that were kept, and those that it or a later step
dropped. It is exact for a step that decides row by row on rows that no step between changed; a
whole curation (`temper curate --dry-run --set …`) is exact for every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.splitting import SPLITS
from curate.steps.base import Step, StepContext
from curate.texts import TYPES
from workspace.errors import DataError
from workspace.files import read_json
from workspace.layout import Workspace
from workspace.yaml import load_yaml

MOST_ROWS = 5_000
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class StepSettings:
    """A step of a dataset's recipe."""

    place: int
    """In the list of steps of the recipe, from 0."""
    name: str
    settings: Settings
    """All of them, with those that nobody named."""

    def numbers(self) -> dict[str, float | int]:
        """Return the numbers among the settings, by dotted name."""
        return dict(_numbers(self.settings, ""))


@dataclass(frozen=True)
class Tried:
    """What a step would do."""

    rows: int
    kept: int
    dropped: Mapping[str, int]
    """By reason."""
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Rows on which settings of one step are tried."""

    step: StepSettings
    context: StepContext
    rows: int
    of: int
    """All rows that reached the step."""
    loosest: float
    """The least similarity that the other steps and the split ask for."""

    def tried(self, settings: Settings) -> Tried:
        """Apply the step with these settings.

        Raises:
            UsageError: the step does not take them.
        """
        from curate.one_step import step_config
        from curate.steps.registry import make_step

        begun = time.perf_counter()
        if self.step.name == "near_duplicates":
            self.context.ask_from(min(self.loosest, float(settings["threshold"])))
        step: Step = make_step(step_config(self.step.name, settings))
        dropped = step.apply(self.context.base, self.context).dropped
        counts = dict(dropped.group_by("reason").len().sort("len", descending=True).rows())
        gone = sum(counts.values())
        return Tried(self.rows, self.rows - gone, counts, time.perf_counter() - begun)


def _numbers(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield key, value


def with_number(settings: Settings, key: str, value: float) -> dict[str, Any]:
    """Return settings with one number changed, by its dotted name.

    >>> with_number({"length": {"max_words": 40}}, "length.max_words", 50)
    {'length': {'max_words': 50}}
    """
    name, _, rest = key.partition(".")
    inner = with_number(settings[name], rest, value) if rest else value
    return {**settings, name: inner}


def steps_of(dataset: Path) -> dict[str, StepSettings]:
    """Return the steps of a dataset's recipe by the names that its ledger gives them.

    Raises:
        DataError: the recipe that lies beside the rows cannot be read.
    """
    recipe = load_yaml(dataset / "recipe.yaml").data
    listed = (recipe.get("curate") or {}).get("steps") or []
    found: dict[str, StepSettings] = {}
    for place, one in enumerate(listed):
        name, settings = next(iter(one.items())) if isinstance(one, Mapping) else (str(one), {})
        again = sum(1 for known in found if known.split()[0] == name)
        called = f"{name} {again + 1}" if again else str(name)
        found[called] = StepSettings(place, str(name), _given(settings or {}))
    return found


def _given(value: Any) -> Any:
    """Leave out what is not set."""
    if isinstance(value, Mapping):
        return {key: _given(inner) for key, inner in value.items() if inner is not None}
    return value


def open_trial(
    dataset: Path,
    step: str,
    workspace: Workspace,
    *,
    most: int = MOST_ROWS,
    tell: Callable[[str], None] = lambda text: None,
) -> Trial:
    """Read the rows that reached a step, or a sample of them.

    Args:
        dataset: the directory of a published dataset.
        step: as the ledger calls it.
        workspace: where the recipe is.
        most: rows to try on. A row and the one that it repeats are both in a sample or neither.
        tell: told what happens.

    Raises:
        DataError: the dataset cannot be read, or its recipe has no such step.
    """
    steps = steps_of(dataset)
    known = steps.get(step)
    if known is None:
        raise DataError("the recipe of this dataset has no such step", where=step)
    ledger = read_json(dataset / "ledger.json", kind="ledger")
    names = [one["step"] for one in ledger["steps"]]
    later = [*names[names.index(step) :]] if step in names else [step]
    tell("reading")
    try:
        reached = _reached(dataset, str(ledger["type"]), later)
        of = reached.select(pl.len()).collect().item()
        if of > most:
            share = pl.col("_with").hash(seed=0) % 1_000_003
            reached = reached.filter(share < 1_000_003 * most // of)
        held = reached.drop("_with").collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            "these rows cannot be read", where=str(dataset), cause=f"{error}"[:300]
        ) from error
    from curate.api.frames import completed

    whole, kind = completed(held.drop("_row", strict=False))
    base = whole.collect().lazy()
    context = StepContext(base, kind, workspace, workspace.root, tell=tell)
    return Trial(known, context, held.height, of, _loosest(dataset, steps, step))


def _loosest(dataset: Path, steps: Mapping[str, StepSettings], step: str) -> float:
    section = load_yaml(dataset / "recipe.yaml").data.get("curate") or {}
    asked = [
        one.settings.get("threshold", 1.0)
        for name, one in steps.items()
        if one.name == "near_duplicates" and name != step
    ]
    return float(min([*asked, (section.get("split") or {}).get("similarity", 0.7)]))


def _reached(dataset: Path, kind: str, later: list[str]) -> pl.LazyFrame:
    from curate.api.frames import completed
    from curate.opening import of_dataset

    splits = tuple(name for name in SPLITS if (dataset / f"{name}.parquet").is_file())
    kept, _ = completed(of_dataset(dataset, splits))
    parts = [kept.with_columns(pl.col("id").alias("_with"))]
    gone = pl.scan_parquet(dataset / "dropped.parquet", glob=False)
    columns = gone.collect_schema().names()
    if {*TYPES[kind].all} <= {*columns}:
        first = TYPES[kind].all[0]
        mine = gone.filter(pl.col("step").is_in(later) & pl.col(first).is_not_null())
        held, _ = completed(mine)
        parts.append(held.with_columns(pl.coalesce("duplicate_of", "id").alias("_with")))
    shared = [name for name in parts[0].collect_schema().names() if name != "_row"]
    chosen = [
        part.select(name for name in shared if name in part.collect_schema().names())
        for part in parts
    ]
    return pl.concat(chosen, how="diagonal_relaxed").sort("source", "row", maintain_order=True)
