"""A dataset directory as rows to learn from.

Read with pyarrow, so that training does not need polars. Rows stay in Arrow and become Python
objects one by one, when something looks at them. Whatever cannot be learnt from stops the run
here, before any model is loaded, with the row, the field and the way out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

from train.pictures import COLUMN, Pictures, misplaced, read_pictures, with_sizes
from workspace.errors import DataError
from workspace.files import hash_file

Message = dict[str, Any]
Role = Literal["train", "replay"]
DataType = Literal[
    "messages", "prompt_completion", "preference", "unpaired_preference", "answer", "text"
]

COLUMNS: dict[DataType, tuple[str, ...]] = {
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired_preference": ("prompt", "completion", "label"),
    "answer": ("prompt", "answer"),
    "prompt_completion": ("prompt", "completion"),
    "messages": ("messages",),
    "text": ("text",),
}
"""Columns of each type of dataset; a dataset is of the first type whose columns it has."""
MARGIN = "margin"
"""A column that preferences may have: by how much chosen is better, in logits of a reward."""
DESCRIPTIONS: dict[DataType, str] = {
    "preference": "preference rows (prompt, chosen and rejected)",
    "unpaired_preference": "rows with a good/bad label (prompt, completion and label)",
    "answer": "rows with a verifiable answer (prompt and answer)",
    "prompt_completion": "rows of prompt and completion",
    "messages": "rows of messages",
    "text": "plain texts",
}
_SHOWN = 3
_BLOCK = 4_096


@dataclass(frozen=True)
class DataRow:
    """One row to learn from."""

    row_id: str
    """The dataset's own `id`, which follows the row from the raw file to the batch."""
    source: str
    """Raw file that the row came from, or the dataset's name."""
    place: str
    """Where to look for the row: `source:row`."""
    kind: DataType
    record: Mapping[str, Any]
    """The columns of its type; `tools` decoded from their JSON text. An image in a message's
    content is a part with its `size`."""
    misplaced: str = ""
    """What is wrong with the places of its images."""

    def turns(self, column: str) -> list[Message]:
        """Return a column as messages; a plain text is one turn, of the user if it asks."""
        value = self.record[column]
        if isinstance(value, list):
            return value
        return [{"role": "user" if column == "prompt" else "assistant", "content": value}]

    @property
    def is_plain_text(self) -> bool:
        """Whether the row passes no chat template."""
        return self.kind == "text" or isinstance(self.record.get("prompt"), str)


class LazyRows(Sequence[DataRow]):
    """Rows of an Arrow table, decoded when they are looked at."""

    def __init__(
        self, table: Any, kind: DataType, name: str, pictures: Pictures | None = None
    ) -> None:
        """`table` is a pyarrow table of the type `kind`; `name` that of the dataset; `pictures`
        the images of its rows.
        """
        self._table, self._kind, self._name, self._pictures = table, kind, name, pictures

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> DataRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DataRow]: ...
    def __getitem__(self, index: int | slice) -> DataRow | Sequence[DataRow]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        (record,) = self._table.slice(place, 1).to_pylist()
        return self._row(place, record)

    def __iter__(self) -> Iterator[DataRow]:
        place = 0
        for batch in self._table.to_batches(max_chunksize=_BLOCK):
            for record in batch.to_pylist():
                yield self._row(place, record)
                place += 1

    def _row(self, place: int, record: Mapping[str, Any]) -> DataRow:
        row = _row(record, self._kind, self._name)
        if self._pictures is None:
            return row
        sizes = self._pictures.sizes[place]
        wrong = misplaced(row.record, COLUMNS[self._kind], len(sizes))
        content = with_sizes(row.record, COLUMNS[self._kind], sizes)
        return replace(row, record=content, misplaced=wrong)


@dataclass(frozen=True)
class DatasetRows:
    """The training split of one dataset."""

    path: Path
    digest: str
    """SHA-256 of the Parquet file's bytes."""
    role: Role
    kind: DataType
    rows: Sequence[DataRow]
    pictures: Pictures | None = None
    """The images of its rows, if it has any."""

    @property
    def uses_template(self) -> bool:
        """Whether its rows pass the chat template; a column has one type, so one row tells."""
        return not self.rows[0].is_plain_text


def read_dataset(
    path: Path,
    role: Role,
    *,
    accepts: Sequence[DataType],
    method: str,
    reads_images: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DatasetRows:
    """Read `train.parquet` of a dataset directory.

    Args:
        path: the directory.
        role: what its rows are for.
        accepts: the types that the method learns from.
        method: its name, for messages.
        reads_images: whether it learns from rows with images.
        progress: is told rows whose images are read, and rows in all.

    Raises:
        DataError: not a dataset directory, of a type that the method cannot learn from, empty,
            with rows that have no assistant turn or a null content, or with images that the method
            does not read, that cannot be read, or that have no place (each named).
    """
    file = path / "train.parquet"
    if not file.is_file():
        raise DataError(
            "this dataset has no train.parquet",
            where=str(path),
            cure="Make one with `temper curate`, or check that the split leaves rows to train on.",
        )
    table = _read_parquet(file)
    if table.num_rows == 0:
        raise DataError(
            "this dataset has no rows",
            where=str(file),
            cure="Its ledger.json and dropped.parquet say what became of them.",
        )
    kind = data_type(table.column_names)
    if kind is None or kind not in accepts:
        raise _wrong_type(kind, set(table.column_names), file, accepts, method)
    kept = {"id", "content_hash", "meta", "tools", *COLUMNS[kind]}
    kept |= {MARGIN} if kind == "preference" else set()
    pictures = None
    if COLUMN in table.column_names:
        if not reads_images:
            raise _no_images(file, method)
        pictures = read_pictures(table[COLUMN], path, file, progress)
    rows = LazyRows(
        table.select([name for name in table.column_names if name in kept]),
        kind,
        path.parent.name,
        pictures,
    )
    _refuse_unlearnable(rows, file)
    return DatasetRows(path, hash_file(file), role, kind, rows, pictures)


def data_type(columns: Sequence[str]) -> DataType | None:
    """Return the type of a dataset with these columns, or None.

    >>> data_type(["id", "prompt", "chosen", "rejected"])
    'preference'
    """
    return next((kind for kind, needed in COLUMNS.items() if {*needed} <= {*columns}), None)


def _read_parquet(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            "this is not a readable Parquet file",
            where=str(file),
            cause=f"{str(error).splitlines()[0].rstrip('.')}.",
            cure="Make the dataset again with `temper curate`.",
        ) from error


def _wrong_type(
    kind: DataType | None,
    columns: set[str],
    file: Path,
    accepts: Sequence[DataType],
    method: str,
) -> DataError:
    shown = ", ".join(sorted(columns - {"id", "meta", "content_hash"}))
    forms = (" + ".join(f"`{column}`" for column in COLUMNS[one]) for one in accepts)
    wanted = ", or ".join(forms)
    what = DESCRIPTIONS[kind] if kind else "a dataset with these columns"
    return DataError(
        f"`method: {method}` cannot learn from {what}",
        where=str(file),
        cause=f"Its columns are {shown}; `method: {method}` reads {wanted}.",
        cure="Convert the rows with `temper curate convert`, or choose another method or dataset.",
    )


def _no_images(file: Path, method: str) -> DataError:
    return DataError(
        f"this dataset has images, and `method: {method}` reads text alone",
        where=str(file),
        cause="Its turns are made of text and image parts for a vision-language model.",
        cure="Use method sft or dpo with a vision-language model, or curate the rows with "
        "`images: {read: false}`.",
    )


def _row(record: Mapping[str, Any], kind: DataType, dataset_name: str) -> DataRow:
    meta = record.get("meta") or {}
    source = str(meta.get("source") or dataset_name)
    row_id = str(record.get("id") or record.get("content_hash") or "")
    content = {
        name: [_message(item) for item in record[name]]
        if isinstance(record[name], list)
        else record[name]
        for name in COLUMNS[kind]
    }
    if MARGIN in record:
        content[MARGIN] = record[MARGIN]
    tools = record.get("tools")
    if tools:
        content["tools"] = json.loads(tools) if isinstance(tools, str) else tools
    place = f"{source}:{meta['row']}" if meta.get("row") is not None else row_id
    return DataRow(row_id, source, place, kind, content)


def _message(item: Mapping[str, Any]) -> Message:
    """Drop what Arrow filled with null, and decode tool calls kept as JSON text."""
    message = {key: value for key, value in item.items() if value is not None or key == "content"}
    calls = message.get("tool_calls")
    if isinstance(calls, str):
        message["tool_calls"] = json.loads(calls)
    return message


def _refuse_unlearnable(rows: Sequence[DataRow], file: Path) -> None:
    """Stop on rows that have nothing to learn; trl alone would train on the whole of them."""
    found: dict[str, list[DataRow]] = {why: [] for why in _UNLEARNABLE}
    counts = dict.fromkeys(_UNLEARNABLE, 0)
    for row in rows:
        why = _unlearnable(row)
        if why:
            counts[why] += 1
            found[why] += [row] if len(found[why]) < _SHOWN else []
    for why, cause in _UNLEARNABLE.items():
        if counts[why]:
            shown = ", ".join(
                f"{row.place} (id {row.row_id[:12]}{f': {row.misplaced}' * bool(row.misplaced)})"
                for row in found[why]
            )
            raise DataError(
                f"{counts[why]} of {len(rows)} rows are {why}",
                where=str(file),
                cause=f"{cause} The first: {shown}.",
                cure="Drop or mend these rows and make the dataset again with `temper curate`.",
            )


_UNLEARNABLE = {
    "without content": "A message, prompt, answer or label is null.",
    "without an assistant turn": "There is nothing to learn in them.",
    "with misplaced images": "Each image needs one place in what is asked.",
}


def _unlearnable(row: DataRow) -> str:
    """Return why a row cannot be learnt from, a key of `_UNLEARNABLE`, or nothing."""
    if _has_null(row):
        return "without content"
    if not all(_speaks(row, column) for column in _answers(row.kind)):
        return "without an assistant turn"
    return "with misplaced images" if row.misplaced else ""


def _has_null(row: DataRow) -> bool:
    return any(
        value is None
        or (
            isinstance(value, list)
            and any(
                isinstance(message, dict)
                and message.get("content") is None
                and "tool_calls" not in message
                for message in value
            )
        )
        for name, value in row.record.items()
        if name not in ("tools", MARGIN)
    )


def _answers(kind: DataType) -> tuple[str, ...]:
    """Return the columns that hold what an assistant says."""
    if kind == "messages":
        return ("messages",)
    return tuple(name for name in COLUMNS[kind] if name in ("completion", "chosen", "rejected"))


def _speaks(row: DataRow, column: str) -> bool:
    return any(message.get("role") == "assistant" for message in row.turns(column))
