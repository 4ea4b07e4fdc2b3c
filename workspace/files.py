"""Writing so that a crash, a kill or a full disk leaves the old file or the new, never half.

Everything is written to a temporary sibling, flushed to the device and renamed. What reads a
directory of results looks for the file that is written last.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workspace.errors import DataError, DiskFullError, UsageError, WorkError


@contextmanager
def telling_disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at `path` into errors that name the way out.

    Raises:
        DiskFullError: no space or quota left.
        WorkError: not permitted, read-only, or another refusal.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                "the disk is full",
                where=str(path),
                cause="Nothing half-written was left; what was there before is unchanged.",
                cure="Free some space and run the same command again.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WorkError(
                "not allowed to write here",
                where=str(path),
                cause=f"{error.strerror}.",
                cure="Choose another directory or change its permissions.",
            ) from error
        raise


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` on success, remove it on failure.

    For writers that want a path of their own, such as Parquet writers.
    """
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.tmp-", suffix=path.suffix
        )
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o600 if path.suffix == ".key" else 0o644)
            _sync_file(temporary)
            temporary.replace(path)
            _sync_directory(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` by way of a temporary sibling."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 by way of a temporary sibling."""
    write_bytes(path, text.encode())


def write_json(path: Path, document: Any) -> None:
    """Write `document` to `path` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, *, kind: str) -> dict[str, Any]:
    """Read a JSON object that welltempered wrote.

    Args:
        path: the file.
        kind: what it is, in words, for the error.

    Raises:
        DataError: missing, not JSON, or not an object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"there is no {kind} here", where=str(path)) from None
    except (ValueError, OSError) as error:
        raise DataError(
            f"this {kind} cannot be read",
            where=str(path),
            cause=f"{error}.",
            cure="It may come from a newer version or a damaged disk; restore or make it again.",
        ) from error
    if not isinstance(document, dict):
        raise DataError(f"this {kind} is not a JSON object", where=str(path))
    return document


@contextmanager
def publish_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling directory that becomes `path` on success.

    Raises:
        UsageError: `path` exists already: results are never overwritten.
    """
    if path.exists():
        raise UsageError("this directory exists already", where=str(path))
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.tmp-"))
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            temporary.chmod(0o755)
            try:
                temporary.rename(path)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise UsageError("this directory exists already", where=str(path)) from error
                raise
            _sync_directory(path.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_directory(path: Path, *, ignore: frozenset[str] = frozenset()) -> str:
    """Return one SHA-256 over the names and bytes of all files below `path`.

    Args:
        path: a directory; names are taken relative to it and in sorted order.
        ignore: file names that do not count (for example `README.md`).
    """
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name not in ignore:
            total.update(f"{file.relative_to(path).as_posix()}\0{hash_file(file)}\n".encode())
    return total.hexdigest()


__all__ = [
    "atomic_path",
    "hash_directory",
    "hash_file",
    "publish_directory",
    "read_json",
    "telling_disk_errors",
    "write_bytes",
    "write_json",
    "write_text",
]
