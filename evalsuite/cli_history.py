"""`temper bless`, `temper history` and `temper monitor`: evaluations over time. Rendering only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evalsuite.terminal import MeasuringRecipe, Suites
from workspace.context import Context, Progress, emit_json, emit_table, note
from workspace.errors import UsageError
from workspace.layout import Workspace
from workspace.options import Overrides
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.baselines.blessed import Baseline
    from evalsuite.history.timeline import Line


Undecided = Literal["inconclusive", "pass", "fail"]


def bless(
    evaluation: Annotated[
        str | None,
        typer.Argument(help="Id or name of an evaluation, or `latest`; left out: list them."),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="What it is called from now on.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Which of its models; left out: its only tuned one. `base` is one."),
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, kept in the record.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The record as JSON.")] = False,
) -> None:
    """Give an evaluation a name to hold others against: `temper eval RUN --against NAME`.

    What the name stood for before is kept in `baselines/NAME.json`.
    """
    from evalsuite.baselines.blessed import all_baselines
    from evalsuite.baselines.blessed import bless as bless_evaluation

    workspace = Workspace.find()
    if evaluation is None:
        _list(all_baselines(workspace), as_json=as_json)
        return
    if name is None:
        raise UsageError(
            "a blessed evaluation needs a name",
            cure=f"For example `temper bless {plain(evaluation, 80)} production`.",
        )
    baseline = bless_evaluation(workspace, evaluation, name, model=model, why=why)
    if as_json:
        emit_json(baseline.model_dump(mode="json"))
        return
    blessed = baseline.blessed
    print(plain(f"{baseline.name}: {blessed.model} as measured in {blessed.evaluation}"))
    if baseline.earlier:
        note(f"before: {baseline.earlier[0].model} as measured in {baseline.earlier[0].evaluation}")


def history(
    model: Annotated[
        str | None, typer.Argument(help="This model alone, by its name in results.")
    ] = None,
    ability: Annotated[str | None, typer.Option(help="This ability alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All points as JSON.")] = False,
) -> None:
    """Every evaluation of this workspace: the trend of each ability of each model.

    A change is told between the first and the last evaluation of equal items.
    """
    from evalsuite.history.timeline import read_history

    found = read_history(Workspace.find().evals, model=model, ability=ability)
    if as_json:
        emit_json(
            {
                "evaluations": found.evaluations,
                "lines": [asdict(line) | {"change": line.change} for line in found.lines],
                "unreadable": found.unreadable,
            }
        )
        return
    for one in found.unreadable:
        note(f"passed over: {one}")
    if not found.lines:
        raise UsageError(
            "no evaluation here has such scores",
            where=str(Workspace.find().evals),
            cause=f"{found.evaluations} evaluations were read.",
            cure="Make one with `temper eval`.",
        )
    sides = list(dict.fromkeys(_sides(line) for line in found.lines))
    for side in sides:
        lines = [one for one in found.lines if _sides(one) == side]
        tuned, against, base = side
        emit_table(
            f"{tuned} against {against}{f', {base}' if base else ''}",
            ["ability", "to", "evaluations", "trend", "latest", "difference", "change", "verdicts"],
            [_row(line) for line in lines],
            numeric=(2, 4, 5, 6),
        )


def monitor(
    ctx: typer.Context,
    recipe: MeasuringRecipe = None,
    suites: Suites = None,
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="The baseline to hold the model against.")
    ] = None,
    as_bless: Annotated[
        str | None,
        typer.Option("--bless", metavar="NAME", help="Bless the model as it answers now."),
    ] = None,
    inconclusive: Annotated[
        Undecided, typer.Option(help="What an undecided look counts as.")
    ] = "inconclusive",
    as_json: Annotated[bool, typer.Option("--json", help="results.json on stdout.")] = False,
    overrides: Overrides = None,
) -> None:
    """Ask a served model again and hold it against what was blessed; meant for cron.

    Looking again and again costs no false alarm: all looks together accuse a model that does not
    drift with at most alpha. Exit codes: 0 nothing was lost, 1 something was, 3 undecided.
    """
    import shlex

    from evalsuite.baselines.blessed import bless as bless_evaluation
    from evalsuite.gate import enforce
    from evalsuite.monitor.asked import asked_look
    from evalsuite.monitor.look import count_look, take_look
    from workspace.jobs import run_job
    from workspace.secrets import redact

    context: Context = ctx.obj
    if (against is None) == (as_bless is None):
        raise UsageError(
            "a look needs one of --against NAME and --bless NAME",
            cure="Bless the served model once, then hold it against that name.",
        )
    loaded = context.load_recipe(recipe, overrides or [])
    workspace = loaded.workspace
    look = asked_look(
        loaded, suites or [], against=against, command=redact(shlex.join(context.argv))
    )
    with run_job(workspace, "eval", context.argv) as job:
        with Progress("asking the served model") as progress:
            found = take_look(
                look, workspace, job.dir / "requests",
                lambda done, total: progress.update(done, total=total),
            )  # fmt: skip
        job.result(found.directory)
    if against is not None:
        count_look(workspace, against, look.number)
    else:
        assert as_bless is not None
        bless_evaluation(workspace, found.directory.name, as_bless)
    if as_json:
        emit_json(found.results.model_dump(mode="json"))
    for comparison in found.results.comparisons:
        if not as_json:
            print(plain(f"look {look.number}: {comparison.verdict.headline}"))
            for reason in comparison.verdict.reasons:
                print(plain(f"  {reason}"))
        enforce(comparison.verdict, inconclusive=inconclusive)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("bless")(bless)
    app.command("history")(history)
    app.command("monitor")(monitor)


_MARKS = {"pass": "✓", "fail": "✗", "inconclusive": "?"}


def _sides(line: Line) -> tuple[str, str, str]:
    return line.model, line.against, line.base


def _row(line: Line) -> list[str]:
    from evalsuite.sentences import change, score

    last = line.points[-1]
    return [
        line.ability,
        "gain" if line.purpose == "target" else "keep",
        str(len(line.points)),
        line.sparkline,
        score(last.score, bounded=line.bounded),
        change(last.difference, bounded=line.bounded),
        change(line.change, bounded=line.bounded),
        "".join(_MARKS.get(point.verdict, "–") for point in line.points[-24:]),
    ]


def _list(found: list[Baseline], *, as_json: bool) -> None:
    if as_json:
        emit_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        note("no evaluation is blessed yet: `temper bless EVAL NAME`")
        return
    rows = [
        [one.name, one.blessed.model, one.blessed.evaluation, one.blessed.created, one.blessed.why]
        for one in found
    ]
    emit_table("Baselines", ["name", "model", "evaluation", "blessed", "why"], rows)
