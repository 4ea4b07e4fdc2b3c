"""Rows with images as TRL and `datasets` take them: content parts, and a column of images.

`messages` (or `prompt`, `chosen` …) have `{"type": "text"}` and `{"type": "image"}` parts, and
`images` is a list of `{bytes, path}` with the feature `Image`. TRL 1.16's vision collators fill
them in, one image for each part, in their order (`trl.data_utils.prepare_multimodal_messages`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import polars as pl

from curate.frame import IMAGES
from curate.texts import IMAGE_MARK, TYPES

_BATCH_ROWS = 512
_BATCH_BYTES = 64_000_000
_FORMATS = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}
_WITH_BYTES = pl.Struct({"digest": pl.String, "bytes": pl.Binary, "path": pl.String})
Rows = list[dict[str, Any]]


def write_with_images(frame: pl.LazyFrame, kind: str, store: Path, file: Path) -> int:
    """Write rows with their images to one Parquet file and return how many.

    Args:
        frame: rows in the schema of `dataset_schema`, with images.
        kind: the dataset type.
        store: the bytes of the images.
        file: where to write.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rows = 0
    with TemporaryDirectory(prefix="curate-", dir=file.parent) as directory:
        made = Path(directory) / "rows.parquet"
        frame.sink_parquet(made, compression="lz4")
        schema = _with_features(pl.scan_parquet(made, glob=False).collect_schema(), kind)
        with ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in published_batches(made, kind, store):
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                rows += len(batch)
    return rows


def with_bytes(frame: pl.LazyFrame, store: Path, file: Path) -> pl.LazyFrame:
    """Return rows whose images hold their own `bytes`, from a file that is written for it."""
    from pyarrow.parquet import ParquetFile, ParquetWriter

    made = file.with_name(f"{file.stem}-without.parquet")
    frame.sink_parquet(made, compression="lz4")
    writer = None
    with store.open("rb") as images:
        for batch in ParquetFile(made).iter_batches(_BATCH_ROWS):
            table = pl.DataFrame(batch)
            held = [
                [{**picture, **_held(picture, images)} for picture in pictures or ()]
                for pictures in table[IMAGES].to_list()
            ]
            column = pl.Series(IMAGES, held, dtype=pl.List(_WITH_BYTES))
            arrow = table.with_columns(column).to_arrow()
            writer = writer or ParquetWriter(file, arrow.schema, compression="lz4")
            writer.write_table(arrow)
    if writer is None:
        return frame
    writer.close()
    made.unlink()
    return pl.scan_parquet(file, glob=False)


def published_batches(rows: Path, kind: str, store: Path) -> Iterator[Rows]:
    """Yield the rows of a Parquet file with their images, a bounded number of bytes at a time."""
    from pyarrow.parquet import ParquetFile

    waiting: Rows = []
    size = 0
    with store.open("rb") as images:
        for batch in ParquetFile(rows).iter_batches(_BATCH_ROWS):
            for row in pl.DataFrame(batch).iter_rows(named=True):
                size += sum(picture["size"] for picture in row[IMAGES] or ())
                waiting.append(_published(row, kind, images))
                if size >= _BATCH_BYTES:
                    yield waiting
                    waiting, size = [], 0
            if waiting:
                yield waiting
            waiting, size = [], 0


def _published(row: dict[str, Any], kind: str, images: BinaryIO) -> dict[str, Any]:
    pictures = row[IMAGES] or []
    made = {**row, IMAGES: [_held(picture, images) for picture in pictures]}
    for column in TYPES[kind].turns:
        if row[column] is not None:
            made[column] = [
                {**turn, "content": parts_of(turn["content"], marked=bool(pictures))}
                for turn in row[column]
            ]
    return made


def _held(picture: Mapping[str, Any], images: BinaryIO) -> dict[str, Any]:
    images.seek(picture["offset"])
    return {"bytes": images.read(picture["size"]), "path": picture["name"] or None}


def parts_of(text: str | None, *, marked: bool) -> list[dict[str, str | None]]:
    """Return a turn's text as content parts.

    Args:
        text: of the turn.
        marked: its row has images, so that a mark is one; else a mark is text.

    >>> parts_of("What is it?", marked=False)
    [{'type': 'text', 'text': 'What is it?'}]
    """
    pieces = re.split(IMAGE_MARK, text or "") if marked else [text or ""]
    parts: list[dict[str, str | None]] = []
    for place, piece in enumerate(pieces):  # between two texts, the digest of an image
        if place % 2:
            parts.append({"type": "image", "text": None})
        elif piece:
            parts.append({"type": "text", "text": piece})
    return parts


def as_data_url(data: bytes) -> str:
    """Return an image as JSON can hold it."""
    name = next((name for head, name in _FORMATS.items() if data.startswith(head)), "tiff")
    return f"data:image/{name};base64,{base64.b64encode(data).decode()}"


def _with_features(columns: Mapping[str, Any], kind: str) -> Any:
    """Return the Arrow schema of the published rows, with the features that `datasets` reads."""
    from datasets import Features, Image, List, Value

    turns = TYPES[kind].turns
    features = {
        name: List(_turn(column.inner))
        if name in turns
        else List(Image())
        if name == IMAGES
        else _feature(column)
        for name, column in columns.items()
    }
    text = {"type": Value("string"), "text": Value("string")}
    for name in turns:
        features[name].feature["content"] = List(text)
    return Features(features).arrow_schema


def _turn(turn: pl.Struct) -> dict[str, Any]:
    return {field.name: _feature(field.dtype) for field in turn.fields}


def _feature(column: Any) -> Any:
    from datasets import List, Value

    if isinstance(column, pl.List):
        return List(_feature(column.inner))
    if isinstance(column, pl.Struct):
        return _turn(column)
    names: Sequence[tuple[Any, str]] = (
        (pl.Int64, "int64"),
        (pl.Int32, "int32"),
        (pl.Boolean, "bool"),
        (pl.Float64, "float64"),
    )
    return Value(next((name for kind, name in names if column == kind), "string"))
