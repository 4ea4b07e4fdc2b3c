"""`completions.jsonl`: what was drawn, written before anything is made of it.

Append-only, one JSON object a line, flushed to the device: what was written is never drawn again,
however the job ends. A torn last line means "not yet".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from workspace.files import telling_disk_errors

FILE = "completions.jsonl"


@dataclass(frozen=True)
class Drawn:
    """One completion with its reward."""

    row_id: str
    sample: int
    """Which of the row's completions, from 0."""
    text: str
    tokens: int
    """The end token included."""
    ended: bool
    """Whether it ended by itself."""
    reward: float
    """The weighted sum."""
    rewards: dict[str, float | None]
    """Each before its weight."""


def append(path: Path, found: Sequence[Drawn]) -> None:
    """Write completions at the end of the file; when this returns they are on the device."""
    lines = b"".join(json.dumps(asdict(one)).encode() + b"\n" for one in found)
    with telling_disk_errors(path), path.open("a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                lines = b"\n" + lines  # a torn line must not swallow this one
        stream.write(lines)
        stream.flush()
        os.fsync(stream.fileno())


def read(path: Path) -> Iterator[Drawn]:
    """Yield the completions of a file, each once; half a line is passed over."""
    if not path.exists():
        return
    seen = set()
    with path.open("rb") as stream:
        for line in stream:
            try:
                record = json.loads(line)
            except ValueError:  # a killed process left it unfinished
                continue
            one = Drawn(**record)
            if (one.row_id, one.sample) not in seen:
                seen.add((one.row_id, one.sample))
                yield one
