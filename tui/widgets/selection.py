"""What is known of whatever is selected: a run, a dataset, an evaluation, a job."""

from __future__ import annotations

from pathlib import Path

from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.figures import count, duration, moment
from tui.glyphs import ROLES, Glyphs
from tui.jobs import JobRow
from tui.snapshot import RunRow, unstamped
from tui.verdicts import Ability
from tui.widgets.details import Details
from tui.widgets.rows import Part

Selected = RunRow | DatasetRow | EvaluationRow | JobRow | None
_MOST_ABILITIES = 12


class Selection(Details):
    """Facts about the selected row of any table, a line each."""

    def __init__(self, glyphs: Glyphs, root: Path, *, id: str | None = None) -> None:
        super().__init__(glyphs, root, id=id)
        self._other: DatasetRow | EvaluationRow | JobRow | None = None

    def select(self, row: Selected) -> None:
        """Show another row, or the same at a later moment."""
        self._other = None if isinstance(row, RunRow) else row
        self.show(row if isinstance(row, RunRow) else None)

    def facts(self) -> list[tuple[str, Part]]:
        """Return what is known of the row."""
        match self._other:
            case DatasetRow() as dataset:
                return self._dataset(dataset)
            case EvaluationRow() as evaluation:
                return self._evaluation(evaluation)
            case JobRow() as job:
                return self._job(job)
        return super().facts()

    def _mark(self, state: str, *facts: str) -> Part:
        mark = self.glyphs.marks.get(state, "")
        return self.joined(f"{mark} {state}".strip(), *facts), ROLES.get(state, "")

    def _dataset(self, row: DatasetRow) -> list[tuple[str, Part]]:
        record = row.record
        if record is None:
            return [("dataset", (row.name, "")), ("because", (row.reason, "bad"))]
        kept = f"{record.rows:,} kept" if record.rows is not None else ""
        of = f"of {record.rows_read:,} read" if record.rows_read is not None else ""
        dropped = f"{record.dropped:,} dropped" if record.dropped else ""
        made = f"{record.made:,} made" if record.made else ""
        return [
            ("dataset", (self.joined(row.name, record.type), "strong")),
            ("curation", self._mark(row.state, row.reason)),
            ("rows", (self.joined(f"{kept} {of}".strip(), dropped, made), "")),
            ("splits", (self.joined(*record.splits), "")),
            ("tokens", (f"{record.tokens:,}" if record.tokens is not None else "", "")),
            ("made by", (f"jobs/{row.job}" if row.job else "", "")),
            ("rows in", (self.short(str(row.version.resolve())), "")),
        ]

    def _evaluation(self, row: EvaluationRow) -> list[tuple[str, Part]]:
        found = row.record
        flips = f"{count(found.gained)} gained, {count(found.lost)} lost" if found else ""
        has_flips = found is not None and (found.gained or found.lost)
        command = f"temper report {unstamped(row.id)}" if found is not None else ""
        return [
            ("verdict", self._mark(row.state, ", ".join(row.models))),
            ("because", (row.headline, ROLES.get(row.state, ""))),
            ("next", (f"{self.glyphs.prompt} {command}" if command else "", "accent")),
            ("answers", (flips if has_flips else "", "")),
            *(
                ("fell" if y == 0 else "", (_told(ability), "bad"))
                for y, ability in enumerate(row.fallen[:_MOST_ABILITIES])
            ),
            ("written", (moment(row.changed) if row.changed else "", "")),
            ("files in", (self.short(str(row.path.resolve())), "")),
        ]

    def _job(self, row: JobRow) -> list[tuple[str, Part]]:
        took = ""
        if row.started is not None:
            since = f"since {moment(row.started)}"
            took = since if row.ended is None else duration(max(0.0, row.ended - row.started))
        attempt = f"attempt {row.attempt}" if row.attempt > 1 else ""
        name = unstamped(row.id)
        command = (
            f"temper resume {unstamped(row.resumes)}" if row.resumes else f"temper logs {name}"
        )
        if row.state == "broken":
            command = ""
        return [
            ("state", self._mark(row.state, row.kind, took, attempt)),
            ("because", (row.reason, "" if row.is_active else ROLES.get(row.state, ""))),
            ("next", (f"{self.glyphs.prompt} {command}" if command else "", "accent")),
            ("command", (row.command, "")),
            ("makes", (row.result, "")),
            ("job", (self.short(str(row.path.resolve())), "")),
        ]


def _told(ability: Ability) -> str:
    scores = ""
    if ability.base is not None and ability.tuned is not None:
        scores = f"   {100 * ability.base:.1f} % to {100 * ability.tuned:.1f} %"
    return f"{ability.name} {100 * (ability.difference or 0):+.1f}{scores}"
