"""From the paths of a recipe to open streams of bytes."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import zstandard

from workspace.errors import DataError

FileFormat = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow"]

STDIN = "-"
_SUFFIXES: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_CHUNK = 1 << 18


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path
    """`-` is standard input."""
    name: str
    """What reports call it: relative to the recipe where it lies below it."""
    format: FileFormat
    stream: io.BufferedReader | None = None
    """Standard input, already open."""
    header: tuple[str, ...] = ()
    """Column names of a table whose first line is a record; none: its first line names them."""
    quotes: bool = True
    """Whether fields of a table may be quoted."""
    encoding: str = "utf-8"
    """Of a table."""
    features: Mapping[str, Any] | None = None
    """What a Hugging Face dataset says its columns are; None: what the file itself says."""
    dataset: Mapping[str, str] | None = None
    """Of a Hugging Face dataset: its `name`, `commit`, `config` and `split`, as far as known."""
    folder: Path | None = None
    """Directory that paths in rows may not leave; None: the one that the file lies in."""


def find_files(pattern: str, base: Path, wanted: FileFormat | Literal["auto"]) -> list[SourceFile]:
    """Return the files that a path or glob names, in the order of their names.

    Raises:
        DataError: none is there, or the format cannot be told from a name.
    """
    if pattern == STDIN:
        stream = _standard_input()
        found = _format_of(stream) if wanted == "auto" else wanted
        return [SourceFile(Path(STDIN), "stdin", found, stream)]
    asked = Path(pattern).expanduser()
    whole = base / asked  # of two absolute paths, the second
    paths = [whole] if whole.is_file() else sorted(_glob(asked, base))
    if not paths:
        raise _nothing_there(pattern, whole)
    return [
        SourceFile(path, _display(path, base), named_format(path) if wanted == "auto" else wanted)
        for path in paths
    ]


def _standard_input() -> io.BufferedReader:
    raw = sys.stdin.buffer
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore


def _format_of(stream: io.BufferedReader) -> FileFormat:
    """Tell the format of a stream, which has no name, from how it begins."""
    head = stream.peek(64)[:64]
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return "json"
    return "jsonl" if first in (b"{", b"", b"\x1f", b"(") else "csv"


def _glob(pattern: Path, base: Path) -> Iterator[Path]:
    """Yield the files that match; only `pattern` is one, whatever the directory is called."""
    parts = pattern.parts
    fixed = next((index for index, part in enumerate(parts) if set("*?[") & set(part)), len(parts))
    if fixed == len(parts):
        return
    root = base.joinpath(*parts[:fixed])
    yield from (path for path in root.glob("/".join(parts[fixed:])) if path.is_file())


def _nothing_there(pattern: str, path: Path) -> DataError:
    if path.is_dir():
        return DataError(
            "this source is a directory",
            where=pattern,
            cure=f"Name the files in it: `{pattern.rstrip('/')}/*.jsonl`.",
        )
    beside = sorted(other.name for other in path.parent.glob("*")) if path.parent.is_dir() else []
    close = get_close_matches(path.name, beside, 1)
    return DataError(
        "no file of this source was found",
        where=pattern,
        cause=f"{path.parent} holds {', '.join(beside[:6]) or 'nothing, or is not there'}.",
        cure=f"Did you mean `{close[0]}`?"
        if close
        else "Check the path; it is relative to the recipe.",
    )


def _display(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def named_apart(files: Sequence[SourceFile], base: Path) -> list[SourceFile]:
    """Return the files with names of their own: equal ones get directories in front.

    Raises:
        DataError: one file is there twice.
    """
    _check_once(files)
    names = [file.name for file in files]
    while len({*names}) < len(names):
        longer = list(names)
        for place, file in enumerate(files):
            tail = file.path.parts[-names[place].count("/") - 2 :]
            if names.count(names[place]) > 1 and not file.path.is_relative_to(base):
                longer[place] = Path(*tail).as_posix()
        if longer == names:
            break
        names = longer
    return [replace(file, name=name) for file, name in zip(files, names, strict=True)]


def _check_once(files: Sequence[SourceFile]) -> None:
    seen: set[Path] = set()
    for file in files:
        path = file.path.resolve()
        if path in seen:
            raise DataError(
                "this file is named twice in the sources",
                where=file.name,
                cure="Name it once; repeating rows is not done by reading them twice.",
            )
        seen.add(path)


def named_format(path: Path) -> FileFormat:
    """Return the format that a file's name says.

    Raises:
        DataError: it says none that is known.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise DataError(
            "the format of this file cannot be told from its name",
            where=str(path),
            cause=f"Known endings: {', '.join(_SUFFIXES)}, each also with .gz or .zst.",
            cure="Give the source a `format:`.",
        )
    return _SUFFIXES[suffixes[-1]]


@contextmanager
def open_bytes(file: SourceFile) -> Iterator[BinaryIO]:
    """Yield the file's bytes, decompressed if its first bytes say gzip or zstd.

    Raises:
        DataError: the file is empty or cannot be opened.
    """
    if file.stream is not None:
        yield _decompressed(file.stream, file)
        return
    try:
        stream = file.path.open("rb")
    except OSError as error:
        raise DataError(
            "this file cannot be opened", where=file.name, cause=f"{error.strerror}."
        ) from error
    with stream:
        yield _decompressed(stream, file)


def _decompressed(stream: io.BufferedReader, file: SourceFile) -> BinaryIO:
    head = stream.peek(4)[:4]
    if not head:
        raise DataError(
            "this file is empty",
            where=file.name,
            cause="It has no bytes at all.",
            cure="Take it out of `sources`, or make it again.",
        )
    if head[:2] == _GZIP:
        return io.BufferedReader(_GzipReader(stream), _CHUNK)
    if head == _ZSTD:
        return io.BufferedReader(_ZstdReader(stream), _CHUNK)
    _check_ending(head, file)
    return stream


def _check_ending(head: bytes, file: SourceFile) -> None:
    ending = file.path.suffix.lower()
    if file.stream is None and ending in _PACKED:
        raise DataError(
            f"this file is called {ending} but is not {_PACKED[ending]}",
            where=file.name,
            cause=f"It begins with {head!r}.",
            cure=f"Without compression call it {file.path.with_suffix('').name}; otherwise fetch "
            "it again: an error page may have been saved in its place.",
        )


class _GzipReader(io.RawIOBase):
    """Reads gzip members; what lies before a damaged place is given out before the damage is told.

    GzipFile's own buffer would lose it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=stream)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        data = self._file.read1(len(view))
        view[: len(data)] = data
        return len(data)


class _ZstdReader(io.RawIOBase):
    """Reads zstd frames one after the other; unlike zstandard's own reader it tells a cut one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        while not self._ready:
            chunk = self._frame.unused_data if self._frame.eof else b""
            chunk = chunk or self._stream.read(_CHUNK)
            if not chunk:
                if self._begun and not self._frame.eof:
                    raise EOFError("the zstd frame ends too early")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._begun = True
            self._ready = self._frame.decompress(chunk)
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


@contextmanager
def telling_damage(file: SourceFile, place: list[int]) -> Iterator[None]:
    """Turn a damaged archive into an error that says how far it could be read.

    Args:
        file: the file.
        place: one number, the last line or record that was whole.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise DataError(
            "this compressed file is cut short or damaged",
            where=f"{file.name}:{place[0] + 1}",
            cause=f"{place[0]:,} records could be read before: {error}.",
            cure="Copy or download it again; nothing was written.",
        ) from error
