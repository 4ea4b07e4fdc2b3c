"""Checkpoints that are either whole or not there.

A checkpoint is written into a hidden sibling; its manifest, with the SHA-256 of every file, is
written last; then the directory is renamed to `step-N`. Older ones are removed only after that.
What has no manifest, or does not match it, is not a checkpoint.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import DiskFullError, ModelError, TemperError
from workspace.files import (
    hash_file,
    is_disk_full,
    read_json,
    telling_disk_errors,
    write_json,
)

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files match its manifest."""

    step: int
    path: Path


@dataclass(frozen=True)
class Rejected:
    """A directory that was taken for a checkpoint and is none."""

    name: str
    reason: str


def write_manifest(directory: Path, **fields: object) -> None:
    """Write the manifest over every file in `directory`; its existence means completion."""
    files = {
        path.relative_to(directory).as_posix(): hash_file(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    write_json(directory / MANIFEST, {"schema_version": 1, **fields, "files": files})


def fault_of(directory: Path) -> str | None:
    """Return why `directory` does not match its manifest, or None if it does."""
    try:
        files = read_json(directory / MANIFEST, kind="manifest").get("files")
    except TemperError as error:
        return error.title
    if not isinstance(files, dict):
        return "its manifest names no files"
    for name, digest in files.items():
        path = directory / name
        if not path.is_file():
            return f"{name} is missing"
        if hash_file(path) != digest:
            return f"{name} is damaged"
    return None


def demand_whole(directory: Path, title: str) -> None:
    """Refuse a model whose files are not those of its manifest.

    Raises:
        ModelError: a file is missing or another; `title` says what that means here.
    """
    fault = fault_of(directory)
    if fault is not None:
        raise ModelError(
            title,
            where=str(directory),
            cause=f"{fault[0].upper()}{fault[1:]}.",
            cure="Restore it from a copy, or train it again.",
        )


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, directory: Path, *, keep: int) -> None:
        """Keep the newest `keep` checkpoints in `directory`."""
        self.directory = directory
        self.keep = keep
        self.protected: int | None = None
        """A step that is kept however many newer ones there are."""

    @contextmanager
    def writing(self, step: int, **fields: object) -> Iterator[Path]:
        """Yield a directory to fill; it becomes `step-N`, then older ones are removed.

        Args:
            step: optimiser steps done.
            fields: further fields of the manifest.

        Raises:
            DiskFullError: no space; what was there before is untouched.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=self.directory, prefix=f".step-{step}.tmp-"))
        final = self.path(step)
        try:
            with telling_disk_errors(final), _telling_full_disk(final):
                yield temporary
                _sync(temporary)
                write_manifest(temporary, step=step, **fields)
                shutil.rmtree(final, ignore_errors=True)
                temporary.rename(final)
                _sync_path(self.directory)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self._rotate()

    def path(self, step: int | None) -> Path:
        """Return where the checkpoint of a step is."""
        return self.directory / f"step-{step}"

    def _rotate(self) -> None:
        for path in self._by_step()[: -self.keep]:
            if path != self.path(self.protected):
                shutil.rmtree(path, ignore_errors=True)

    def _by_step(self) -> list[Path]:
        found = [path for path in self.directory.glob("step-*") if path.name[5:].isdigit()]
        return sorted(found, key=lambda path: int(path.name[5:]))

    def newest_step(self) -> int | None:
        """Return the step of the newest checkpoint, not looking whether it is whole."""
        found = self._by_step()
        return int(found[-1].name[5:]) if found else None

    def newest(self, said: Callable[[Rejected], None] = lambda rejected: None) -> Checkpoint | None:
        """Return the newest whole checkpoint, or None; remove what a crash left half-written.

        Args:
            said: called with each directory that is not used, and why.
        """
        for path in self.directory.glob(".step-*.tmp-*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in reversed(self._by_step()):
            fault = fault_of(path)
            if fault is None:
                return Checkpoint(int(path.name[5:]), path)
            said(Rejected(path.name, fault))
            shutil.rmtree(path, ignore_errors=True)
        return None


@contextmanager
def _telling_full_disk(where: Path) -> Iterator[None]:
    """Say of a full disk what it means for a run."""
    try:
        yield
    except TemperError:
        raise
    except Exception as error:
        if not is_disk_full(error, where.parent):
            raise
        raise DiskFullError(
            "the disk is full",
            where=str(where),
            cause="The checkpoint could not be written; the one before it is untouched.",
            cure="Free some space; `temper resume` then continues from there.",
        ) from error


def _sync(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
