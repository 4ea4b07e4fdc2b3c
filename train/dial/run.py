"""A dial from end to end: run → points → answers → halves → recommendation → pictures → a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.engine.pairing import ability_names, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import Watch
from evalsuite.engine.samples import write_samples
from evalsuite.verdict import PairedAbility
from train.dial.document import Dial, Row, write_dial
from train.dial.points import Point
from train.dial.request import DialRequest
from train.dial.rule import Choice, Refusal, choose, frontier, halves, standing
from workspace.errors import (
    EvaluationInvalid,
    GateFailed,
    GateInconclusive,
    TemperError,
    UsageError,
)
from workspace.files import publish_directory, write_text
from workspace.jobs import Job
from workspace.layout import Workspace, checked_name, new_id

if TYPE_CHECKING:
    from train.dial.measure import Measured

WHY = {
    "nothing gained": "no point gains anything on the targets",
    "lost": "every point that gains loses more than a margin, and certainly so",
    "undecided": "of no point that gains is it shown that it keeps every ability within its margin",
}
"""Why no point is recommended."""


@dataclass(frozen=True)
class Writing:
    """Which point is to be written out as a run."""

    name: str
    """Of the new run."""
    at: Point | None = None
    """None: the recommended one."""

    def check(self) -> None:
        """Refuse what cannot be written.

        Raises:
            UsageError: it is the base, or the name cannot be one.
        """
        if self.at == Point(0.0):
            raise UsageError(
                "scale 0 is the base itself",
                where="--at 0",
                cure="Use the base model, or write a scale above 0.",
            )
        checked_name(self.name, what="run")


@dataclass(frozen=True)
class DialResult:
    """A finished dial."""

    directory: Path
    dial: Dial
    written: Path | None
    """The new run."""


def run_dial(
    request: DialRequest,
    workspace: Workspace,
    job: Job,
    watch: Watch,
    writing: Writing | None = None,
) -> DialResult:
    """Measure every point, choose one, write `evals/<id>/` and, if asked, a new run.

    Answers are kept batch by batch: the same command after a kill goes on where it was.

    Raises:
        UsageError, DataError, ModelError: something given cannot be measured or written.
        EvaluationInvalid: a check of the measurement failed; nothing is written out.
        GateFailed, GateInconclusive: a point was to be written, and none is recommended.
        Stopped: raised by `watch` between two batches.
    """
    request.check()
    if writing:
        writing.check()
    started, created = time.monotonic(), datetime.now(UTC).astimezone()
    from train.dial.measure import measure
    from train.dial.picture import render_page, render_picture

    measured = measure(request, workspace, watch)
    watch.doing("choosing, and drawing the frontier")
    rows, choice = _judged(request, measured)
    if any(canary.status == "fail" for canary in measured.canaries):
        choice = "invalid"
    dial = Dial(
        id=new_id(f"dial-{request.asked.name}"[:63]),
        created=created.isoformat(timespec="seconds"),
        run=request.origin.directory.name,
        name=request.origin.subject.name,
        tuner=request.origin.tuner,
        base=request.asked.base.as_record(),
        suites=tuple(
            {"name": s.spec.name, "path": str(s.path), "digest": s.digest}
            for s in request.asked.suites
        ),
        rows=rows,
        choice=choice,
        canaries=tuple(measured.canaries),
        environment=measured.environment,
        notes=tuple(measured.notes),
        command=request.asked.command,
        seconds=round(time.monotonic() - started, 3),
    )
    directory = workspace.evals / dial.id
    with publish_directory(directory) as temporary:
        write_samples(temporary / "samples.parquet", _samples(request, measured))
        write_text(temporary / "frontier.svg", render_picture(dial))
        write_text(temporary / "dial.html", render_page(dial))
        write_dial(temporary, dial)
    job.result(directory)
    _tell_events(dial, job)
    _enforce_canaries(dial, directory)
    written = _written(dial, request, measured, workspace, job, writing, directory)
    return DialResult(directory, dial, written)


def _judged(request: DialRequest, measured: Measured) -> tuple[tuple[Row, ...], Choice | Refusal]:
    """Return every point with its figures, and the choice among them."""
    bare = measured.samples[Point(0.0)]
    pairs = {
        point: pair_abilities(request.asked.suites, bare, measured.samples[point])
        for point in request.points
    }
    cut = {point: _cut(abilities) for point, abilities in pairs.items()}
    whole = {point: standing(abilities) for point, abilities in pairs.items()}
    choosing = {point: standing(one) for point, (one, _) in cut.items()}
    expected = {point: standing(two) for point, (_, two) in cut.items()}
    best = frontier(whole)
    rows = tuple(
        Row(point, measured.digests[point], whole[point], choosing[point], point in best)
        for point in request.points
    )
    tuned = {point: one for point, one in choosing.items() if point.scale > 0}
    return rows, choose(tuned, expected)


def _cut(
    abilities: list[PairedAbility],
) -> tuple[list[PairedAbility], list[PairedAbility]]:
    both = [halves(ability) for ability in abilities]
    return [one for one, _ in both], [two for _, two in both]


def _samples(request: DialRequest, measured: Measured) -> Iterator[Sample]:
    names = ability_names(request.asked.suites)
    for answers in measured.samples.values():
        for key, samples in answers.items():
            yield from (replace(sample, ability=names[key]) for sample in samples)


def _tell_events(dial: Dial, job: Job) -> None:
    for row in dial.rows:
        job.events.append(
            "dialled",
            point=row.point.name,
            gain=row.standing.gain,
            worst=row.standing.worst,
            worst_change=row.standing.worst_change,
            keeps=row.standing.keeps,
        )
    chosen = dial.chosen
    job.events.append("recommended", point=chosen.point.name if chosen else None)


def _enforce_canaries(dial: Dial, directory: Path) -> None:
    failed = [canary for canary in dial.canaries if canary.status == "fail"]
    if failed:
        raise EvaluationInvalid(
            "this dial is not valid",
            where=str(directory / "dial.html"),
            cause="; ".join(f"{canary.name}: {canary.detail}" for canary in failed) + ".",
            cure="No number of it may be trusted, and no point is written out.",
        )


def _written(
    dial: Dial,
    request: DialRequest,
    measured: Measured,
    workspace: Workspace,
    job: Job,
    writing: Writing | None,
    directory: Path,
) -> Path | None:
    """Write the point that is asked for, or the recommended one."""
    if writing is None:
        return None
    from train.dial.write import write_point

    point = writing.at or (dial.chosen.point if dial.chosen else None)
    if point is None:
        raise _no_point(dial, directory)
    row = dial.row(point)
    run = write_point(row, dial, request.origin, measured.strength, workspace, job, writing.name)
    job.events.append("model", path=f"runs/{run.name}/model", point=point.name)
    return run


def _no_point(dial: Dial, directory: Path) -> TemperError:
    assert isinstance(dial.choice, str)
    kind = GateInconclusive if dial.choice == "undecided" else GateFailed
    return kind(
        "no point is recommended, so none is written",
        where=str(directory / "dial.html"),
        cause=f"{WHY[dial.choice][0].upper()}{WHY[dial.choice][1:]}.",
        cure="Write one of your own choice with --at, train more gently (train.tempering.replay, "
        "train.learning_rate), or give the suites more items.",
    )
