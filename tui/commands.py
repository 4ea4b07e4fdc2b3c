"""The commands that belong to no single package: workspaces, jobs, checks."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from tui.compare_command import compare
from tui.duel_command import duel
from tui.queue_command import queue
from tui.web.command import web
from workspace.context import Context, emit_json, emit_table, note
from workspace.layout import Workspace
from workspace.options import AsJson, Detach, Overrides, RecipePath

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("init")(init)
    app.command("check")(check)
    app.command("schema")(schema)
    app.command("demo")(demo)
    app.command("runs")(runs)
    app.command("compare")(compare)
    app.command("jobs")(jobs)
    app.command("logs")(logs)
    app.command("stop")(stop)
    app.add_typer(queue)
    app.add_typer(duel)
    app.command("doctor")(doctor)
    app.command("web")(web)


def init(
    directory: Annotated[Path, typer.Argument(help="Where; made if needed.")],
    task: Annotated[str, typer.Option(help="chat, classify, json or maths.")] = "chat",
    data: Annotated[list[Path] | None, typer.Option(help="A raw data file; repeatable.")] = None,
    model: Annotated[
        str, typer.Option(help="A model directory, a hub name, or builtin.")
    ] = "builtin",
    name: Annotated[str | None, typer.Option(help="The recipe's name.")] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Instead of a workspace: one more recipe in it, for this dataset."),
    ] = None,
) -> None:
    """Make a workspace: a commented recipe and a target suite for your rows."""
    from tui.init import make_recipe, make_workspace

    if dataset is not None:
        path = make_recipe(Workspace(directory.resolve()), dataset=dataset, model=model, name=name)
        note(f"wrote {path}")
        note(f"next:  temper check {path.name}")
        return
    for path in make_workspace(directory, task=task, data=data or [], model=model, name=name):
        note(f"wrote {path}")
    if data:
        _tell_of_rows(directory)
    note()
    note(f"next:  cd {directory}")
    note("       temper check")
    if model == "builtin":
        note("       temper curate general.yaml")
    note("       temper curate && temper check")
    note("       temper train")
    note("       temper eval --gate")


def _tell_of_rows(directory: Path) -> None:
    """Say what the rows are read as, and what the recipe must be told where they cannot be."""
    from tui.check import look_at_sources
    from tui.schema import compose
    from workspace.layout import RECIPE
    from workspace.recipe import load_recipe

    note()
    found = look_at_sources(load_recipe(directory / RECIPE, compose()))
    for one in found:
        note(f"{_MARKS[one.level]} {one.what}  {one.found}")
        if one.cure:
            note(f"  do  {one.cure}")
    if any(one.level == "fail" for one in found):
        note(f"Nothing can be curated until this is mended; sources are in {directory / RECIPE}.")


def check(
    context: typer.Context,
    recipe: RecipePath = None,
    set_: Overrides = None,
    json: AsJson = False,
) -> None:
    """Find out everything that can be known before a GPU is touched."""
    from evalsuite.models.download import ensure_model
    from tui.check import check_recipe
    from workspace.errors import ModelError, UsageError

    shared: Context = context.obj
    loaded = shared.load_recipe(recipe, set_ or [])
    with suppress(ModelError):  # told as a finding, with the others
        ensure_model(loaded, shared.argv)
    findings = check_recipe(loaded)
    if json:
        emit_json([vars(finding) for finding in findings])
    else:
        emit_table(
            "check",
            ["", "what", "found", "do"],
            [[_MARKS[f.level], f.what, f.found, f.cure] for f in findings],
        )
    failed = sum(finding.level == "fail" for finding in findings)
    if failed:
        raise UsageError(f"{failed} of {len(findings)} checks failed")


def schema(
    of: Annotated[Literal["recipe", "suite"], typer.Argument(help="recipe or suite.")] = "recipe",
) -> None:
    """Print the JSON Schema of a recipe or a suite: every key, for you and for editors."""
    from tui.schema import json_schema, suite_schema

    emit_json(suite_schema() if of == "suite" else json_schema())


def demo(
    directory: Annotated[
        Path, typer.Argument(help="Where: a new directory or an empty one.")
    ] = Path("demo"),
    detach: Detach = False,
) -> None:
    """Run the whole loop on the built-in model and data, in minutes on a CPU."""
    from tui.demo import detach_demo, run_demo

    if detach:
        detach_demo(directory)
    else:
        run_demo(directory)


def runs(json: AsJson = False) -> None:
    """List the runs of this workspace with state, step, loss and verdict."""
    from tui.listing import run_rows

    rows = run_rows(Workspace.find())
    if json:
        emit_json(rows)
        return
    emit_table(
        "runs",
        ["run", "state", "step", "loss", "verdict", "dataset"],
        [[r["id"], r["state"], r["progress"], r["loss"], r["verdict"], r["dataset"]] for r in rows],
        numeric=(2, 3),
        whole=(0,),
    )


def jobs(json: AsJson = False) -> None:
    """List the jobs of this workspace, newest first."""
    from workspace.jobs import list_jobs

    found = list_jobs(Workspace.find())
    if json:
        emit_json([{**vars(job), "dir": str(job.dir)} for job in found])
        return
    emit_table(
        "jobs",
        ["job", "kind", "state", "try", "result", "why"],
        [
            [
                job.id,
                job.kind,
                job.state,
                str(job.attempt),
                job.result or "",
                job.error or job.waiting or "",
            ]
            for job in found
        ],
        numeric=(3,),
        whole=(0,),
    )


def logs(
    job: Annotated[str, typer.Argument(help="A job's id, part of it, or `latest`.")] = "latest",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
) -> None:
    """Print the log of a job."""
    from workspace.jobs import read_job
    from workspace.text import plain

    directory = Workspace.find().job(job)
    path = directory / "log.txt"
    path.touch()
    with path.open(encoding="utf-8", errors="replace") as stream:
        while True:
            running = read_job(directory).state in ("queued", "running")
            for line in stream:
                print(plain(line.rstrip("\n").rsplit("\r", 1)[-1]), flush=True)
            if not (follow and running):
                return
            try:
                time.sleep(0.5)
            except KeyboardInterrupt:
                note(f"no longer following; the job goes on: temper logs {directory.name}")
                return


def stop(
    job: Annotated[str, typer.Argument(help="A job's id, part of it, or `latest`.")] = "latest",
) -> None:
    """Ask a running job to save and stop; `temper resume` goes on from there."""
    from workspace.jobs import read_job, stop_job

    view = read_job(Workspace.find().job(job))
    stop_job(view)
    asked = "leave the queue" if view.waiting else "save and stop"
    note(f"asked {view.id} to {asked}")


def doctor(json: AsJson = False) -> None:
    """Look at this machine: libraries, GPUs, disk, terminal, what a log-out does to jobs."""
    from tui.doctor import examine

    findings = list(examine())
    if json:
        emit_json([vars(finding) for finding in findings])
        return
    emit_table(
        "doctor",
        ["", "what", "found", "do"],
        [[_MARKS[f.level], f.what, f.found, f.cure] for f in findings],
    )
