"""What to do next in a workspace, in words and as a command. Pure: from a snapshot alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Literal, NamedTuple

from tui.awaited import awaited, others
from tui.evaluations.rows import EvaluationRecord
from tui.figures import count
from tui.jobs import JobRow
from tui.recipes import RecipeNote
from tui.snapshot import RunRow, Snapshot, unstamped

MOST = 8
_NEWEST_RUNS = 200
"""How many are looked at: what went wrong before so many others is past."""
_POINTS = 100
Work = tuple[str, frozenset[str]]
"""The kind of a job and the recipe files that it names."""


class Step(NamedTuple):
    """One thing to do."""

    words: str
    """What the state is and why this follows, in a sentence. As found on disk: not made plain."""
    arguments: tuple[str, ...] = ()
    """Of `temper`; empty where there is nothing to run."""
    role: str = ""
    """Its colour: `bad`, `warn`, `good` or none."""
    takes_long: str = ""
    """What it will do for long, for the question before it is begun; empty where it is quick."""
    asks: Literal["", "rows", "file"] = ""
    """What must be asked for before it can be run."""
    about: str = ""
    """Id of the run or evaluation, or name of the dataset, that it is about."""

    @property
    def command(self) -> str:
        """The command as it can be typed."""
        return shlex.join(("temper", *self.arguments)) if self.arguments else ""


_OWN_ROWS = Step(
    "Begin with rows of your own: a commented recipe is written here.", ("init", "."), asks="rows"
)
_LOOK = Step("Only look into a file of rows: browse, filter, search. Nothing is made.", asks="file")


def next_steps(snapshot: Snapshot) -> tuple[Step, ...]:
    """Return what to do next, the most urgent first."""
    if is_empty(snapshot):
        return _first(snapshot.demo_place)
    active = [*takewhile(lambda job: job.is_active, snapshot.jobs)]  # they come first
    if any(job.kind == "demo" for job in active):
        return (Step("The demo is at work: it curates, trains and evaluates by itself."),)
    newest = _newest_of_each_name(snapshot)
    at_work = {_work_of(job) for job in active if job.kind in ("curate", "train")}
    found = chain(
        _gone_on(newest),
        _datasets(snapshot, at_work),
        _runs(snapshot, at_work, _made_now(snapshot, active)),
        _verdicts(snapshot, newest, _judged_now(active, newest)),
    )
    return tuple(islice(found, MOST)) or (_nothing(snapshot),)


def _first(demo_place: str) -> tuple[Step, ...]:
    """Return what is offered where there is no workspace yet: among files they come first."""
    place = "here" if demo_place == "." else f"in {demo_place}"
    demo = Step(
        "See the whole loop on a small model: what is forgotten, and the cure. Some minutes.",
        ("demo", demo_place, "--detach"),
        takes_long=f"It writes a workspace {place} and works on it for some minutes.",
    )
    return (demo, _OWN_ROWS, _LOOK) if demo_place == "." else (_OWN_ROWS, demo, _LOOK)


def is_empty(snapshot: Snapshot) -> bool:
    """Whether this is no workspace yet."""
    return not (snapshot.recipes or snapshot.datasets or snapshot.runs or snapshot.jobs)


def _newest_of_each_name(snapshot: Snapshot) -> list[RunRow]:
    """Return the newest run of each name: what a later attempt made up for is past."""
    newest: dict[str, RunRow] = {}
    latest = snapshot.runs[:_NEWEST_RUNS]  # the active ones, and then the newest
    for run in sorted(latest, key=lambda run: run.id, reverse=True):
        if run.state != "broken":
            newest.setdefault(run.name, run)
    return [*newest.values()]


def _gone_on(runs: list[RunRow]) -> Iterator[Step]:
    for run in runs:
        if run.state not in ("stopped", "failed", "lost"):
            continue
        reached = f" at step {run.metrics.step}" if run.metrics.step else ""
        most = f" of {run.metrics.max_steps}" if reached and run.metrics.max_steps else ""
        why = f": {run.reason}" if run.state == "failed" and run.reason else ""
        verb = "is lost" if run.state == "lost" else run.state
        yield Step(
            f"{run.name} {verb}{reached}{most}{why.rstrip('.')}. Go on from its checkpoint.",
            ("resume", run.label, "--detach"),
            role="bad" if run.state == "failed" else "warn",
            about=run.id,
        )


def _datasets(snapshot: Snapshot, at_work: set[Work]) -> Iterator[Step]:
    whole = {row.name for row in snapshot.datasets if row.record is not None}
    for recipe in snapshot.recipes:
        if "curate" not in recipe.sections or recipe.name in whole:
            continue
        if ("curate", frozenset(recipe.arguments)) in at_work:
            continue
        failed = _failed_curation(snapshot, recipe)
        if failed is not None:
            why = failed.reason.partition(". ")[0].rstrip(".")
            told = f"Curating {recipe.name} failed{': ' if why else ''}{why}"
            yield Step(
                f"{told}. Read why, and what to do.",
                ("logs", unstamped(failed.id)),
                role="bad",
                about=recipe.name,
            )
        waiting = [one.name for one in snapshot.recipes if recipe.name in others(one)]
        trained = f", and {waiting[0]} trains on it" if waiting else ""
        yield Step(
            f"The recipe {recipe.name} has no dataset yet{trained}. Curate its rows.",
            ("curate", *recipe.arguments, "--detach"),
            about=recipe.name,
        )


def _failed_curation(snapshot: Snapshot, recipe: RecipeNote) -> JobRow | None:
    """Return the newest curation of a recipe, if it failed."""
    work = ("curate", frozenset(recipe.arguments))
    newest = next((job for job in snapshot.jobs if _work_of(job) == work), None)
    return newest if newest is not None and newest.state in ("failed", "lost") else None


def _made_now(snapshot: Snapshot, active: list[JobRow]) -> dict[str, str]:
    """Return the datasets that are being made, each with what names its job."""
    jobs = {_work_of(job): unstamped(job.id) for job in active if job.kind == "curate"}
    works = {one.name: ("curate", frozenset(one.arguments)) for one in snapshot.recipes}
    return {name: jobs[work] for name, work in works.items() if work in jobs}


def _runs(snapshot: Snapshot, at_work: set[Work], made_now: dict[str, str]) -> Iterator[Step]:
    trained: set[tuple[str, str]] = set()
    for recipe in snapshot.recipes:
        row = next((one for one in snapshot.datasets if one.name == recipe.name), None)
        if row is None or row.record is None or "train" not in recipe.sections:
            continue
        trained = trained or {_dataset_of(run.dataset) for run in snapshot.runs}
        digests = {digest for name, digest in trained if name == row.name}
        is_at_work = ("train", frozenset(recipe.arguments)) in at_work
        if row.record.digest in digests or is_at_work:
            continue
        wait = awaited(snapshot, recipe, made_now)
        if wait is not None:
            if wait.words:
                yield Step(wait.words, wait.arguments, role=wait.role, about=recipe.name)
            continue
        rows = count(row.record.rows) if row.record.rows is not None else "its"
        is_new = "The newest rows" if digests else f"The {rows} rows"
        yield Step(
            f"{is_new} of {row.name} were not trained on yet. Train.",
            ("train", *recipe.arguments, "--detach"),
            takes_long="Training may take hours; `temper plan` says how many.",
            about=row.name,
        )


def _verdicts(snapshot: Snapshot, runs: list[RunRow], judged_now: set[str]) -> Iterator[Step]:
    """Yield what follows from the verdicts; what is well comes last."""
    ended = [
        run
        for run in runs
        if run.state == "finished" and judged_now.isdisjoint((run.id, run.label, run.name))
    ]
    dials = _dials(snapshot)
    for run in ended:
        if run.verdict is None:
            yield Step(
                f"{run.name} is trained and was not evaluated. Hold it against its base.",
                ("eval", run.label, "--detach"),
                about=run.id,
            )
        elif run.verdict.verdict == "fail":
            yield _failed(run, dials.get(run.id))
        elif run.verdict.verdict == "inconclusive":
            yield Step(
                f"{run.name}: the items were too few to decide. Ask more of what is undecided.",
                ("eval", run.label, "--top-up", "--detach"),
                role="warn",
                about=run.id,
            )
        elif run.verdict.verdict == "invalid":
            yield Step(
                f"{run.name}: a check of the evaluation failed, so no number counts. Read why.",
                ("report", unstamped(run.verdict.evaluation.name)),
                role="bad",
                about=run.id,
            )
    passed = next((run for run in ended if run.verdict and run.verdict.verdict == "pass"), None)
    if passed is not None and not _was_exported(snapshot, passed):
        yield Step(
            f"{passed.name} passed: it may ship. Write it out as one whole model.",
            ("export", passed.label, f"exported/{passed.label}", "--to", "merged"),
            role="good",
            takes_long="It merges and checks the weights; that holds a GPU for some minutes.",
            about=passed.id,
        )


def _dials(snapshot: Snapshot) -> dict[str, EvaluationRecord]:
    """Return the newest dial of each run."""
    found: dict[str, EvaluationRecord] = {}
    for row in snapshot.evals:
        if row.record is not None:
            found.setdefault(row.record.dialled, row.record)
    return found


def _failed(run: RunRow, dial: EvaluationRecord | None) -> Step:
    """Return the way out of a failed verdict: another strength, or what failed in words."""
    assert run.verdict is not None
    fallen = [
        one for one in run.verdict.abilities if one.verdict == "fail" and (one.difference or 0) < 0
    ]
    if not fallen:
        return Step(
            f"{run.name} failed: it did not gain enough. Read what failed, in groups.",
            ("report", unstamped(run.verdict.evaluation.name)),
            role="bad",
            about=run.id,
        )
    deepest = min(fallen, key=lambda one: one.difference or 0)
    more = f" and {len(fallen) - 1} more" if len(fallen) > 1 else ""
    lost = f"{run.name} forgot {deepest.name} ({(deepest.difference or 0) * _POINTS:+.1f}){more}"
    if dial is not None and dial.recommended:
        return Step(
            f"{lost}. {dial.sentence} Write that point as a run.",
            ("dial", run.label, "--write", "--detach"),
            role="bad",
            about=run.id,
        )
    if dial is not None:
        return Step(
            f"{lost}, at every strength. Replay more general rows: `tempering` in the recipe.",
            role="bad",
            about=run.id,
        )
    return Step(
        f"{lost}. Find a gentler strength, or replay more general rows.",
        ("dial", run.label, "--detach"),
        role="bad",
        takes_long="It asks the same questions at several strengths.",
        about=run.id,
    )


def _nothing(snapshot: Snapshot) -> Step:
    running = [job for job in snapshot.jobs if job.state == "running"]
    waiting = [job for job in snapshot.jobs if job.state == "queued"]
    if running or waiting:
        parts = [f"{len(running)} at work"] if running else []
        parts += [f"{len(waiting)} waiting"] if waiting else []
        return Step(f"Nothing but to wait: {', '.join(parts)}.")
    if not snapshot.recipes:
        return Step("There is no recipe here: write one.", ("init", "."), asks="rows")
    return Step("Everything here has its verdict. See all evaluations as lines.", ("history",))


def _dataset_of(path: str) -> tuple[str, str]:
    """Return name and digest of the dataset that a run names by its path."""
    parts = path.rsplit("/", 2)[-2:]  # no Path: this is asked of every run there is
    return (parts[0], parts[1]) if len(parts) == 2 else ("", "")


def _work_of(job: JobRow) -> Work:
    named = (part for part in _arguments(job) if part.endswith(".yaml"))
    return job.kind, frozenset(Path(part).name for part in named)


def _judged_now(active: list[JobRow], runs: list[RunRow]) -> set[str]:
    """Return every word of the evaluations, dials and exports at work: runs are named in them."""
    known = {word for run in runs for word in (run.id, run.label, run.name)}
    latest = next((run.id for run in runs if run.state == "finished"), "")
    found: set[str] = set()
    for job in active:
        if job.kind in ("eval", "dial", "export"):
            words = set(_arguments(job))
            found |= {latest} if job.kind == "eval" and known.isdisjoint(words) else words
    return found


def _was_exported(snapshot: Snapshot, run: RunRow) -> bool:
    return any(
        job.kind == "export" and job.state == "finished" and run.label in _arguments(job)
        for job in snapshot.jobs
    )


def _arguments(job: JobRow) -> list[str]:
    try:
        return shlex.split(job.command)
    except ValueError:
        return []


__all__ = ["Step", "is_empty", "next_steps"]
