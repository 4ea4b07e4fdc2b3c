"""The datasets of a workspace, and what became of the rows of one, from the files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.errors import DataError
from workspace.files import read_json

NEWEST_LEDGER = 1
_UNREADABLE = (DataError, OSError, KeyError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True)
class DatasetRow:
    """One dataset as its list shows it."""

    name: str
    path: Path
    """The directory that `current` points at."""
    rows: int | None = None
    dropped: int | None = None
    kind: str = ""
    made: float = 0.0
    """When it was published, in seconds since 1970."""
    versions: int = 1
    trouble: str = ""
    """Why it cannot be shown, if it cannot."""

    @property
    def digest(self) -> str:
        """Which version it is."""
        return self.path.name


@dataclass(frozen=True)
class Reason:
    """Why a step dropped rows, and how many."""

    code: str
    rows: int
    words: str
    """What the code means."""


@dataclass(frozen=True)
class FunnelStep:
    """What one step did to all sources."""

    name: str
    rows_in: int
    kept: int
    changed: int = 0
    made: int = 0
    seconds: float = 0.0
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Funnel:
    """What became of every row, step by step."""

    steps: tuple[FunnelStep, ...] = ()
    splits: tuple[tuple[str, int], ...] = ()
    """Rows of each split."""
    trouble: str = ""

    @property
    def rows_in(self) -> int:
        """Rows that were read."""
        return self.steps[0].rows_in if self.steps else 0


def step_text(step: FunnelStep) -> str:
    """Return all that is known of a step, as text to be read whole and copied."""
    lines = [f"{step.name}: {step.rows_in:,} in, {step.kept:,} kept, {step.seconds:.1f} s"]
    lines += [f"{step.changed:,} changed"] if step.changed else []
    lines += [f"{step.made:,} made"] if step.made else []
    lines += [f"{one.rows:,} dropped as {one.code}: {one.words}" for one in step.reasons]
    return "\n".join([*lines, *step.notes])


def dataset_text(row: DatasetRow) -> str:
    """Return all that is known of a dataset, as text to be read whole."""
    lines = [f"{row.name}/{row.digest}", str(row.path), row.kind, row.trouble]
    lines += [f"{row.rows:,} rows"] if row.rows is not None else []
    lines += [f"{row.dropped:,} dropped"] if row.dropped is not None else []
    return "\n".join(filter(None, lines))


def list_datasets(root: Path) -> tuple[DatasetRow, ...]:
    """Return the datasets below `root`, the newest first; one that cannot be read is told."""
    found = []
    try:
        parents = [path for path in (root / "datasets").iterdir() if not path.name.startswith(".")]
    except OSError:
        return ()
    for parent in parents:
        current = parent / "current"
        if current.is_symlink():
            found.append(_dataset(parent, current))
    return tuple(sorted(found, key=lambda row: (-row.made, row.name)))


def _dataset(parent: Path, current: Path) -> DatasetRow:
    path = current
    try:
        path = current.resolve()
        made = (path / "ledger.json").stat().st_mtime
        versions = sum(1 for one in parent.iterdir() if (one / "ledger.json").is_file())
        ledger = _ledger(path)
        rows = ledger["rows"]
        return DatasetRow(
            parent.name,
            path,
            _count(rows.get("kept")),
            _count(rows.get("dropped")),
            str(ledger.get("type", "")),
            made,
            max(1, versions - 1),
        )
    except (
        DataError,
        OSError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        RuntimeError,
    ) as error:
        return DatasetRow(parent.name, path, trouble=_said(error))


def read_funnel(path: Path) -> Funnel:
    """Return what became of the rows of the dataset in `path`; what cannot be read is told."""
    try:
        ledger = _ledger(path)
        words = ledger.get("reasons") or {}
        steps = tuple(_step(one, words) for one in ledger["steps"])
        splits = tuple((str(k), _count(v["rows"])) for k, v in ledger["splits"].items())
        return Funnel(steps, splits)
    except _UNREADABLE as error:
        return Funnel(trouble=_said(error))


def _ledger(path: Path) -> dict[str, Any]:
    ledger = read_json(path / "ledger.json", kind="ledger")
    version = ledger.get("schema_version")
    if version != NEWEST_LEDGER:
        raise DataError(
            "this ledger is from another version",
            cause=f"It says schema_version {version}.",
            cure="Update welltempered; the rows can be opened nevertheless.",
        )
    return ledger


def _step(told: Mapping[str, Any], words: Mapping[str, Any]) -> FunnelStep:
    reasons = sorted(
        (
            Reason(str(code), _count(held["rows"]), str(words.get(code, "")))
            for code, held in told["dropped"].items()
        ),
        key=lambda one: -one.rows,
    )
    return FunnelStep(
        str(told["step"]),
        _count(told["in"]["rows"]),
        _count(told["kept"]["rows"]),
        sum(_count(held["rows"]) for held in (told.get("changed") or {}).values()),
        sum(_count(held["rows"]) for held in (told.get("made") or {}).values()),
        float(told.get("seconds") or 0.0),
        tuple(one for one in reasons if one.rows),
        tuple(str(note) for note in told.get("notes") or ()),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no number of rows")
    return value


def _said(error: Exception) -> str:
    if isinstance(error, DataError):
        return str(error)
    return f"Its ledger cannot be read: {type(error).__name__}: {error}"
