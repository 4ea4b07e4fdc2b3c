"""The images of a dataset's rows: checked before anything is planned, read when they are shown.

They stay in Arrow as the Parquet file holds them, encoded. A row that names a file instead of
holding bytes is read from there; a relative path begins at the dataset's directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.models.pictures import BadPicture, Size, check_picture, picture_digest
from workspace.errors import DataError

COLUMN = "images"
_SHOWN = 3
_TOLD = 100


@dataclass(frozen=True)
class Pictures:
    """The images of a dataset, row by row."""

    column: Any
    """pyarrow's chunked array of lists of `{bytes, path}`."""
    root: Path
    """Where relative paths begin."""
    sizes: Sequence[tuple[Size, ...]]
    """Of each row, width and height of its images."""
    digests: Sequence[tuple[str, ...]]
    """Of each row, SHA-256 of its images' bytes."""

    def of(self, row: int) -> list[bytes]:
        """Return the images of a row, encoded.

        Raises:
            DataError: one is not there any more, or another than when the run was planned.
        """
        out = []
        digests = self.digests[row]
        for number, item in enumerate(_items(self.column, row)):
            try:
                data = _bytes_of(item, self.root)
            except BadPicture as error:
                raise _changed(row, number, f"{error}") from error
            if picture_digest(data) != digests[number]:
                raise _changed(row, number, f"{item.get('path')} has other bytes")
            out.append(data)
        return out


def read_pictures(
    column: Any,
    root: Path,
    file: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pictures:
    """Decode every image of a dataset once, and keep sizes and digests.

    Args:
        column: pyarrow's `images` column.
        root: the dataset's directory.
        file: that it is of, for messages.
        progress: is told rows done and rows in all.

    Raises:
        DataError: images that are missing or damaged, by row.
    """
    sizes, digests = [], []
    bad: list[str] = []
    count = 0
    for row in range(len(column)):
        if row % _TOLD == 0:
            progress(row, len(column))
        found: list[tuple[Size, str]] = []
        for number, item in enumerate(_items(column, row)):
            try:
                data = _bytes_of(item, root)
                found.append((check_picture(data), picture_digest(data)))
            except BadPicture as error:
                count += 1
                bad += [f"row {row}, images[{number}]: {error}"] if len(bad) < _SHOWN else []
        sizes.append(tuple(size for size, _ in found))
        digests.append(tuple(digest for _, digest in found))
    progress(len(column), len(column))
    if count:
        raise DataError(
            f"{count} image{'' if count == 1 else 's'} cannot be read",
            where=str(file),
            cause=f"{'; '.join(bad)}.",
            cure="Mend or drop these rows and make the dataset again with `temper curate`, which "
            "keeps the bytes of every image in the dataset.",
        )
    return Pictures(column, root, sizes, digests)


def with_paths_from(table: Any, root: Path, directory: Path) -> Any:
    """Return a part of a dataset that still names its image files once it lies elsewhere.

    Args:
        table: pyarrow's, with the rows of the part.
        root: the directory of the dataset that they are of.
        directory: where they will be.
    """
    if COLUMN not in table.column_names:
        return table
    rows = table[COLUMN].to_pylist()
    items = [one for row in rows for one in row or () if isinstance(one, dict)]
    named = [one for one in items if not isinstance(one.get("bytes"), bytes) and one.get("path")]
    if not named:
        return table
    for one in named:  # relative again, so that a workspace can move
        one["path"] = os.path.relpath(root.resolve() / one["path"], directory.resolve())
    import pyarrow as pa

    place = table.column_names.index(COLUMN)
    field = table.schema.field(COLUMN)
    return table.set_column(place, field, pa.array(rows, type=field.type))


def with_sizes(
    record: Mapping[str, Any], columns: Sequence[str], sizes: Sequence[Size]
) -> dict[str, Any]:
    """Return a row whose image parts have their sizes; contents of text alone are one text.

    Image parts without an image are left without a size: `find_misplaced` tells of them.
    """
    rest = iter(sizes)
    made = dict(record)
    for column in columns:
        if isinstance(record[column], list):
            made[column] = [_message(message, rest) for message in record[column]]
    return made


def _message(message: dict[str, Any], sizes: Any) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    if all(part.get("type") == "text" for part in content):
        return {**message, "content": "".join(str(part.get("text") or "") for part in content)}
    parts = []
    for part in content:
        if part.get("type") == "image":
            size = next(sizes, None)
            parts.append({"type": "image"} if size is None else {"type": "image", "size": size})
        else:
            parts.append({"type": "text", "text": str(part.get("text") or "")})
    return {**message, "content": parts}


def misplaced(record: Mapping[str, Any], columns: Sequence[str], images: int) -> str:
    """Return what is wrong with the places of a row's images, or nothing.

    Args:
        record: its columns.
        columns: those that hold messages.
        images: that the row has.
    """
    places = 0
    for column in columns:
        for message in record[column] if isinstance(record[column], list) else ():
            content = message.get("content")
            here = [part for part in content or () if isinstance(content, list)]
            shown = sum(part.get("type") == "image" for part in here)
            places += shown
            if shown and message.get("role") == "assistant":
                return "an assistant's turn has an image, which no model here writes"
    if places == images:
        return ""
    held = f"{images} image{'' if images == 1 else 's'}"
    return f"{held} for {places} place{'' if places == 1 else 's'} in its messages"


def _items(column: Any, row: int) -> list[dict[str, Any]]:
    held = column[row].as_py()
    return [one if isinstance(one, dict) else {"bytes": one} for one in held or ()]


def _bytes_of(item: Mapping[str, Any], root: Path) -> bytes:
    data = item.get("bytes")
    if isinstance(data, bytes):
        return data
    path = item.get("path")
    if not isinstance(path, str) or not path:
        raise BadPicture("neither bytes nor a path")
    file = root / path
    try:
        if file.exists() and not file.is_file():  # to read a pipe would wait for ever
            raise BadPicture(f"{path}: no regular file")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, BadPicture):
            raise
        raise BadPicture(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _changed(row: int, number: int, what: str) -> DataError:
    return DataError(
        "an image is not the one that was planned",
        where=f"row {row}, images[{number}]",
        cause=f"{what}.",
        cure="Put the file back and resume, or make the dataset again with `temper curate`, which "
        "keeps the bytes of every image in the dataset.",
    )
