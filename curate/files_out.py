"""Curated rows to one file, with the ledger and the dropped rows beside it, or to a stream."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import polars as pl

from curate.ledger import verify
from curate.pipeline import Curated, ledger_document
from curate.publish import logical_digest, write_dataset
from curate.schema import dataset_schema, uses_tools, with_meta
from curate.texts import answer_text, prompt_text
from workspace.errors import DataError, UsageError
from workspace.files import atomic_path, write_json

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
    taken = [path for path in _written(Path(out)) if path.exists()]
    if taken and not force:
        raise UsageError(
            "this exists already",
            where=str(taken[0]),
            cure="Give another name, or --force to replace it.",
        )


def _written(out: Path) -> tuple[Path, ...]:
    if out.suffix not in FILE_ENDINGS:
        return (out,)
    return out, _beside(out, "ledger.json"), _beside(out, "dropped.parquet")


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
        _write_lines(curated, sys.stdout.buffer)
        return
    path = Path(out)
    if path.suffix not in FILE_ENDINGS:
        with _replacing(path):
            write_dataset(curated, path, path.name, digest, recipe_yaml)
        return
    with atomic_path(_beside(path, "dropped.parquet")) as temporary:
        curated.dropped.write_parquet(temporary, compression="zstd")
    with atomic_path(path) as temporary:
        rows = _write_file(curated, temporary)
        splits = {name: count.rows for name, count in curated.ledger.splits.items()}
        found = splits if rows == sum(splits.values()) else {"train": rows}
        verify(curated.ledger, curated.dropped.height, found)
    write_json(_beside(path, "ledger.json"), ledger_document(curated, digest))


@contextmanager
def _replacing(path: Path) -> Iterator[None]:
    """Put what is there aside until its successor is complete."""
    if not path.exists():
        yield
        return
    aside = path.with_name(f".{path.name}.old-{os.getpid()}")
    path.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(path)
        raise
    shutil.rmtree(aside) if aside.is_dir() else aside.unlink()


def _typed(curated: Curated) -> pl.LazyFrame:
    tool_turns, tools = uses_tools(curated.kept, curated.type)
    schema = dataset_schema(curated.type, tool_turns=tool_turns, tools=tools)
    return with_meta(curated.kept, schema)


def _write_file(curated: Curated, path: Path) -> int:
    if path.suffix == ".parquet":
        _typed(curated).sink_parquet(path, compression="zstd")
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    if path.suffix == ".csv":
        table = _flat(curated)
        table.write_csv(path)
        return table.height
    with path.open("wb") as stream:
        return _write_lines(curated, stream)


def _write_lines(curated: Curated, stream: BinaryIO) -> int:
    frame = _typed(curated)
    total = int(curated.ledger.rows_kept)
    written = 0
    for begin in range(0, total, _BATCH):
        rows = frame.slice(begin, _BATCH).collect()
        for row in rows.iter_rows(named=True):
            stream.write(orjson.dumps(_without_nulls(row), option=orjson.OPT_APPEND_NEWLINE))
        written += rows.height
    stream.flush()
    return written


def _without_nulls(value: Any) -> Any:
    """JSON Lines says nothing rather than null: every row has its own keys."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _flat(curated: Curated) -> pl.DataFrame:
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
