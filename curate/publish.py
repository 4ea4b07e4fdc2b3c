"""From curated rows to a dataset directory: complete and immutable, or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.images_out import write_with_images
from curate.ledger import verify
from curate.pipeline import Curated, ledger_document
from curate.schema import dataset_schema, has_canaries, uses_tools, with_meta
from curate.scores import score_names
from curate.sinking import sink
from curate.splitting import SPLITS
from workspace.errors import DataError, UsageError
from workspace.files import (
    publish_directory,
    read_json,
    telling_disk_errors,
    write_json,
    write_text,
)
from workspace.layout import Workspace, checked_name


@dataclass(frozen=True)
class Published:
    """Where a dataset is."""

    path: Path
    digest: str
    existed: bool
    """The same rows had been published before; that directory was left as it is."""


def logical_digest(curated: Curated, settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what was decided: settings, ids, contents, order, verdicts.

    Times, machine and file layout do not count, so the same input and recipe give the same digest.
    """
    total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    total.update(f"\n{curated.type}\n".encode())
    if curated.ledger.tokenizer is not None:  # `meta.tokens` is part of the rows
        total.update(f"{curated.ledger.tokenizer}\n".encode())
    kept = curated.kept.select("split", "id", "content_hash", "group", "source", "row").collect()
    for name in SPLITS:
        _update(total, kept.filter(pl.col("split") == name))
    verdict = ("id", "step", "reason", "duplicate_of", "source", "row")
    _update(total, curated.dropped.select(verdict))
    if curated.altered.height:
        _update(total, curated.altered.select("id", "step", "what", "reason"))
    if curated.ledger.scores:  # by what decides them: numbers differ in their last digits
        total.update(json.dumps(curated.ledger.scores, sort_keys=True).encode())
    return total.hexdigest()


def _update(total: Any, frame: pl.DataFrame) -> None:
    lines = frame.select(
        pl.concat_str(pl.all().cast(pl.String).fill_null(""), separator="\x1f").alias("line")
    )
    total.update("\n".join(lines["line"].to_list()).encode())
    total.update(b"\x1d")


def publish(
    curated: Curated,
    name: str,
    workspace: Workspace,
    settings: Mapping[str, Any],
    recipe_yaml: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Published:
    """Write the dataset below `datasets/<name>/` and point `current` at it.

    Args:
        curated: the rows.
        name: of the dataset.
        workspace: where `datasets/` is.
        settings: the resolved `curate` section, part of the digest.
        recipe_yaml: the whole resolved recipe, as it is kept beside the rows.
        tables: name → further table, written beside the rows as `name.parquet`.
        check: called now and then; what it raises ends the work, and nothing is published.

    Raises:
        WorkError: the ledger does not balance, or the disk refuses.
    """
    digest = logical_digest(curated, settings)
    parent = workspace.make(workspace.datasets) / checked_name(name, what="dataset")
    check_replaceable(parent)
    try:
        with telling_disk_errors(parent):
            parent.mkdir(exist_ok=True)
            path, existed = _place(parent, digest)
            if not existed:
                try:
                    write_dataset(curated, path, name, digest, recipe_yaml, tables, check)
                except UsageError:  # another process may have made the same one meanwhile
                    existed = path.is_dir() and _recorded_digest(path) == digest
                    if not existed:
                        raise
            _point(parent / "current", path.name)
    finally:
        with suppress(OSError):  # a name without a dataset is no dataset
            parent.rmdir()
    return Published(path, digest, existed)


def check_replaceable(parent: Path) -> None:
    """Refuse a `datasets/<name>/` in which no dataset can be published.

    Raises:
        UsageError: it is not a directory, or its `current` is not a link.
    """
    current = parent / "current"
    for path, expected, fits in (
        (parent, "a directory of datasets", parent.is_dir()),
        (current, "a link to the newest dataset", current.is_symlink()),
    ):
        if path.exists() and not fits:
            raise UsageError(
                "something else is where a dataset belongs",
                where=str(path),
                cause=f"Expected {expected}.",
                cure="Move it away, or give the recipe another `name`.",
            )


def _place(parent: Path, digest: str) -> tuple[Path, bool]:
    """Return the directory of this digest, and whether it is there already."""
    for length in (8, 16, 64):
        path = parent / digest[:length]
        if not path.exists():
            return path, False
        if _recorded_digest(path) == digest:
            return path, True
    return path, True


def _recorded_digest(path: Path) -> object:
    try:
        return read_json(path / "ledger.json", kind="ledger").get("digest")
    except DataError as error:
        cure = f"Remove {path}, which is no whole dataset; the same command makes it again."
        raise DataError(error.title, where=error.where, cause=error.cause, cure=cure) from error


def _point(link: Path, target: str) -> None:
    """Swap a relative link by rename, so that it always points somewhere whole."""
    temporary = link.with_name(f".{link.name}.tmp-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(target)
        temporary.replace(link)
    finally:
        temporary.unlink(missing_ok=True)


def write_dataset(
    curated: Curated,
    path: Path,
    name: str,
    digest: str,
    recipe_yaml: str,
    tables: Mapping[str, pl.DataFrame] | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write a dataset directory; it appears under its name only when it is complete."""
    from curate.card import write_card
    from curate.report.facts import facts_of
    from curate.report.page import write_report

    with publish_directory(path) as directory:
        rows = write_splits(curated, directory, check)
        curated.dropped.write_parquet(directory / "dropped.parquet", compression="zstd")
        if curated.altered.height:
            curated.altered.write_parquet(directory / "altered.parquet", compression="zstd")
        for table, frame in (tables or {}).items():
            frame.write_parquet(directory / f"{table}.parquet", compression="zstd")
        verify(curated.ledger, curated.dropped.height, rows)
        write_text(directory / "recipe.yaml", recipe_yaml)
        facts = facts_of(curated, name, digest, recipe_yaml, tables)
        write_report(directory / "report.html", facts)
        write_card(directory / "README.md", facts)
        write_json(directory / "ledger.json", ledger_document(curated, digest))


def schema_of(curated: Curated) -> dict[str, pl.DataType]:
    """Return the columns of what is written of a curation."""
    tool_turns, tools = uses_tools(curated.kept, curated.type)
    return dataset_schema(
        curated.type,
        tool_turns=tool_turns,
        tools=tools,
        images=curated.images is not None,
        scores=score_names(curated.kept),
        canaries=has_canaries(curated.kept),
    )


def write_splits(
    curated: Curated, directory: Path, check: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Write one Parquet file for each split that has rows; return rows really in each."""
    schema = schema_of(curated)
    rows = {}
    for split in curated.ledger.splits:
        part = with_meta(curated.kept.filter(pl.col("split") == split), schema)
        file = directory / f"{split}.parquet"
        if curated.images is not None:
            rows[split] = write_with_images(part, curated.type, curated.images, file)
            continue
        sink(part, file, "zstd", check)
        rows[split] = pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()
    return rows
