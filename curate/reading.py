"""All rows of the sources as one base of one type; read once for the same files and settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.caching.memory import Memory
from curate.caching.store import link_or_copy
from curate.formats.detect import RowFormat
from curate.formats.evidence import Detected, Evidence
from curate.formats.files import STDIN
from curate.formats.read import SourceCount, Tick, files_of, read_sources
from curate.frame import BaseFrame, build_base, choose_type, numbered
from curate.limits import check_something_read
from curate.reasons import Reason
from curate.recipe import CurateSection, Source
from curate.steps.quality.masks import Masks
from workspace.files import hash_file

_STAGE = "reading"
_OF_IMAGES = frozenset(
    {
        Reason.BAD_IMAGE,
        Reason.NO_IMAGE,
        Reason.IMAGE_URL,
        Reason.IMAGE_REFUSED,
        Reason.IMAGE_COUNT,
    }
)


@dataclass(frozen=True)
class Reading:
    """What was read."""

    base: BaseFrame
    lost: pl.DataFrame
    """Rows that could not be used, with their reasons and what they held."""
    sources: tuple[SourceCount, ...]
    images: Path
    """Bytes of the rows' images; not there where no row has one."""

    @property
    def shows_images(self) -> bool:
        """Whether rows have images, or have lost them: the sources' bytes do not tell of those."""
        lost = (one for source in self.sources for one in source.quarantined)
        return self.images.is_file() or any(one in _OF_IMAGES for one in lost)


@dataclass(frozen=True)
class _File:
    """A source file as it is now."""

    path: Path
    told: tuple[Any, ...]
    """What decides how it is read."""
    sha256: str
    state: tuple[int, int]
    """Bytes, and when it was last written, in nanoseconds."""


def read_base(
    section: CurateSection,
    base_dir: Path,
    work: Path,
    memory: Memory,
    masks: Masks,
    tick: Tick,
    check: Callable[[], None] = lambda: None,
) -> Reading:
    """Read and normalise the sources, or find what was read of the same bytes before.

    Sets `memory.base_key`.

    Args:
        section: names the sources and the type.
        base_dir: what relative paths are relative to.
        work: where the rows go.
        memory: the cache.
        masks: hide what an error would show.
        tick: told how far it is.
        check: called now and then; what it raises ends the work.

    Raises:
        DataError: a source cannot be used, or no row of it.
    """
    files = _files(section.sources, base_dir) if memory.store is not None else None
    key = None
    if files is not None:
        told = [(*file.told, file.sha256) for file in files]
        key = memory.key("rows", told, section.type)
    reading = memory.recall(_STAGE, key, _load)
    if reading is None:
        hold = memory.store is None
        reading = _read(section, base_dir, work, masks, tick, check, hold=hold)
        if files is None or reading.shows_images or not _unchanged(files, reading):
            key = None
        memory.keep(key, lambda directory: _save(directory, reading))
    if key is None and memory.store is not None:
        key = memory.key("rows", hash_file(reading.base.path))
    memory.base_key = key
    return reading


def _files(sources: Sequence[Source], base_dir: Path) -> list[_File] | None:
    """Return the files and their digests; None where one can be read only once."""
    if any(source.path == STDIN for source in sources):
        return None
    out = []
    for file, entry in files_of(sources, base_dir):
        columns = sources[entry].columns.model_dump(mode="json")
        images = sources[entry].images.model_dump(mode="json")
        features = json.dumps(file.features, sort_keys=True, default=str)
        told = (
            *(file.name, file.format, file.header, file.quotes, file.encoding, entry),
            *(columns, images, features, dict(file.dataset or {})),
        )
        state = _state(file.path)
        out.append(_File(file.path, told, hash_file(file.path), state))
    return out


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _unchanged(files: Sequence[_File], reading: Reading) -> bool:
    """Return whether what was read is what was hashed: somebody may write to a source meanwhile."""
    digests = [source.digest for source in reading.sources]
    return digests == [file.sha256 for file in files] and all(
        _state(file.path) == file.state for file in files
    )


def _read(
    section: CurateSection,
    base_dir: Path,
    work: Path,
    masks: Masks,
    tick: Tick,
    check: Callable[[], None],
    *,
    hold: bool,
) -> Reading:
    read = read_sources(section.sources, base_dir, work, tick)
    rows, quarantined = numbered(read.rows, read.quarantine)
    lost = quarantined.drop("raw_hash", "user_id").collect()
    check_something_read(rows, masks.rows(lost))
    kind = choose_type(rows, section.type)
    hold = hold and bool(read.rows.held)
    base = build_base(rows, kind, work / "base.parquet", check, hold=hold)
    return Reading(base, lost, read.sources, read.images)


def _save(directory: Path, reading: Reading) -> None:
    link_or_copy(reading.base.path, directory / "base.parquet")
    reading.base.misfits.write_parquet(directory / "misfits.parquet", compression="lz4")
    reading.lost.write_parquet(directory / "lost.parquet", compression="lz4")
    sources = [
        {**vars(source), "detected": [vars(one) for one in source.detected]}
        for source in reading.sources
    ]
    told = {"type": reading.base.type, "sources": sources}
    (directory / "reading.json").write_text(json.dumps(told), encoding="utf-8")


def _load(directory: Path) -> Reading:
    told = json.loads((directory / "reading.json").read_bytes())
    misfits = pl.read_parquet(directory / "misfits.parquet", glob=False)
    lost = pl.read_parquet(directory / "lost.parquet", glob=False)
    sources = []
    for source in told["sources"]:
        source["quarantined"] = Counter({Reason(k): v for k, v in source["quarantined"].items()})
        source["formats"] = Counter({RowFormat(k): v for k, v in source["formats"].items()})
        source["ignored"] = Counter(source["ignored"])
        source["detected"] = Detected.of(
            Evidence(
                RowFormat(one["format"]),
                tuple(one["columns"]),
                tuple(RowFormat(other) for other in one["also"]),
                one["first"],
                one["rows"],
            )
            for one in source["detected"]
        )
        sources.append(SourceCount(**source))
    base = BaseFrame(directory / "base.parquet", told["type"], misfits)
    return Reading(base, lost, tuple(sources), directory / "images.bin")
