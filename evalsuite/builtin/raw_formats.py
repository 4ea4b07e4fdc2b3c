"""The file formats of the messy raw set, and how one row looks in each."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.builtin.tickets import INSTRUCTION, triage_prompt


@dataclass(eq=False)
class RawRow:
    """One row on its way to a file; spoilt in place where a defect is planted."""

    file: str
    text: str
    answer: str | None
    kind: str = ""
    """The defect, empty when clean."""
    of: RawRow | str = ""
    """The row it repeats, or the id of the suite item it leaks."""
    detail: str = ""
    verbatim: str = ""
    """When set, the line as it is written, whatever the format."""

    def again(
        self,
        file: str,
        kind: str,
        *,
        text: str | None = None,
        answer: str | None = None,
        detail: str = "",
    ) -> RawRow:
        """A second row made from this one."""
        return RawRow(
            file,
            self.text if text is None else text,
            self.answer if answer is None else answer,
            kind,
            of=self,
            detail=detail,
        )

    def spoil(self, kind: str, **changes: Any) -> None:
        """Turns this row into a defect."""
        self.kind = kind
        for name, value in changes.items():
            setattr(self, name, value)


def alpaca(row: RawRow) -> dict[str, Any]:
    return {"instruction": INSTRUCTION, "input": row.text, "output": row.answer}


def messages(row: RawRow) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": triage_prompt(row.text)},
            {"role": "assistant", "content": row.answer},
        ]
    }


def sharegpt(row: RawRow) -> dict[str, Any]:
    return {
        "conversations": [
            {"from": "human", "value": triage_prompt(row.text)},
            {"from": "gpt", "value": row.answer},
        ]
    }


def prompt_completion(row: RawRow) -> dict[str, Any]:
    return {"prompt": triage_prompt(row.text), "completion": row.answer}


FILES: dict[str, tuple[float, Callable[[RawRow], dict[str, Any]]]] = {
    "tickets_2024.jsonl": (5, alpaca),
    "tickets_2023.jsonl.gz": (4, alpaca),
    "chats.json": (4, sharegpt),
    "helpdesk.jsonl": (3, messages),
    "export.csv": (3, prompt_completion),
    "archive.parquet": (2, messages),
    "legacy.parquet": (2, alpaca),
}
"""File name → its share of the rows and its row format."""


def write_rows(path: Path, rows: list[RawRow]) -> None:
    """Writes rows in the format that belongs to the file's name."""
    _, shape = FILES[path.name]
    if path.suffix == ".parquet":
        _write_parquet(path, [shape(row) for row in rows])
    elif path.suffix == ".csv":
        _write_csv(path, [shape(row) for row in rows])
    elif path.suffix == ".json":
        text = json.dumps([shape(row) for row in rows], ensure_ascii=False, indent=1)
        path.write_bytes(text.encode() + b"\n")
    else:
        _write_lines(path, [row.verbatim or _line(shape(row)) for row in rows])


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _write_lines(path: Path, lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix == ".gz":
        # No file name and no time in the header: the same bytes every time.
        buffer = io.BytesIO()
        with gzip.GzipFile("", "wb", fileobj=buffer, mtime=0) as packed:
            packed.write(data)
        data = buffer.getvalue()
    path.write_bytes(data)


def _write_csv(path: Path, records: list[dict[str, Any]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    path.write_bytes(buffer.getvalue().encode())


def _write_parquet(path: Path, records: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
