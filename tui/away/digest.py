"""While you were away: what ended, moved, alarmed and was judged, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tui.away.events import Recent, events_since
from tui.figures import count, duration, measure, moment
from tui.records import number, whole, words
from tui.snapshot import RunRow, Snapshot, unstamped

_MOST_LINES = 9
_MOST_RUNS = 50
_LATER_SECONDS = 60.0


@dataclass(frozen=True)
class News:
    """One line. Its words are as found on disk: not made plain."""

    state: str
    """The state or verdict whose glyph and colour it has; `alarm` and `step` have their own."""
    words: str


@dataclass(frozen=True)
class Digest:
    """What came since a moment."""

    since: float
    news: tuple[News, ...]


def make_digest(snapshot: Snapshot, since: float) -> Digest:
    """Return what came since; reads the events of jobs that moved, so call it from a thread."""
    recent = {}
    for run in snapshot.runs[:_MOST_RUNS]:
        if run.job is not None:
            recent[run.id] = events_since(run.job / "events.jsonl", since)
    news = [
        *_alarms(snapshot, recent),
        *_verdicts(snapshot, since),
        *_ended(snapshot, since),
        *_steps(snapshot, recent),
        *_datasets(snapshot, since),
    ]
    if len(news) > _MOST_LINES:
        more = len(news) - _MOST_LINES + 1
        news = [*news[: _MOST_LINES - 1], News("", f"and {more} more")]
    return Digest(since, tuple(news))


def _alarms(snapshot: Snapshot, recent: dict[str, Recent]) -> Iterator[News]:
    for run in snapshot.runs:
        found = [one for one in _events(run, recent) if one.get("kind") == "alarm"]
        if found:
            last = found[-1]
            step = f" at step {last['step']}" if whole(last.get("step")) is not None else ""
            times = f", {len(found)} alarms in all" if len(found) > 1 else ""
            what = words(last.get("what"))
            name = words(last.get("alarm")) or "alarm"
            yield News("alarm", f"{run.name}: {name}{step}{times}. {what}".strip())


def _verdicts(snapshot: Snapshot, since: float) -> Iterator[News]:
    for row in snapshot.evals:
        if row.changed <= since or row.record is None:
            continue
        found = row.record
        flips = ""
        if found.gained or found.lost:
            flips = f" {count(found.gained)} answers gained, {count(found.lost)} lost."
        yield News(row.state, f"{', '.join(row.models)}: {row.headline}{flips}")


def _ended(snapshot: Snapshot, since: float) -> Iterator[News]:
    for job in snapshot.jobs:
        is_told = job.state == "finished" and job.result.startswith(("evals/", "datasets/"))
        if job.ended is not None and job.ended > since and not (job.is_active or is_told):
            took = f" after {duration(job.ended - job.started)}" if job.started else ""
            why = f": {job.reason}" if job.reason and job.state != "finished" else ""
            yield News(job.state, f"{unstamped(job.id)} {job.state}{took}{why}")


def _steps(snapshot: Snapshot, recent: dict[str, Recent]) -> Iterator[News]:
    for run in snapshot.runs:
        events = _events(run, recent)
        metrics = [one for one in events if one.get("kind") == "metrics"]
        if not metrics:
            continue
        before, last = recent[run.id].before, metrics[-1]
        steps = {whole(one.get("step")) for one in metrics}
        of = f" of {run.metrics.max_steps}" if run.metrics.max_steps else ""
        parts = [f"{run.name} made {len(steps)} steps, to {last.get('step')}{of}"]
        parts += [part for part in (_loss(before, last), _best(events), _end(before, last)) if part]
        yield News("step", "; ".join(parts) + ".")


def _loss(before: dict[str, Any] | None, last: dict[str, Any]) -> str:
    now = number(last.get("loss"))
    then = number(before.get("loss")) if before is not None else None
    if now is None:
        return ""
    return f"loss {measure(now)}" if then is None else f"loss {measure(then)} to {measure(now)}"


def _best(events: list[dict[str, Any]]) -> str:
    """Return the best step that probes found, else the newest checkpoint."""
    for event in reversed(events):
        if event.get("kind") == "probe" and whole(event.get("best")) is not None:
            return f"best so far is step {event['best']}"
    for event in reversed(events):
        if event.get("kind") == "checkpoint" and whole(event.get("step")) is not None:
            return f"newest checkpoint is step {event['step']}"
    return ""


def _end(before: dict[str, Any] | None, last: dict[str, Any]) -> str:
    """Return how the expected end moved, where it moved by more than a minute."""
    was, now = _expected(before), _expected(last)
    if was is None or now is None or not number(last.get("eta_seconds")):
        return ""
    if abs(now - was) < _LATER_SECONDS:
        return f"ends at {moment(now)} as expected"
    later = "later" if now > was else "earlier"
    return f"ends at {moment(now)}, {duration(abs(now - was))} {later} than expected"


def _expected(event: dict[str, Any] | None) -> float | None:
    if event is None:
        return None
    time, left = number(event.get("time")), number(event.get("eta_seconds"))
    return None if time is None or left is None else time + left


def _datasets(snapshot: Snapshot, since: float) -> Iterator[News]:
    for row in snapshot.datasets:
        if row.changed > since and row.record is not None and row.record.rows is not None:
            yield News("finished", f"dataset {row.name}: {row.record.rows:,} rows")


def _events(run: RunRow, recent: dict[str, Recent]) -> list[dict[str, Any]]:
    return [*recent[run.id].events] if run.id in recent else []
