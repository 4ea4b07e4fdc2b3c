"""A dataset directory as chats to learn from.

Read with pyarrow, so that training does not need polars. Whatever cannot be learnt from stops the
run here, before any model is loaded, with the row, the field and the way out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workspace.errors import DataError
from workspace.files import hash_file

Message = dict[str, Any]
_KINDS = {
    frozenset({"messages"}): "messages",
    frozenset({"prompt", "completion"}): "prompt+completion",
}
_OTHER_TYPES = (
    ({"chosen", "rejected"}, "preference rows (chosen and rejected)"),
    ({"prompt", "completion", "label"}, "rows with a good/bad label (KTO)"),
    ({"prompt", "answer"}, "rows with a verifiable answer (prompt and answer)"),
)
_SHOWN = 3


@dataclass(frozen=True)
class ChatRow:
    """One row to learn from."""

    row_id: str
    """The dataset's own `id`, which follows the row from the raw file to the batch."""
    source: str
    """Raw file that the row came from, or the dataset's name."""
    place: str
    """Where to look for the row: `source:row`."""
    record: Mapping[str, Any]
    """`messages`, or `prompt` and `completion`; `tools` decoded from their JSON text."""

    @property
    def messages(self) -> list[Message]:
        """The row as messages, whatever its type."""
        return [*self.context, *self.learnt]

    @property
    def context(self) -> list[Message]:
        """Messages that are read and never learnt: the prompt, where the row names one."""
        if "messages" in self.record:
            return []
        prompt = self.record["prompt"]
        return prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]

    @property
    def learnt(self) -> list[Message]:
        """Messages whose assistant turns are learnt."""
        if "messages" in self.record:
            return list(self.record["messages"])
        done = self.record["completion"]
        return done if isinstance(done, list) else [{"role": "assistant", "content": done}]

    @property
    def is_plain_text(self) -> bool:
        """Whether the row is two texts, which pass no chat template."""
        return isinstance(self.record.get("prompt"), str)


@dataclass(frozen=True)
class DatasetRows:
    """The training split of one dataset."""

    path: Path
    digest: str
    """SHA-256 of the Parquet file's bytes."""
    role: Literal["train", "replay"]
    rows: Sequence[ChatRow]


def read_dataset(path: Path, role: Literal["train", "replay"]) -> DatasetRows:
    """Read `train.parquet` of a dataset directory.

    Raises:
        DataError: not a dataset directory, of a type that supervised fine-tuning cannot learn
            from, empty, or with rows that have no assistant turn or a null content (each named).
    """
    file = path / "train.parquet"
    if not file.is_file():
        raise DataError(
            "this dataset has no train.parquet",
            where=str(path),
            cure="Make one with `temper curate`, or check that the split leaves rows to train on.",
        )
    table = _read_parquet(file)
    if "images" in table.column_names:
        raise DataError(
            "this dataset has images, and training reads text alone",
            where=str(file),
            cause="Its turns are made of text and image parts for a vision model's processor.",
            cure="It is in TRL's vision format: train on it with TRL, or curate the rows with "
            "`images: {read: false}`.",
        )
    if table.num_rows == 0:
        raise DataError(
            "this dataset has no rows",
            where=str(file),
            cure="Its ledger.json and dropped.parquet say what became of them.",
        )
    kind = _kind(set(table.column_names), file)
    rows = [_row(record, kind, path.parent.name) for record in _records(table)]
    _refuse_unlearnable(rows, file)
    return DatasetRows(path, hash_file(file), role, rows)


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


def _kind(columns: set[str], file: Path) -> str:
    shown = ", ".join(sorted(columns - {"id", "meta", "content_hash"}))
    for fields, name in _OTHER_TYPES:
        if fields <= columns:
            raise DataError(
                f"supervised fine-tuning cannot learn from {name}",
                where=str(file),
                cause=f"Its columns are {shown}; `method: sft` reads `messages`, or `prompt` and "
                "`completion`.",
                cure="Convert the rows with `temper curate convert`, or choose another dataset.",
            )
    for needed, kind in _KINDS.items():
        if needed <= columns:
            return kind
    raise DataError(
        "this dataset has no column that supervised fine-tuning can learn from",
        where=str(file),
        cause=f"Its columns are {shown}; `method: sft` reads `messages`, or `prompt` and "
        "`completion`.",
        cure="Convert the rows with `temper curate convert`.",
    )


def _records(table: Any) -> Iterator[dict[str, Any]]:
    """Yield rows as dicts, a batch at a time, so that no second copy of the table is held."""
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()


def _row(record: Mapping[str, Any], kind: str, dataset_name: str) -> ChatRow:
    meta = record.get("meta") or {}
    source = str(meta.get("source") or dataset_name)
    row_id = str(record.get("id") or record.get("content_hash") or "")
    content = {
        name: [_message(item) for item in record[name]]
        if isinstance(record[name], list)
        else record[name]
        for name in kind.split("+")
    }
    tools = record.get("tools")
    if tools:
        content["tools"] = json.loads(tools) if isinstance(tools, str) else tools
    place = f"{source}:{meta['row']}" if meta.get("row") is not None else row_id
    return ChatRow(row_id, source, place, content)


def _message(item: Mapping[str, Any]) -> Message:
    """Drop what Arrow filled with null, and decode tool calls kept as JSON text."""
    message = {key: value for key, value in item.items() if value is not None or key == "content"}
    calls = message.get("tool_calls")
    if isinstance(calls, str):
        message["tool_calls"] = json.loads(calls)
    return message


def _refuse_unlearnable(rows: Sequence[ChatRow], file: Path) -> None:
    """Stop on rows that have nothing to learn; trl alone would train on the whole of them."""
    null, silent = [], []
    for row in rows:
        if any(value is None for value in row.record.values()) or any(
            message.get("content") is None and "tool_calls" not in message
            for message in row.messages
        ):
            null.append(row)
        elif not any(message.get("role") == "assistant" for message in row.learnt):
            silent.append(row)
    for found, title, cause in (
        (null, "without content", "A message, prompt or completion is null."),
        (silent, "without an assistant turn", "There is nothing to learn in them."),
    ):
        if found:
            shown = ", ".join(f"{row.place} (id {row.row_id[:12]})" for row in found[:_SHOWN])
            raise DataError(
                f"{len(found)} of {len(rows)} rows are {title}",
                where=str(file),
                cause=f"{cause} The first: {shown}.",
                cure="Drop or mend these rows and make the dataset again with `temper curate`.",
            )
