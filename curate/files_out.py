"""Curated rows to one file, with the ledger and the dropped rows beside it, or to a stream."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import polars as pl

from curate.frame import IMAGES
from curate.images_out import as_data_url, published_batches, write_with_images
from curate.json_lines import write_lines, write_objects
from curate.ledger import verify
from curate.pipeline import Curated, ledger_document
from curate.publish import logical_digest, schema_of, write_dataset
from curate.schema import with_meta
from curate.texts import answer_text, prompt_text
from evalsuite.similarity.tokens import BLOCK_ROWS
from workspace.errors import DataError, UsageError
from workspace.files import atomic_path, read_json, telling_disk_errors, write_json

STREAM = "-"
FILE_ENDINGS = (".jsonl", ".parquet", ".csv")
_BATCH = 5_000


def check_out(out: str, *, force: bool, splits: bool) -> None:
    """Refuse an output that cannot be written, before any work is done.

    Raises:
        UsageError: it is there already and `force` was not given, or it cannot hold splits.
    """
    if splits and (out == STREAM or Path(out).suffix in FILE_ENDINGS):
        raise UsageError(
            "splits need a directory", where=out, cure="Give -o the name of a new directory."
        )
    if out == STREAM:
        return
    path = Path(out)
    _check_name(path)
    taken = [path for path in _written(path) if path.exists() or path.is_symlink()]
    if taken and not force:
        raise UsageError(
            "this exists already",
            where=str(taken[0]),
            cure="Give another name, or --force to replace it.",
        )
    if path.suffix not in FILE_ENDINGS:
        _check_replaceable(path)
    for file in taken if path.suffix in FILE_ENDINGS else ():
        if file.is_dir():
            raise UsageError(
                "a directory is where this file should go",
                where=str(file),
                cure="Give another name; --force replaces no directory by a file.",
            )


def _check_name(path: Path) -> None:
    """Refuse the current directory and those it lies in, however they are written."""
    whole = path.resolve()
    if path.name in ("", "..") or Path.cwd().is_relative_to(whole):
        raise UsageError(
            "this directory cannot be the output",
            where=str(path),
            cause="It is the current directory, or holds it; rows go to a directory of their own.",
            cure="Give -o the name of a new directory, such as `rows`.",
        )


def _check_replaceable(path: Path) -> None:
    """Refuse to put a dataset where something else is than a dataset of ours."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not path.is_symlink() and _is_dataset(path):
        return
    raise UsageError(
        "only a dataset is replaced by a dataset",
        where=str(path),
        cause="It is a link, a file, or a directory without the ledger.json of a dataset.",
        cure="Give another name, or remove it yourself.",
    )


def _is_dataset(path: Path) -> bool:
    try:
        ledger = read_json(path / "ledger.json", kind="ledger")
    except DataError:
        return False
    return {"schema_version", "digest", "rows"} <= ledger.keys()


def _written(out: Path) -> tuple[Path, ...]:
    if out.suffix not in FILE_ENDINGS:
        return (out,)
    beside = ("ledger.json", "dropped.parquet", "altered.parquet")
    return out, *(_beside(out, ending) for ending in beside)


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name}.{ending}")


def write_out(curated: Curated, out: str, settings: dict[str, Any], recipe_yaml: str) -> None:
    """Write to a directory (a whole dataset), a file, or standard output (data alone).

    Raises:
        DataError: CSV cannot hold these rows.
        WorkError: the ledger does not balance, or the disk refuses.
    """
    digest = logical_digest(curated, settings)
    if out == STREAM:
        with telling_disk_errors(Path("stdout")):
            _write_lines(curated, sys.stdout.buffer)
        return
    path = Path(out)
    if path.suffix not in FILE_ENDINGS:
        with _replacing(path) as directory:
            write_dataset(curated, directory, path.name, digest, recipe_yaml)
        return
    if curated.altered.height:
        with atomic_path(_beside(path, "altered.parquet")) as temporary:
            curated.altered.write_parquet(temporary, compression="zstd")
    with (
        atomic_path(path) as temporary,
        atomic_path(_beside(path, "dropped.parquet")) as beside,
        ThreadPoolExecutor(1) as pool,
    ):
        other = pool.submit(_write_dropped, curated, beside)
        with telling_disk_errors(path):
            rows = _write_file(curated, temporary)
        other.result()
        splits = {name: count.rows for name, count in curated.ledger.splits.items()}
        found = splits if rows == sum(splits.values()) else {"train": rows}
        verify(curated.ledger, curated.dropped.height, found)
    write_json(_beside(path, "ledger.json"), ledger_document(curated, digest))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield where to write; what is at `path` is there until its successor is complete."""
    _check_replaceable(path)
    if not path.exists():
        yield path
        return
    new, old = (path.with_name(f".{path.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    try:
        yield new
        path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            old.rename(path)
            raise
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old)


def _typed(curated: Curated) -> pl.LazyFrame:
    return with_meta(curated.kept, schema_of(curated))


def _write_dropped(curated: Curated, path: Path) -> None:
    curated.dropped.write_parquet(path, compression="zstd", compression_level=1)


def _write_file(curated: Curated, path: Path) -> int:
    if path.suffix == ".parquet" and curated.images is not None:
        return write_with_images(_typed(curated), curated.type, curated.images, path)
    if path.suffix == ".parquet":
        _typed(curated).sink_parquet(path, compression="zstd", row_group_size=BLOCK_ROWS)
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    if path.suffix == ".csv":
        table = _flat(curated)
        table.write_csv(path)
        return table.height
    with path.open("wb") as stream:
        return _write_lines(curated, stream)


def _write_lines(curated: Curated, stream: BinaryIO) -> int:
    if curated.images is not None:
        return _write_with_data_urls(curated, curated.images, stream)
    written = 0
    for rows in _typed(curated).collect_batches(chunk_size=_BATCH, lazy=True):
        write_lines(rows, stream)
        written += rows.height
    stream.flush()
    return written


def _write_with_data_urls(curated: Curated, images: Path, stream: BinaryIO) -> int:
    """Write from a file that is made once: a slice of the lazy rows would compute them all."""
    written = 0
    with TemporaryDirectory(prefix="curate-") as directory:
        made = Path(directory) / "rows.parquet"
        _typed(curated).sink_parquet(made, compression="uncompressed", statistics=False)
        for some in published_batches(made, curated.type, images):
            shown = [
                {**row, IMAGES: [as_data_url(image["bytes"]) for image in row[IMAGES]]}
                for row in some
            ]
            write_objects(shown, stream)
            written += len(shown)
    stream.flush()
    return written


def _flat(curated: Curated) -> pl.DataFrame:
    if curated.images is not None:
        raise DataError(
            "CSV cannot hold these rows",
            cause="They have images.",
            cure="Give -o a directory, or a name that ends in .parquet or .jsonl.",
        )
    if curated.type == "text":
        return curated.kept.select("id", "text").collect()
    if curated.type in ("messages", "prompt_completion"):
        roles = pl.lit(True)
        if curated.type == "messages":
            turns = pl.col("messages").list.eval(pl.element().struct.field("role"))
            roles = turns.list.join(",") == "user,assistant"
        if curated.kept.select(roles.all()).collect().item():
            prompt, answer = prompt_text(curated.type), answer_text(curated.type)
            return curated.kept.select(
                "id", prompt.alias("prompt"), answer.alias("completion")
            ).collect()
    raise DataError(
        "CSV cannot hold these rows",
        cause=f"They are of type {curated.type}, with more than one question and one answer.",
        cure="Give -o a name that ends in .jsonl or .parquet.",
    )
