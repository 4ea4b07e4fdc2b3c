"""The one reader of a workspace: everything the screens show comes from here, and from disk.

`Reader.poll` looks at modification times, reads what changed and the new end of each event file,
and returns a `Snapshot` of plain values: the very same object when nothing changed. It never
writes, never imports the terminal library, and never raises for what it finds: a damaged,
half-written or newer file is a row that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cached import CachedFiles, Entry, Listing
from tui.datasets import LEDGER, read_dataset
from tui.disk import DiskGauge
from tui.evaluations.rows import EvaluationRecord, read_evaluation
from tui.parts import Parts
from tui.progress import Progress
from tui.recipes import Recipes
from tui.records import RunRecord, read_record, read_run
from tui.snapshot import RunRow, Snapshot, make_row
from tui.verdicts import Verdict
from workspace.layout import Workspace

if TYPE_CHECKING:
    from workspace.jobs import JobView

    _Jobs = Mapping[str, Entry[JobView]]
    _Evals = Mapping[str, Entry[EvaluationRecord]]
    _Records = Mapping[str, Entry[RunRecord]]

EVENT_BYTES_PER_POLL = 2 << 20
"""Old curves fill in over a few polls, so that no poll takes long."""
FIRST_EVENT_BYTES = 128 << 10
"""What the first poll reads of them: the table should be there at once."""
_WRITTEN_ONCE = 64
"""Old files looked at in a poll where hardly any is ever written again."""
_RANK = {"running": 2, "queued": 1}


@dataclass
class _Followed:
    """A run between two polls: its row, and what the row was made from."""

    job: str = ""
    job_entry: object = None
    """The job's record as it was when its events were last read."""
    progress: Progress | None = None
    made_from: tuple[object, ...] = ()
    row: RunRow | None = None


class _Listings:
    """What is in each part of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.datasets = Listing(workspace.datasets)
        self.jobs = Listing(workspace.jobs)
        self.runs = Listing(workspace.runs)
        self.evals = Listing(workspace.evals)


class Reader:
    """Reads a workspace again and again, cheaply. Not for use by two threads at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listings = _Listings(Workspace(root))
        self._jobs = CachedFiles("job.json", _read_job, volatile=_may_be_lost)
        self._records = CachedFiles("run.json", read_run, older_per_look=_WRITTEN_ONCE)
        self._evals = CachedFiles("results.json", read_evaluation, older_per_look=_WRITTEN_ONCE)
        self._datasets = CachedFiles(LEDGER, read_dataset)
        self._recipes = Recipes(root)
        self._disk = DiskGauge(root)
        self._inputs: tuple[_Jobs, _Records, _Evals] = ({}, {}, {})
        self._parts = Parts()
        self._job_of: dict[str, str] = {}
        self._verdict_of: dict[str, Verdict] = {}
        self._followed: dict[str, _Followed] = {}
        self._unfinished: list[str] = []
        """Runs whose events may grow, or are not read to their end yet."""
        self._last = Snapshot(root)
        self._is_first = True
        self.event_bytes_read = 0

    @property
    def files_parsed(self) -> int:
        """How many JSON files were read so far; a poll that finds nothing new adds none."""
        return sum(cache.parsed_count for cache in self._caches)

    @property
    def files_looked_at(self) -> int:
        """How many modification times were asked for so far."""
        return sum(cache.looked_at_count for cache in self._caches)

    @property
    def _caches(self) -> tuple[CachedFiles[Any], ...]:
        return self._jobs, self._records, self._evals, self._datasets

    def poll(self) -> Snapshot:
        """Return the workspace as it is now; the last snapshot itself if nothing changed."""
        jobs = self._jobs.get_all(self._listings.jobs.get())
        records = self._records.get_all(self._listings.runs.get())
        evals = self._evals.get_all(self._listings.evals.get())
        datasets = self._datasets.get_all(self._listings.datasets.get())
        inputs = (jobs, records, evals)
        are_same = all(new is old for new, old in zip(inputs, self._inputs, strict=True))
        if not are_same:
            self._inputs = inputs
            self._match(jobs, records, evals)
        has_news, pending = self._follow_events(jobs, self._unfinished if are_same else records)
        pending = pending or any(cache.pending for cache in self._caches)
        recipes, disk = self._recipes.get(), self._disk.get()
        rest = (datasets, recipes, self._recipes.demo_place, disk)
        if are_same and not has_news and self._parts.are_of(rest):
            return self._last
        self._parts.make(jobs, evals, rest)
        rows = [self._row(run, state, records[run], jobs) for run, state in self._followed.items()]
        rows.sort(key=lambda row: (_RANK.get(row.state, 0), row.id), reverse=True)
        snapshot = Snapshot(
            root=self.root,
            runs=tuple(rows),
            datasets=self._parts.datasets,
            jobs=self._parts.jobs,
            recipes=recipes,
            demo_place=self._recipes.demo_place,
            disk=disk,
            dataset_count=len(datasets),
            eval_count=sum(entry.value is not None for entry in evals.values()),
            evaluations=self._parts.evaluations,
            evals=self._parts.evals,
            other_jobs=_running_kinds(jobs, set(self._job_of.values())),
            pending=pending,
        )
        if snapshot != self._last:
            self._last = snapshot
        return self._last

    def _match(self, jobs: _Jobs, records: _Records, evals: _Evals) -> None:
        """Find the job and the verdict of each run, and follow its events."""
        self._job_of = _jobs_of_runs(self.root, jobs, records, str(Workspace(self.root).jobs))
        self._verdict_of = _newest_verdicts(evals)
        followed, self._followed = self._followed, {}
        for run in records:
            state = followed.get(run, _Followed())
            job = self._job_of.get(run, "")
            if state.job != job:
                state = _Followed(
                    job, progress=Progress(Path(job) / "events.jsonl") if job else None
                )
            self._followed[run] = state

    def _follow_events(self, jobs: _Jobs, runs: Iterable[str]) -> tuple[bool, bool]:
        """Read what is new in the event files, of the jobs that go on and of the newest first.

        Args:
            jobs: their records.
            runs: those to be looked at: all of them, or while no record changed the unfinished.

        Returns:
            Whether anything was new, and whether there is more to read at once.
        """
        budget = FIRST_EVENT_BYTES if self._is_first else EVENT_BYTES_PER_POLL
        self._is_first = False
        due: list[tuple[bool, str, Progress]] = []
        for run in runs:
            state = self._followed[run]
            if state.progress is None:
                continue
            entry = jobs[state.job]
            is_active = entry.value is not None and entry.value.state in _RANK
            # An ended job's events are read once more after its record says so, then never.
            if is_active or state.progress.pending or state.job_entry is not entry:
                state.job_entry = entry
                due.append((is_active, run, state.progress))
        has_news = False
        for _, _, progress in sorted(due, key=lambda item: item[:2], reverse=True):
            version = progress.version
            if budget > 0:
                read = progress.read(budget)
                budget -= read
                self.event_bytes_read += read
            else:
                progress.pending = True
            has_news |= progress.version != version
        pending = any(progress.pending for _, _, progress in due)
        self._unfinished = [run for is_active, run, one in due if is_active or one.pending]
        return has_news or pending != self._last.pending, pending

    def _row(self, run: str, state: _Followed, record: Entry[RunRecord], jobs: _Jobs) -> RunRow:
        """Return the row of a run; the same object while nothing it is made from changed."""
        job = jobs.get(state.job)
        verdict = self._verdict_of.get(run.rpartition("/")[2])
        version = state.progress.version if state.progress is not None else 0
        made_from = (record, job, verdict, version)
        if state.row is None or made_from != state.made_from:
            state.row = make_row(Path(run), record, job, verdict, state.progress)
            state.made_from = made_from
        return state.row


def _jobs_of_runs(root: Path, jobs: _Jobs, records: _Records, jobs_path: str) -> dict[str, str]:
    """Return the job directory of each run: the newest whose result it is, or the one it names."""
    job_of = {}
    for run, record in records.items():
        named = f"{jobs_path}/{record.value.job}" if record.value is not None else ""
        if named in jobs:
            job_of[run] = named
    for job, entry in jobs.items():
        run = (
            str(root / entry.value.result) if entry.value is not None and entry.value.result else ""
        )
        if run in records:
            job_of[run] = job
    return job_of


def _read_job(directory: Path) -> JobView:
    """Read a job with `lost` computed. Imported late: a first paint needs none of it."""
    from workspace.jobs import read_job

    read_record(directory / "job.json", kind="job record")  # refuses records of newer versions
    return read_job(directory)


def _may_be_lost(view: JobView) -> bool:
    return view.state == "running"


def _newest_verdicts(evals: _Evals) -> dict[str, Verdict]:
    """Return the latest verdict on each run, by run id."""
    out = {}
    for entry in evals.values():
        for verdict in entry.value.verdicts if entry.value is not None else ():
            out[verdict.run] = verdict
    return out


def _running_kinds(jobs: _Jobs, of_runs: set[str]) -> tuple[str, ...]:
    running = (
        entry.value.kind
        for job, entry in jobs.items()
        if job not in of_runs and entry.value is not None and entry.value.state == "running"
    )
    return tuple(sorted(running))


__all__ = ["Reader", "RunRow", "Snapshot"]
