"""Writing so that a crash, a kill or a full disk leaves the old file or the new, never half.

Everything is written to a temporary sibling, flushed to the device and renamed. What reads a
directory of results looks for the file that is written last.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from workspace.errors import DataError, DiskFullError, TemperError, UsageError, WorkError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)
# Libraries in Rust and C++ wrap a full disk in errors of their own, often without its number.
_FULL_TEXTS = ("No space left", "File too large", "file write failed", "unexpected pos")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_NOTHING_LEFT_BYTES = 2**20
_HASHED_BYTES = 2**20


def is_disk_full(error: BaseException, near: Path) -> bool:
    """Return whether `error`, raised while writing at `near`, comes from a full disk."""
    if _number(error) in _FULL or any(text in str(error) for text in _FULL_TEXTS):
        return True
    place = next((path for path in (near, *near.absolute().parents) if path.is_dir()), None)
    # A file that could not be written to its end may be told as anything.
    return place is not None and shutil.disk_usage(place).free < _NOTHING_LEFT_BYTES


def disk_refusal(error: Exception, where: str, *, writing: bool = True) -> WorkError | None:
    """Return what the operating system refuses by `error`, or None if it is about something else.

    Args:
        error: of the standard library, or of a library that quotes the system's number.
        where: the path that was to be used.
        writing: it was surely to be written.
    """
    number = _number(error)
    if number == errno.EFBIG or "File too large" in str(error):
        return _too_large(where)
    if number in _FULL or any(text in str(error) for text in _FULL_TEXTS):
        return _disk_full(where)
    if number in _FORBIDDEN:
        return WorkError(
            "not allowed to write here" if writing else "not allowed to read or write here",
            where=where,
            cause=f"{os.strerror(number)}.",
            cure="Choose another directory or change its permissions.",
        )
    if number in _IN_THE_WAY:
        return WorkError(
            "something else is where this should be",
            where=where,
            cause=f"{os.strerror(number)}.",
            cure="Move it away, or choose another directory.",
        )
    return None


def _number(error: BaseException) -> int:
    """Return the operating system's number of an error; 0 if it has none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    quoted = _OS_ERROR.search(str(error))
    return int(quoted[1]) if quoted else 0


def _disk_full(where: str) -> DiskFullError:
    return DiskFullError(
        "the disk is full",
        where=where,
        cause="Nothing half-written was left; what was there before is unchanged.",
        cure="Free some space and run the same command again.",
    )


def _too_large(where: str) -> DiskFullError:
    return DiskFullError(
        "a limit on the size of files stops this one",
        where=where,
        cause="Nothing half-written was left; what was there before is unchanged.",
        cure="Raise the limit (`ulimit -f unlimited`) or use another file system, and run the "
        "same command again.",
    )


@contextmanager
def telling_disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at `path` into errors that name the way out.

    Raises:
        DiskFullError: no space or quota left, also where a library says it in its own words.
        WorkError: not permitted, read-only, or something else is there.
    """
    try:
        yield
    except TemperError:
        raise
    except Exception as error:
        if is_disk_full(error, path):
            raise disk_refusal(error, str(path)) or _disk_full(str(path)) from error
        refusal = disk_refusal(error, str(path))
        if refusal is not None:
            raise refusal from error
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
def atomic_path(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` on success, remove it on failure.

    For writers that want a path of their own, such as Parquet writers. A `private` file, like one
    that ends in `.key`, can at no time be read by anybody else (mode 0600).
    """
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.tmp-", suffix=path.suffix
        )
        os.close(descriptor)
    temporary = Path(name)
    try:
        with telling_disk_errors(path):  # inside: a full disk shows only while it is full
            yield temporary
            temporary.chmod(0o600 if private or path.suffix == ".key" else 0o644)
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
        with telling_disk_errors(path):  # inside: a full disk shows only while it is full
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            temporary.chmod(0o755)
            _renamed(temporary, path)
            _sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _renamed(temporary: Path, path: Path) -> None:
    try:
        temporary.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise UsageError("this directory exists already", where=str(path)) from error
        raise


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    import hashlib  # the app's first paint needs none of the cryptography below it

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def hashing(path: Path) -> Iterator[Callable[[], str]]:
    """Compute `hash_file` in a thread, beside other work; it is given up when the block ends.

    Yields a function that waits for the digest.
    """
    import hashlib
    from concurrent.futures import ThreadPoolExecutor

    given_up = Event()

    def digest() -> str:
        total = hashlib.sha256()
        with path.open("rb") as stream:
            while not given_up.is_set() and (data := stream.read(_HASHED_BYTES)):
                total.update(data)
        return total.hexdigest()

    with ThreadPoolExecutor(1, "hashing") as pool:
        found = pool.submit(digest)
        try:
            yield found.result
        finally:
            given_up.set()


def hash_directory(path: Path, *, ignore: frozenset[str] = frozenset()) -> str:
    """Return one SHA-256 over the names and bytes of all files below `path`.

    Args:
        path: a directory; names are taken relative to it and in sorted order.
        ignore: file names that do not count (for example `README.md`).
    """
    import hashlib

    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name not in ignore:
            total.update(f"{file.relative_to(path).as_posix()}\0{hash_file(file)}\n".encode())
    return total.hexdigest()


__all__ = [
    "atomic_path",
    "disk_refusal",
    "hash_directory",
    "hash_file",
    "hashing",
    "is_disk_full",
    "publish_directory",
    "read_json",
    "telling_disk_errors",
    "write_bytes",
    "write_json",
    "write_text",
]
