"""One line of the list of evaluations: one on disk, or a job that makes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.cached import Entry
from tui.records import read_record, whole, words
from tui.verdicts import Ability, Verdict, objects, verdicts_in

if TYPE_CHECKING:
    from workspace.jobs import JobView

NO_VERDICT = "no verdict"
"""State of an evaluation that compared nothing: prompts alone, say."""
DIAL = "dial"
"""State of a directory that `temper dial` wrote."""
_WORST_FIRST = ("invalid", "fail", "inconclusive", "pass")
_ENDED_WELL = "finished"


class EvaluationRecord(NamedTuple):
    """`results.json`, as far as the list needs it."""

    verdicts: tuple[Verdict, ...]
    models: tuple[str, ...]
    """`TUNED` or, where it was held against something else than the base, `TUNED against IT`."""
    title: str = ""
    created: float | None = None
    """Start, in seconds since 1970."""
    sentence: str = ""
    """What it recommends where no model was compared."""
    lost: int = 0
    """Answers that were right before tuning and are wrong after it."""
    gained: int = 0
    """Answers that became right."""
    is_dial: bool = False
    dialled: str = ""
    """Id of the run, where this is a dial: the same questions to scales between base and tuned."""
    recommended: str = ""
    """The point that the dial recommends; empty where it recommends none."""

    @property
    def state(self) -> str:
        """The worst verdict."""
        if self.is_dial:
            return DIAL
        found = {verdict.verdict for verdict in self.verdicts}
        return next((one for one in _WORST_FIRST if one in found), NO_VERDICT)


class EvaluationRow(NamedTuple):
    """An evaluation as the list shows it. Texts are as on disk: make them plain when drawing."""

    id: str
    path: Path
    """Its directory, or its job's while there is none."""
    state: str
    """A verdict, `no verdict`, `dial`, `broken`, or the state of the job that makes it."""
    reason: str = ""
    """Why it is broken or failed, or what it waits for."""
    models: tuple[str, ...] = ()
    title: str = ""
    created: float | None = None
    changed: float = 0.0
    """When its results were written, in seconds since 1970."""
    verdicts: tuple[Verdict, ...] = ()
    record: EvaluationRecord | None = None
    """What was read of its results; None where they cannot be read, or are not there yet."""
    is_job: bool = False
    """Whether there is no result yet, only a job."""
    job: str = ""
    """Id of the job that makes or made it, where there is a record of it."""

    @property
    def headline(self) -> str:
        """The verdict in one sentence, or why there is none."""
        worst = next((one for one in self.verdicts if one.verdict == self.state), None)
        if worst is not None:
            return worst.headline
        if self.record is not None and self.record.sentence:
            return self.record.sentence
        told = {
            NO_VERDICT: "No model was compared with another; see its prompts and checks.",
            DIAL: "A dial: scales between base and tuned, drawn in dial.html.",
            "running": "It is being measured now.",
            "queued": "It waits for its turn.",
        }
        return self.reason or told.get(self.state, "")

    @property
    def fallen(self) -> tuple[Ability, ...]:
        """The abilities that were to be kept and fell, of all models, the deepest fall first."""
        found = [
            ability
            for verdict in self.verdicts
            for ability in verdict.abilities
            if ability.verdict == "fail" and (ability.difference or 0) < 0
        ]
        return tuple(sorted(found, key=lambda ability: ability.difference or 0))


def read_evaluation(directory: Path) -> EvaluationRecord:
    """Read what an evaluation found.

    Raises:
        UnreadableRecord: missing, damaged or from a newer version.
    """
    if not (directory / "results.json").exists() and (directory / "dial.json").exists():
        return _read_dial(directory)
    results = read_record(directory / "results.json", kind="evaluation result")
    comparisons = objects(results, "comparisons")
    abilities = [
        ability
        for one in comparisons
        if isinstance(one.get("verdict"), dict)
        for ability in objects(one["verdict"], "abilities")
    ]
    advice = (words(one.get("sentence")) for one in objects(results, "recommendations"))
    return EvaluationRecord(
        verdicts=verdicts_in(results, directory),
        models=tuple(_compared(one) for one in comparisons),
        title=words(results.get("title")),
        created=_seconds(words(results.get("created"))),
        sentence=next(advice, ""),
        lost=sum(whole(ability.get("negative_flips")) or 0 for ability in abilities),
        gained=sum(whole(ability.get("positive_flips")) or 0 for ability in abilities),
    )


def _read_dial(directory: Path) -> EvaluationRecord:
    dial = read_record(directory / "dial.json", kind="dial")
    chosen = dial.get("recommendation")
    point = chosen.get("point") if isinstance(chosen, dict) else None
    name = words(point.get("name")) if isinstance(point, dict) else ""
    refusal = words(dial.get("refusal"))
    told = f"It recommends {name}." if name else f"It recommends no point: {refusal or 'no word'}."
    models = (words(dial.get("name")),)
    return EvaluationRecord(
        (), models, sentence=told, is_dial=True, dialled=words(dial.get("run")), recommended=name
    )


class EvaluationRows:
    """Makes the list again and again; the row of what has not changed is the one made before."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Entry[EvaluationRecord], EvaluationRow]] = {}

    def of(
        self,
        evaluations: Mapping[str, Entry[EvaluationRecord]],
        jobs: Mapping[str, Entry[JobView]],
    ) -> tuple[EvaluationRow, ...]:
        """Return all evaluations and the jobs that left none: active first, then the newest."""
        made_by = {
            Path(entry.value.result).name: entry.value.id
            for entry in jobs.values()
            if entry.value is not None and entry.value.kind == "eval" and entry.value.result
        }
        known, self._known = self._known, {}
        for path, entry in evaluations.items():
            job = made_by.get(path.rpartition("/")[2], "")  # no Path: there may be thousands
            before = known.get(path)
            if before is None or before[0] is not entry or before[1].job != job:
                before = entry, _of_result(Path(path), entry, job)
            self._known[path] = before
        rows = [row for _, row in self._known.values()]
        shown = {row.job for row in rows}
        rows += _of_jobs(
            entry for entry in jobs.values() if entry.value and entry.value.id not in shown
        )
        active = {"running": 2, "queued": 1}
        return tuple(sorted(rows, key=lambda row: (active.get(row.state, 0), row.id), reverse=True))


def _of_result(path: Path, entry: Entry[EvaluationRecord], job: str) -> EvaluationRow:
    record = entry.value
    changed = entry.signature[0] / 1e9 if entry.signature is not None else 0.0
    if record is None:
        return EvaluationRow(
            path.name, path, "broken", reason=entry.reason, changed=changed, job=job
        )
    return EvaluationRow(
        path.name, path, record.state,
        models=record.models, title=record.title, created=record.created, changed=changed,
        verdicts=record.verdicts, record=record, job=job,
    )  # fmt: skip


def _of_jobs(jobs: Iterable[Entry[JobView]]) -> Iterable[EvaluationRow]:
    for entry in jobs:
        view = entry.value
        if view is None or view.kind != "eval" or view.state == _ENDED_WELL:
            continue
        yield EvaluationRow(
            view.id, view.dir, view.state,
            reason=view.error or view.waiting or "",
            models=(" ".join(view.argv[1:]),),
            created=view.started if isinstance(view.started, int | float) else None,
            is_job=True, job=view.id,
        )  # fmt: skip


def _compared(comparison: dict[str, Any]) -> str:
    base, tuned = words(comparison.get("base")), words(comparison.get("tuned"))
    return tuned if base in ("base", "") else f"{tuned} against {base}"


def _seconds(created: str) -> float | None:
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
