"""The way of a row from file to normalised part, or into quarantine."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from curate.formats.ahead import ahead
from curate.formats.arrow import read_arrow
from curate.formats.batches import Batch, line_batches, row_batches
from curate.formats.detect import RowFormat, normalise
from curate.formats.documents import read_document
from curate.formats.evidence import Detected, Evidence
from curate.formats.files import SourceFile, named_apart, open_bytes, telling_damage
from curate.formats.find import find_source
from curate.formats.lines import read_lines, too_long
from curate.formats.parquet import read_parquet
from curate.formats.parts import QUARANTINE, ROWS, Parts, PartWriter
from curate.formats.picture import Picture, PictureStore
from curate.formats.picture_bytes import Gallery
from curate.formats.picture_rows import check_places, has_pictures, image_key, with_marks
from curate.formats.raw import LONGEST_ROW_BYTES, Misfit, RawRow, raw_hashes
from curate.formats.shape import Row, json_text
from curate.formats.tables import read_table
from curate.formats.uniform import find_run, run_table
from curate.formats.used import (
    ASSIGNED_TOPIC,
    MARK_KEYS,
    PUBLISHED_CANARY,
    canary_of,
    published_marks,
    quality_of,
    used_keys,
)
from curate.reasons import Reason
from curate.recipe import Source
from workspace.errors import DataError
from workspace.files import hashing

Tick = Callable[[int, str], None]
"""Called with the rows read so far and the file being read."""

_READERS: dict[str, Callable[[BinaryIO, SourceFile], Iterator[RawRow]]] = {
    "jsonl": lambda stream, _: read_lines(stream),
    "json": read_document,
    "csv": read_table,
    "tsv": read_table,
    "parquet": read_parquet,
    "arrow": read_arrow,
}
_READ_REASONS = frozenset(
    {
        Reason.BAD_JSON,
        Reason.INVALID_UTF8,
        Reason.DUPLICATE_KEY,
        Reason.NOT_AN_OBJECT,
        Reason.RAGGED_ROW,
        Reason.TOO_LONG,
        Reason.UNREADABLE_VALUE,
    }
)


_BEAT_ROWS = 1024
_LEAST_RUN = 64
"""Fewer rows are not worth looking at together."""
_CONTENT = frozenset({"prompt", "completion", "chosen", "rejected", "messages", "text"})


_LABELS = ("category", "topic", "label")
"""Columns with a label, the first that is filled."""


@dataclass
class SourceCount:
    """What was read from one file."""

    name: str
    digest: str | None
    """SHA-256 of its bytes; None for standard input."""
    dataset: Mapping[str, str] | None = None
    """What a Hugging Face dataset is identified by."""
    entry: int = 0
    """Which of the recipe's sources names it, counted from 0."""
    read: int = 0
    quarantined: Counter[Reason] = field(default_factory=Counter)
    formats: Counter[RowFormat] = field(default_factory=Counter)
    detected: Detected = field(default_factory=Detected)
    """By which columns rows were recognised."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Column → rows in which it held something that no column of the dataset takes."""


@dataclass(frozen=True)
class ReadResult:
    """Where the rows are now, and the count of every file."""

    rows: Parts
    """With the schema `parts.ROWS`."""
    quarantine: Parts
    """With the schema `parts.QUARANTINE`."""
    images: Path
    """Bytes of the rows' images; not there where no row has one."""
    sources: tuple[SourceCount, ...]


@dataclass(frozen=True)
class Desk:
    """What the rows of one file are read with."""

    names: dict[str, str]
    """Usual name → the source's own."""
    gallery: Gallery
    store: PictureStore
    count: SourceCount


def _desk(
    file: SourceFile, source: Source, base: Path, store: PictureStore, count: SourceCount
) -> Desk:
    folder = file.folder or (None if file.stream is not None else file.path.parent)
    if source.images.folder is not None:
        folder = base / Path(source.images.folder).expanduser()
    return Desk(source.columns.chosen_names(), Gallery(folder, source.images), store, count)


def read_sources(
    sources: Sequence[Source], base: Path, work: Path, tick: Tick = lambda rows, file: None
) -> ReadResult:
    """Read and normalise every row of every source.

    Args:
        sources: files and globs, read in their order.
        base: what relative paths are relative to.
        work: an empty directory for the parts.
        tick: told how far it is.

    Raises:
        DataError: a file that is missing, empty, cut short or not in its format.
    """
    rows = PartWriter(work / "rows", ROWS)
    quarantine = PartWriter(work / "quarantine", QUARANTINE)
    counts: dict[str, SourceCount] = {}
    store = PictureStore(work / "images.bin")
    for file, entry in files_of(sources, base, lambda what: tick(0, what)):
        source = sources[entry]
        count = counts[file.name] = SourceCount(file.name, None, file.dataset, entry)
        desk = _desk(file, source, base, store, count)
        if file.path.is_file():
            with hashing(file.path) as digest:
                _read_file(file, desk, rows, quarantine, tick)
                count.digest = digest()
        else:
            _read_file(file, desk, rows, quarantine, tick)
    images = work / "images.bin"
    return ReadResult(rows.parts(), quarantine.parts(), images, tuple(counts.values()))


def files_of(
    sources: Sequence[Source], base: Path, tell: Callable[[str], None] = lambda what: None
) -> list[tuple[SourceFile, int]]:
    """Return every file of the sources in the order in which they are read, with its source.

    Args:
        sources: as the recipe has them.
        base: what relative paths are relative to.
        tell: told what is being downloaded.

    Raises:
        DataError: as `curate.formats.find.find_source`; or a file is named twice.
    """
    found = [
        (_as_told(file, source), entry)
        for entry, source in enumerate(sources)
        for file in find_source(source, base, tell)
    ]
    files = named_apart([file for file, _ in found], base)
    return [(file, entry) for file, (_, entry) in zip(files, found, strict=True)]


def _as_told(file: SourceFile, source: Source) -> SourceFile:
    given = ["header"] if source.header else []
    given += ["encoding"] if source.encoding != "utf-8" else []
    if given and file.format not in ("csv", "tsv"):
        raise DataError(
            f"only a table has `{given[0]}`",
            where=file.name,
            cause=f"It is given for a file that is read as {file.format}.",
            cure=f"Take `{given[0]}` out, or give `format: csv` or `tsv`. Other formats are UTF-8: "
            "`iconv -f cp1252 -t utf-8` makes text so.",
        )
    if file.dataset is not None:
        return file
    return replace(file, header=source.header, quotes=source.quotes, encoding=source.encoding)


@dataclass(frozen=True)
class Glance:
    """What the first rows of a file are."""

    read: int
    formats: Counter[RowFormat]
    detected: tuple[Evidence, ...]
    """By which columns they were recognised."""
    fault: str
    """Why the first unusable one cannot be used; empty where all can."""
    labelled_texts: int = 0
    """Plain texts with a label beside them."""
    label_column: str = "label"
    """The source's own name of the column with the first such label."""

    @property
    def usable(self) -> int:
        """How many of them can be used."""
        return sum(self.formats.values())


def glance(source: Source, base: Path, most: int = 100) -> Glance:
    """Read the first rows of a source's first file, to tell early what would become of them.

    Raises:
        DataError: as `read_sources`.
    """
    file = _as_told(find_source(source, base, lambda what: None)[0], source)
    count = SourceCount(file.name, None)
    desk = _desk(file, source, base, PictureStore(None), count)
    fault, place, labelled, column = "", [0], 0, ""
    with open_bytes(file) as stream, telling_damage(file, place):
        for raw in itertools.islice(records(stream, file), most):
            place[0] = raw.shown
            count.read += 1
            try:
                row = _row(raw, desk)
                if row["text"] and row.get("user_label"):
                    labelled += 1
                    column = column or source.columns.label or _label_column(raw.value)
            except Misfit as misfit:
                fault = fault or f"{file.name}:{raw.shown}: {misfit.detail}"
    return Glance(count.read, count.formats, tuple(count.detected), fault, labelled, column)


def _label_column(value: Any) -> str:
    return next((key for key in _LABELS if value.get(key)), "label")


def records(stream: BinaryIO, file: SourceFile) -> Generator[RawRow, None, None]:
    """Yield the records of an open file as they are, in the format it is in."""
    yield from _READERS[file.format](stream, file)


def _read_file(
    file: SourceFile, desk: Desk, rows: PartWriter, quarantine: PartWriter, tick: Tick
) -> None:
    count, place = desk.count, [0]
    with open_bytes(file) as stream, telling_damage(file, place), ExitStack() as reading:
        if file.format == "jsonl":  # of most files, the lines can be decoded many at once
            batches = reading.enter_context(ahead(line_batches(stream)))
        else:
            batches = row_batches(_beaten(records(stream, file), rows, tick, file))
        for batch in batches:
            place[0] = batch.last
            table = _uniform(batch, file, desk)
            if table is not None:
                rows.add_table(table)
            else:
                _one_by_one(batch.rows, file, desk, rows, quarantine)
            count.read += len(batch)
            tick(rows.count + quarantine.count, file.name)
    if not count.read:
        raise DataError(
            "this file has no rows", where=file.name, cure="Take it out of `sources`, or fill it."
        )


def _beaten(
    records: Iterator[RawRow], rows: PartWriter, tick: Tick, file: SourceFile
) -> Iterator[RawRow]:
    """Yield the records; now and then tick, which ends the work if it raises."""
    for number, raw in enumerate(records, 1):
        if number % _BEAT_ROWS == 0:
            tick(rows.count, file.name)
        yield raw


def _uniform(batch: Batch, file: SourceFile, desk: Desk) -> pl.DataFrame | None:
    """Return a batch of plain texts of one shape as a table; None for any other."""
    names, count = desk.names, desk.count
    if len(batch) < _LEAST_RUN:
        return None
    try:
        run = find_run(batch, partial(_renamed, names=names) if names else None)
    except Misfit:
        return None
    if run is None:
        return None
    rows = len(batch)
    table = run_table(run, batch, file.name)
    _, first = normalise(run.first)
    used = _used(run.format, run.first, first, batch.first, names)
    count.formats[run.format] += rows
    count.detected.count(run.format, run.first, names, batch.places[0], rows)
    for key in [key for key in run.own.columns if key not in used]:
        ignored = int((run.own[key] != "").sum())
        if ignored:
            count.ignored[key] += ignored
    return table


def _one_by_one(
    batch: Sequence[RawRow],
    file: SourceFile,
    desk: Desk,
    rows: PartWriter,
    quarantine: PartWriter,
) -> None:
    hashes = raw_hashes([raw.raw for raw in batch])
    for raw, raw_hash in zip(batch, hashes, strict=True):
        placed = {"raw_hash": raw_hash, "source": file.name, "row": raw.place}
        try:
            row = _row(raw, desk)
        except Misfit as misfit:
            desk.count.quarantined[misfit.reason] += 1
            quarantine.add(placed | _quarantined(raw, misfit, file), len(raw.raw))
        else:
            rows.add(placed | row, len(raw.raw))


def _used(
    found: RowFormat,
    value: Mapping[str, Any],
    row: Row,
    raw: Any,
    names: dict[str, str],
    also: str = "",
) -> set[str]:
    """Return the record's own keys whose values are in the row or in its marks."""
    used = used_keys(found, value, row) | {also}
    if names:
        kept = {*_left(raw, names)}
        used = {names.get(key, key) for key in used if key in names or key in kept}
        used.add(names.get("label", ""))
    return used


def _row(raw: RawRow, desk: Desk) -> dict[str, Any]:
    if raw.misfit is not None:
        raise raw.misfit
    if len(raw.raw) > LONGEST_ROW_BYTES:
        raise too_long(len(raw.raw))
    names, count = desk.names, desk.count
    value: Any = _renamed(raw.value, names) if names else raw.value
    key, pictures = "", None
    try:
        if desk.gallery.limits.read and isinstance(value, dict) and has_pictures(value):
            key = image_key(value)
            value, pictures = with_marks(value, desk.gallery, desk.store)
        row_format, row = normalise(value)
        if pictures is not None:
            check_places(row, pictures)
        made = {"format": row_format.value, **_fields(row), **_marks(value)}
        made["images"] = _shown(pictures)
        used = _used(row_format, value, row, raw.value, names, key)
    except (Misfit, MemoryError):
        raise
    except Exception as error:
        # What no check foresaw costs its own row, not the whole curation.
        detail = f"{type(error).__name__}: {error}"[:300]
        raise Misfit(Reason.NO_FORMAT, detail) from error
    count.formats[row_format] += 1
    count.detected.count(row_format, value, names, raw.place)
    count.ignored.update(key for key in raw.value if key not in used and raw.value[key])
    return made


def _shown(pictures: list[Picture] | None) -> list[dict[str, Any]] | None:
    return [vars(picture) for picture in pictures] if pictures else None


def _renamed(value: object, names: dict[str, str]) -> object:
    """Return the record with the columns that the recipe names under their usual names.

    Where a column of content is named, the others are left out; where only marks such as `label`
    are, content is found by itself.
    """
    if not isinstance(value, dict):
        return value
    missing = [column for column in names.values() if column not in value]
    if missing:
        keys = ", ".join(sorted(map(str, value)))
        raise Misfit(Reason.MISSING_COLUMN, f"no `{missing[0]}`; its keys are {keys}"[:300])
    renamed = {**_left(value, names), **{name: value[at] for name, at in names.items()}}
    # `label` beside prompt and completion would read as KTO's good or bad.
    if "label" in renamed and not isinstance(renamed["label"], bool):
        renamed["category"] = renamed.pop("label")
    return renamed


def _left(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns that are read beside the named ones."""
    if not _CONTENT.isdisjoint(names):
        return {}
    named = {*names.values()}
    return {key: item for key, item in value.items() if key not in named}


def _fields(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "messages": row.messages,
        "prompt": row.prompt,
        "completion": row.completion,
        "chosen": row.chosen,
        "rejected": row.rejected,
        "label": row.label,
        "answer": row.answer,
        "text": row.text,
        "tools": row.tools,
    }


def _marks(value: object) -> dict[str, Any]:
    """Return what a row says about itself beside its text."""
    row = {**published_marks(value), **value} if isinstance(value, dict) else {}
    if MARK_KEYS.isdisjoint(row) and _OTHER_MARKS.isdisjoint(row):
        return _NO_MARKS
    parents = row.get("parents") or ([row["parent_id"]] if row.get("parent_id") else [])
    label = next((row[key] for key in _LABELS if row.get(key)), None)
    return {
        "user_id": json_text(row.get("id")),
        "user_label": label if isinstance(label, str) else None,
        "topic": _mark(row, ASSIGNED_TOPIC),
        "document": _mark(row, "document", "document_id", "doc_id"),
        "conversation": _mark(row, "conversation_id"),
        "parents": [str(parent) for parent in parents] if isinstance(parents, list) else [],
        "quality": quality_of(row),
        "canary": canary_of(row) or _mark(row, PUBLISHED_CANARY),
    }


_OTHER_MARKS = frozenset({"label", "quality", "canary"})
"""Keys that are marks only where their value is of the right kind."""
_NO_MARKS: dict[str, Any] = {"parents": []}


def _mark(row: dict[str, Any], *keys: str) -> str | None:
    found = next((row[key] for key in keys if isinstance(row.get(key), str | int)), None)
    return None if found is None else str(found)


def _quarantined(raw: RawRow, misfit: Misfit, file: SourceFile) -> dict[str, Any]:
    return {
        "step": "read" if misfit.reason in _READ_REASONS else "normalise",
        "reason": misfit.reason.value,
        "detail": f"{file.name}:{raw.shown}: {misfit.detail}",
        "raw": raw.raw.decode("utf-8", "backslashreplace"),
    }
