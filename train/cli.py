"""`temper train`, `temper plan`, `temper preview`, `temper resume`.

Rendering only: what is told comes from `train.run`, `train.plan` and `train.proof`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workspace.context import Context, Progress, console, emit_json, emit_table, note

if TYPE_CHECKING:
    from train.inputs import Inputs
    from train.plan import Prepared
    from train.plan.tokens import TokenRow
    from train.trl_bridge import StepReport


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("plan")(plan)
    app.command("preview")(preview)
    app.command("train")(train)
    app.command("resume")(resume)


RecipePath = Annotated[
    Path | None, typer.Argument(help="Recipe file; left out: temper.yaml here or above.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value, e.g. train.steps=50."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def train(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run; left out: the recipe's.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run on after this terminal is gone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Dataset → run: plan, prove, train, write the model.

    Ctrl-C, SIGTERM and SIGHUP save a checkpoint and stop; `temper resume` goes on from there.
    """
    from train.inputs import find_inputs
    from train.run import run_train
    from workspace.jobs import run_job

    context: Context = ctx.obj
    given = tuple(overrides or ())
    loaded = context.load_recipe(recipe, given)
    workspace = loaded.workspace
    if detach:
        find_inputs(loaded, workspace)  # what can be refused is refused here, to a person
        _detach(workspace, loaded.path, given, name, as_json=as_json)
        return
    with _Terminal() as reporter, run_job(workspace, "train", context.argv) as job:
        run = run_train(loaded, workspace, job, reporter, name=name, overrides=given)
    _tell_run(run, reporter, as_json=as_json)


def resume(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="Id, name or path of a run, or `latest`.")],
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANGE", help="Go on although CHANGE differs; it is recorded."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Continue a stopped, failed or lost run from its newest whole checkpoint.

    On a CPU it continues bit for bit. Changed data, model, recipe or versions stop it with the
    difference, unless accepted by name.
    """
    from train.resume import open_run, resume_train
    from workspace.jobs import run_job
    from workspace.layout import Workspace

    context: Context = ctx.obj
    directory = Workspace.find().run(run)
    workspace = Workspace(directory.parent.parent)
    with _Terminal() as reporter:
        opened = open_run(directory, workspace, context.load_recipe, reporter, accept=accept or ())
        job_id = str(opened.record["job"])
        with run_job(workspace, "train", context.argv, job_id=job_id) as job:
            resume_train(opened, job, reporter)
    _tell_run(directory, reporter, as_json=as_json)


def plan(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Print what training would do: rows, tokens, steps, settings with their reasons."""
    inputs = _inputs(ctx, recipe, overrides, "temper plan")
    with _Terminal() as reporter:
        prepared = inputs.prepare(reporter.working)
    if as_json:
        emit_json({**prepared.plan.as_dict(), "ledger": prepared.ledger.as_dict()})
        return
    _print_sources(prepared)
    _print_settings(prepared)
    for line in _arithmetic(prepared):
        print(line)
    for warning in prepared.plan.warnings:
        print(f"! {warning}")


def preview(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 5,
    row_id: Annotated[str | None, typer.Option("--id", help="Show the row with this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show rows as the trainer will see them; what carries no loss is dimmed.

    Without colours, what is trained stands between ⟦ and ⟧.
    """
    from train.proof import prove
    from workspace.errors import DataError

    inputs = _inputs(ctx, recipe, overrides, "temper preview")
    with _Terminal() as reporter:
        prepared = inputs.prepare(reporter.working)
    chosen = _chosen(prepared, rows, row_id)
    if not chosen:
        raise DataError(
            "no such row is trained on",
            where=f"--id {row_id}",
            cure="ledger.json of the run and of the dataset say what became of it.",
        )
    proof = prove(prepared.rows, inputs.tokenizer, seed=inputs.section.seed)
    if as_json:
        emit_json({"proof": proof.as_dict(), "rows": [_row_json(r, inputs) for r in chosen]})
        return
    for row in chosen:
        _print_row(row, inputs)
    print(
        f"{proof.turns:,} assistant turns in {proof.rows_decoded:,} rows; "
        f"{proof.turns_ending:,} end in {proof.end_token or 'no stop token'}; "
        f"padding is {proof.pad_token} ({proof.pad_reason})"
    )
    proof.enforce()


def _inputs(
    ctx: typer.Context, recipe: Path | None, overrides: list[str] | None, command: str
) -> Inputs:
    from train.inputs import find_inputs

    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, overrides or ())
    return find_inputs(loaded, loaded.workspace, command=command)


def _detach(
    workspace: Any, recipe: Path, overrides: tuple[str, ...], name: str | None, *, as_json: bool
) -> None:
    from workspace.hangup import check_survival
    from workspace.jobs import launch_detached

    arguments = ["train", str(recipe)]
    for override in overrides:
        arguments += ["--set", override]
    if name:
        arguments += ["--name", name]
    job = launch_detached(workspace, "train", arguments)
    survival = check_survival()
    if not survival.survives:
        note(f"! {survival.reason}. {survival.cure}")
    if as_json:
        emit_json({"job": job})
        return
    note("training in the background; this terminal may go away")
    print(f"job    {job}\nwatch  temper logs {job}\nstop   temper stop {job}")


class _Terminal:
    """Renders a run's progress to stderr."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self.last: StepReport | None = None

    def __enter__(self) -> _Terminal:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._close(*raised)

    def _close(self, *raised: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*(raised or (None, None, None)))
            self._progress = None

    def note(self, text: str) -> None:
        self._close()
        note(f"  {text}")

    def working(self, what: str, done: int, total: int) -> None:
        self._show(what, done, total, "rows")

    def planned(self, prepared: Prepared) -> None:
        self._close()
        for line in _arithmetic(prepared):
            note(f"  {line}")
        for name in ("learning_rate", "max_length"):
            decided = prepared.plan.settings[name]
            if decided.reason != "recipe":
                note(f"  {name}: {decided.value} ({decided.reason})")
        for warning in prepared.plan.warnings:
            note(f"! {warning}")

    def step(self, report: StepReport) -> None:
        self.last = report
        detail = f"loss {report.loss:.4f} · {report.tokens_per_second:,.0f} tokens/s"
        self._show("training", report.step, report.max_steps, "steps", detail)

    def _show(self, what: str, done: int, total: int, unit: str, detail: str = "") -> None:
        if self._progress is None or self._progress.what != what:
            self._close()
            self._progress = Progress(what, total, unit=unit).__enter__()
        self._progress.update(done, detail=detail)
        if done >= total:
            self._close()


def _tell_run(run: Path, reporter: _Terminal, *, as_json: bool) -> None:
    last = reporter.last
    if as_json:
        emit_json(
            {
                "run": run.name,
                "path": str(run),
                "model": str(run / "model"),
                "steps": last.max_steps if last else None,
                "loss": last.loss if last else None,
            }
        )
        return
    print(f"run       {run.name}")
    print(f"model     {run / 'model'}")
    print(f"evaluate  temper eval {run.name}")


def _arithmetic(prepared: Prepared) -> list[str]:
    """Return the numbers of the plan as sums that a reader can check."""
    plan, schedule = prepared.plan, prepared.schedule
    accumulation = -(-plan.batch_size // plan["micro_batch_size"])
    seen = " + ".join(f"{source.rows_seen:,} {source.role}" for source in plan.sources)
    share = plan.trainable_parameters / max(1, plan.model_parameters)
    return [
        f"{plan.steps:,} steps × {plan.batch_size} rows "
        f"({plan['micro_batch_size']} at once × {accumulation}) = {len(schedule.order):,} rows "
        f"= {seen}",
        f"{plan.tokens_seen:,} tokens, {plan.tokens_trained:,} of them with loss; "
        f"{plan.padding_share:.1%} of the computation is padding",
        f"{plan.adapter['kind']}: {plan.trainable_parameters:,} of {plan.model_parameters:,} "
        f"weights are trained ({share:.1%})",
    ]


def _print_sources(prepared: Prepared) -> None:
    rows = []
    for source in prepared.plan.sources:
        account = prepared.ledger.total(source.role)
        dropped = ", ".join(f"{count:,} {why}" for why, count in account.rows_dropped.items())
        rows.append(
            [
                source.role,
                source.path,
                f"{account.rows_in:,}",
                f"{account.rows_kept:,}",
                f"{account.rows_cut:,}",
                dropped or "0",
                f"{account.tokens_trained:,}",
                f"{account.tokens_masked:,}",
                f"{source.longest:,}",
                f"{source.epochs:g}",
            ]
        )
    columns = ["role", "dataset", "rows", "kept", "cut", "dropped", "tokens trained"]
    columns += ["tokens masked", "longest", "epochs"]
    emit_table("data", columns, rows, numeric=(2, 3, 4, 6, 7, 8, 9))


def _print_settings(prepared: Prepared) -> None:
    plan = prepared.plan
    rows = [[name, str(one.value), one.reason] for name, one in sorted(plan.settings.items())]
    emit_table("settings", ["setting", "value", "why"], rows, numeric=(1,))


def _chosen(prepared: Prepared, count: int, row_id: str | None) -> list[TokenRow]:
    if row_id is not None:
        return [row for row in prepared.rows if row.row.row_id.startswith(row_id)][:count]
    return [prepared.rows[index] for index in prepared.schedule.order[:count]]


def _row_json(row: TokenRow, inputs: Inputs) -> dict[str, Any]:
    from train.proof.mask import example

    return {**example(row, inputs.tokenizer), "input_ids": row.input_ids.tolist()}


def _print_row(row: TokenRow, inputs: Inputs) -> None:
    from rich.text import Text

    from train.proof.mask import segments
    from workspace.text import plain

    out = console()
    coloured = out.is_terminal and not os.environ.get("NO_COLOR")
    out.print(
        Text(
            plain(f"{row.row.place} · id {row.row.row_id[:16]} · {row.role} · ")
            + f"{row.tokens} tokens, {row.trained} trained",
            style="bold" if coloured else "",
        )
    )
    text = Text()
    for piece, is_trained in segments(row, inputs.tokenizer):
        shown = plain(piece)
        if coloured:
            text.append(shown, style="" if is_trained else "dim")
        else:
            text.append(f"⟦{shown}⟧" if is_trained else shown)
    out.print(text)
    out.print()


__all__ = ["plan", "preview", "register", "resume", "train"]
