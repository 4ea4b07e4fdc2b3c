"""The datasets of a workspace: of each name the newest rows, and how their curation ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.cached import Entry
from tui.records import UnreadableRecord, read_record, whole, words

if TYPE_CHECKING:
    from tui.jobs import JobRow

LEDGER = "current/ledger.json"
"""What is looked at in `datasets/NAME`; the link `current` is swapped when there are new rows."""


class DatasetRecord(NamedTuple):
    """What the ledger of the newest rows says."""

    digest: str
    """Name of the directory that `current` points at."""
    rows: int | None
    """Rows kept, of all splits."""
    rows_read: int | None
    dropped: int | None
    made: int | None
    tokens: int | None
    """Of all splits; None where tokens were not counted."""
    type: str
    splits: tuple[str, ...]
    """`train 2,723`, with the rows of each."""


class DatasetRow(NamedTuple):
    """One name below `datasets/` as a screen shows it. Texts are as found on disk."""

    name: str
    path: Path
    state: str
    """How its newest curation stands, as of jobs; finished without a job; broken."""
    reason: str = ""
    record: DatasetRecord | None = None
    changed: float = 0.0
    """When its ledger was written, in seconds since 1970."""
    job: str = ""
    """Id of the job that made it, where one is known."""

    @property
    def id(self) -> str:
        """What names it in a table."""
        return self.name

    @property
    def version(self) -> Path:
        """The directory of the newest rows."""
        return self.path / (self.record.digest if self.record is not None else "current")


def read_dataset(directory: Path) -> DatasetRecord:
    """Read the newest ledger below `datasets/NAME`.

    Raises:
        UnreadableRecord: missing, damaged, half-written or from a newer version.
    """
    if not (directory / "current").exists():
        raise UnreadableRecord("There are no whole rows below this name yet (no `current`).")
    record = read_record(directory / LEDGER, kind="ledger")
    rows = record.get("rows")
    rows = rows if isinstance(rows, dict) else {}
    splits = record.get("splits")
    counted = _splits(splits if isinstance(splits, dict) else {})
    tokens = [one.get("tokens") for one in counted.values()]
    known = [whole(one) for one in tokens]
    return DatasetRecord(
        digest=os.path.basename(os.path.realpath(directory / "current")),  # noqa: PTH119
        rows=whole(rows.get("kept")),
        rows_read=whole(rows.get("in")),
        dropped=whole(rows.get("dropped")),
        made=whole(rows.get("made")),
        tokens=sum(one or 0 for one in known) if known and None not in known else None,
        type=words(record.get("type")),
        splits=tuple(f"{name} {whole(one.get('rows')) or 0:,}" for name, one in counted.items()),
    )


def _splits(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(name): one for name, one in found.items() if isinstance(one, dict)}


def dataset_rows(
    entries: Mapping[str, Entry[DatasetRecord]], jobs: Mapping[str, JobRow]
) -> tuple[DatasetRow, ...]:
    """Return the rows of all names, the newest first.

    Args:
        entries: by directory.
        jobs: the newest job that made rows of each name, by the name.
    """
    rows = [_row(Path(directory), entry, jobs) for directory, entry in entries.items()]
    return tuple(sorted(rows, key=lambda row: (row.changed, row.name), reverse=True))


def _row(path: Path, entry: Entry[DatasetRecord], jobs: Mapping[str, JobRow]) -> DatasetRow:
    job = jobs.get(path.name)
    changed = entry.signature[0] / 1e9 if entry.signature is not None else 0.0
    if entry.value is None:
        return DatasetRow(path.name, path, "broken", entry.reason, changed=changed)
    state = job.state if job is not None else "finished"
    return DatasetRow(
        name=path.name,
        path=path,
        state=state,
        reason=job.reason if job is not None and state != "finished" else "",
        record=entry.value,
        changed=changed,
        job=job.id if job is not None else "",
    )
