"""The tables of datasets, evaluations and jobs."""

from __future__ import annotations

from collections.abc import Sequence

from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.figures import count, duration, moment
from tui.glyphs import ROLES
from tui.jobs import JobRow
from tui.snapshot import unstamped
from tui.widgets.rows import Part
from tui.widgets.table import Column, Table


class DatasetTable(Table[DatasetRow]):
    """Datasets: rows, tokens, dropped."""

    TITLE = "datasets"
    EMPTY = "No dataset yet: temper curate"

    def name_of(self, row: DatasetRow) -> str:
        """Return its name."""
        return row.name

    def state_of(self, row: DatasetRow) -> str:
        """Return how its newest curation stands."""
        return row.state

    def columns(self) -> Sequence[Column[DatasetRow]]:
        """Return the columns beside the name."""
        return (
            Column("rows", 6, 9, lambda row: (_count(row, "rows"), ""), is_number=True),
            Column("tokens", 7, 7, lambda row: (_count(row, "tokens"), ""), is_number=True),
            Column("dropped", 12, 8, _dropped, is_number=True),
            Column("type", 18, 2, lambda row: (row.record.type if row.record else "", "")),
            Column("curation", 8, 5, lambda row: (row.state, ROLES.get(row.state, ""))),
            Column("changed", 12, 4, lambda row: (_moment(row.changed), "muted")),
        )


class EvalTable(Table[EvaluationRow]):
    """Evaluations: verdict, and which abilities fell."""

    TITLE = "evaluations"
    EMPTY = "No evaluation yet: temper eval"

    def name_of(self, row: EvaluationRow) -> str:
        """Return whom it judged."""
        return ", ".join(row.models) or unstamped(row.id)

    def state_of(self, row: EvaluationRow) -> str:
        """Return its verdict."""
        return row.state

    def columns(self) -> Sequence[Column[EvaluationRow]]:
        """Return the columns beside the name."""
        return (
            Column("verdict", 12, 9, lambda row: (row.state, ROLES.get(row.state, ""))),
            Column("fell", 12, 8, _fell, grows=True),
            Column("gained", 6, 4, lambda row: (_flips(row, "gained"), "good"), is_number=True),
            Column("lost", 6, 5, lambda row: (_flips(row, "lost"), "bad"), is_number=True),
            Column("when", 12, 3, lambda row: (_moment(row.changed), "muted")),
        )


class JobTable(Table[JobRow]):
    """Jobs of every kind: state, how long, which command or why."""

    TITLE = "jobs"
    EMPTY = "No job yet."

    def name_of(self, row: JobRow) -> str:
        """Return its id without the time: it begins with the kind."""
        return unstamped(row.id)

    def state_of(self, row: JobRow) -> str:
        """Return its state."""
        return row.state

    def columns(self) -> Sequence[Column[JobRow]]:
        """Return the columns beside the name."""
        return (
            Column("state", 8, 9, lambda row: (row.state, ROLES.get(row.state, ""))),
            Column("took", 7, 5, _took, is_number=True),
            Column("command, or why", 16, 8, _told, grows=True),
            Column("started", 12, 3, lambda row: (_moment(row.started), "muted")),
        )


def _count(row: DatasetRow, field: str) -> str:
    found = getattr(row.record, field, None)
    return count(found) if isinstance(found, int) else ""


def _dropped(row: DatasetRow) -> Part:
    if row.record is None or row.record.dropped is None:
        return "", ""
    if not row.record.rows_read:
        return count(row.record.dropped), ""
    return f"{count(row.record.dropped)} {row.record.dropped / row.record.rows_read:4.0%}", ""


def _fell(row: EvaluationRow) -> Part:
    if row.state == "broken":
        return row.reason, "muted"
    fallen = row.fallen
    if not fallen:
        return ("" if row.verdicts else row.headline), "muted"
    first = fallen[0]
    more = f" and {len(fallen) - 1} more" if len(fallen) > 1 else ""
    return f"{first.name} {100 * (first.difference or 0):+.1f}{more}", "bad"


def _flips(row: EvaluationRow, field: str) -> str:
    found = getattr(row.record, field, 0)
    return count(found) if found else ""


def _took(row: JobRow) -> Part:
    if row.started is None or row.ended is None:
        return "", ""
    return duration(max(0.0, row.ended - row.started)), ""


def _told(row: JobRow) -> Part:
    if row.reason and row.state != "finished":
        return row.reason, "muted" if row.state == "queued" else ROLES.get(row.state, "")
    return row.command, "muted"


def _moment(seconds: float | None) -> str:
    return moment(seconds) if seconds else ""
