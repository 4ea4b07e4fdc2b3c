"""What is read from the files of a workspace, as plain values. Anything odd becomes a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from workspace.errors import TemperError
from workspace.files import read_json

NEWEST_SCHEMA = 1


class UnreadableRecord(Exception):
    """Why a file cannot be shown, in one sentence."""


def read_record(path: Path, *, kind: str) -> dict[str, Any]:
    """Read a JSON object of a schema this version knows.

    Raises:
        UnreadableRecord: missing, damaged, half-written or from a newer version.
    """
    try:
        record = read_json(path, kind=kind)
    except TemperError as error:
        told = " ".join(part for part in (error.cause, error.cure) if part)
        raise UnreadableRecord(f"{error.title} ({path.name}). {told}".strip()) from error
    except (OSError, RecursionError) as error:
        raise UnreadableRecord(f"this {kind} cannot be read ({path.name}): {error}.") from error
    schema = whole(record.get("schema_version"))
    if schema is None or schema > NEWEST_SCHEMA:
        raise UnreadableRecord(
            f"this {kind} ({path.name}) has schema {record.get('schema_version')!r}, and this "
            f"version reads up to {NEWEST_SCHEMA}: upgrade welltempered."
        )
    return record


def whole(value: Any) -> int | None:
    """Return `value` if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """Return `value` as a float; NaN and infinities are written as text in JSON files."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and value not in ("nan", "inf", "-inf"):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def words(value: Any) -> str:
    """Return `value` if it is text, or an empty string."""
    return value if isinstance(value, str) else ""


class RunRecord(NamedTuple):
    """`run.json`, as far as a screen needs it."""

    name: str
    method: str
    adapter: str
    base: str
    dataset: str
    recipe: str
    steps: int | None
    """Planned optimiser steps."""
    job: str
    """Id of its job, where the record names it."""


def read_run(directory: Path) -> RunRecord:
    """Read `run.json`.

    Raises:
        UnreadableRecord: see `read_record`.
    """
    record = read_record(directory / "run.json", kind="run record")
    base = record.get("base")
    adapter = record.get("adapter")
    return RunRecord(
        name=words(record.get("name")) or directory.name,
        method=words(record.get("method")),
        adapter=words(adapter.get("kind") if isinstance(adapter, dict) else adapter),
        base=words(base.get("path") if isinstance(base, dict) else base),
        dataset=words(record.get("dataset")),
        recipe=words(record.get("recipe")),
        steps=whole(record.get("steps")),
        job=words(record.get("job")),
    )
