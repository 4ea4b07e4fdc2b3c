"""`temper dial`: rendering only; what is told comes from `train.dial.run`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.terminal import AnswerProgress, MeasuringRecipe, Suites
from workspace.context import Context, emit_json, emit_table, note
from workspace.detaching import run_again_detached
from workspace.layout import RECIPE, Workspace
from workspace.options import Detach, Overrides, RunName
from workspace.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from train.dial.document import Dial, Row
    from train.dial.request import DialRequest
    from train.dial.run import DialResult, Writing


def dial(
    ctx: typer.Context,
    run: RunName,
    recipe: MeasuringRecipe = None,
    suites: Suites = None,
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Scales to measure beside 0 and 1, e.g. 0.3,0.5; default: fifths. Each costs "
            "one pass over the suites.",
        ),
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints/--no-checkpoints", help="Measure kept checkpoints too.")
    ] = True,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the recommended point as a new run; exit 1 or 3 if there is none.",
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="POINT", help="With --write: this scale or step-N instead."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new run; default: the run's with -dialled.")
    ] = None,
    detach: Detach = False,
    as_json: Annotated[bool, typer.Option("--json", help="dial.json on stdout.")] = False,
    overrides: Overrides = None,
) -> None:
    """How strong should a run be? Scales between base and tuned, and checkpoints, on a suite.

    Draws what was learnt against what was forgotten, recommends a point and, with --write, writes
    it as a run without training again. A killed dial goes on where it was by the same command.

    Exit codes: 0 done, 1 or 3 with --write when no point keeps what is to be kept, 5 a check of
    the measurement failed.
    """
    from train.dial.run import run_dial
    from workspace.claims import claim
    from workspace.jobs import run_job
    from workspace.waiting import JobWaiter

    context: Context = ctx.obj
    request, workspace = _request(
        context, run, recipe, suites or (), scales, at, overrides or (), checkpoints=checkpoints
    )
    writing = _writing(request, write=write, at=at, name=name)
    if detach:
        run_again_detached(context, workspace, "dial", doing="dialling", as_json=as_json)
        return
    with (
        run_job(workspace, "dial", context.argv) as job,
        claim(waiter=JobWaiter(job, note)) as device,
    ):
        note(f"Working on {device.device}: {device.reason}.")
        watch = AnswerProgress(job, before_name="at ")
        result = run_dial(request, workspace, job, watch, writing)
    watch.close()
    if as_json:
        written = str(result.written) if result.written else None
        emit_json({**result.dial.as_dict(), "path": str(result.directory), "written": written})
        return
    _tell(result)


def _request(
    context: Context,
    run: str,
    recipe: Path | None,
    suites: Sequence[str],
    scales: str | None,
    at: str | None,
    overrides: Sequence[str],
    *,
    checkpoints: bool,
) -> tuple[DialRequest, Workspace]:
    from evalsuite.engine.request import EvalRequest
    from evalsuite.engine.subjects import common_base
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection
    from evalsuite.tasks import find_suite, load_suite
    from train.dial.origin import find_origin
    from train.dial.points import parse_scales, plan_points
    from train.dial.request import DialRequest
    from workspace.secrets import redact

    wanted = parse_scales(scales) if scales else ()
    there = recipe or overrides or (Workspace.find().root / RECIPE).is_file()
    loaded = context.load_recipe(recipe, overrides) if there else None
    workspace = loaded.workspace if loaded else Workspace.find()
    origin = find_origin(run, workspace, checkpoints=checkpoints)
    section = (loaded.section("evaluate", EvalSection) if loaded else None) or EvalSection()
    model = loaded.section("model", ModelSection) if loaded else None
    asked = EvalRequest(
        name=origin.subject.name,
        base=common_base([origin.subject]),
        subjects=(origin.subject,),
        suites=tuple(load_suite(find_suite(s, workspace)) for s in suites or section.suites),
        settings=section,
        dtype=model.dtype if model else "auto",
        command=redact(shlex.join(context.argv)),
    )
    points = plan_points(wanted, tuple(origin.checkpoints), at)
    request = DialRequest(origin, points, asked)
    request.check()
    return request, workspace


def _writing(
    request: DialRequest, *, write: bool, at: str | None, name: str | None
) -> Writing | None:
    from train.dial.points import find_point
    from train.dial.run import Writing
    from workspace.errors import UsageError

    if not write:
        for option, given in (("--at", at), ("--name", name)):
            if given is not None:
                raise UsageError(
                    f"{option} says what to write, and nothing is to be written",
                    where=option,
                    cure="Add --write.",
                )
        return None
    origin = request.origin
    point = find_point(at, tuple(origin.checkpoints)) if at is not None else None
    writing = Writing(name or f"{origin.subject.name[:55]}-dialled", point)
    writing.check()
    return writing


def _tell(result: DialResult) -> None:
    from train.dial.picture import recommendation

    dial = result.dial
    emit_table(
        f"{dial.name}: what was learnt against what was forgotten (all items)",
        ["point", "target", "gain", "95 % interval", "nearest to its margin", "change",
         "95 % interval", "least kept", "margins"],
        [_cells(row, dial) for row in dial.rows],
        numeric=(1, 2, 3, 5, 6, 7),
    )  # fmt: skip
    print(plain(recommendation(dial)))
    if dial.chosen:
        note("(One half of the items chose the point; the other half says what to expect.)")
    for remark in dial.notes:
        note(f"note: {remark}")
    print()
    print(result.directory / "dial.html")
    if result.written:
        print(f"run       {result.written.name}")
        print(f"model     {result.written / 'model'}")
        print(f"evaluate  temper eval {result.written.name}")
    elif dial.chosen and dial.chosen.point != dial.tuned.point:
        print(plain(f"write it  temper dial {dial.run} --write"))


def _cells(row: Row, dial: Dial) -> list[str]:
    from evalsuite.sentences import change, score
    from train.dial.picture import bounded

    b, one = bounded(dial), row.standing
    marks = {0.0: " (base)"}.get(row.point.scale, "")
    marks += " ◂ take this" if dial.chosen and dial.chosen.point == row.point else ""
    kept = "kept" if row.choosing.keeps else "lost" if row.choosing.surely_loses else "not shown"
    return [
        f"{row.point.name}{marks}",
        score(one.target, bounded=b),
        change(one.gain, bounded=b),
        f"{change(one.gain_low, bounded=b)} to {change(one.gain_high, bounded=b)}",
        one.worst,
        change(one.worst_change, bounded=b),
        f"{change(one.worst_low, bounded=b)} to {change(one.worst_high, bounded=b)}",
        score(one.kept_share),
        kept,
    ]
