"""`temper train`, `temper plan`, `temper preview`, `temper resume`; what ships is in `ship_cli`.

Rendering only: what is told comes from `train.run`, `train.plan` and `train.proof`.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from train import ship_cli
from train.batch_view import batch
from train.cli_dial import dial
from train.curve.command import curve
from train.each.command import tell, train_groups
from train.rebase.command import rebase
from train.speed_view import print_levers
from train.terminal import Terminal, print_row
from workspace.context import Context, emit_json, note
from workspace.detaching import run_detached
from workspace.options import AsJson, Detach, Overrides, RecipePath, RunName

if TYPE_CHECKING:
    from train.inputs import Inputs
    from train.plan import Prepared
    from train.plan.tokens import TokenRow
    from workspace.recipe import Recipe


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("plan")(plan)
    app.command("preview")(preview)
    app.command("batch")(batch)
    app.command("train")(train)
    app.command("resume")(resume)
    app.command("curve")(curve)
    app.command("dial")(dial)
    app.command("rebase")(rebase)
    ship_cli.register(app)


def train(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run; left out: the recipe's.")
    ] = None,
    detach: Detach = False,
    explain_speed: Annotated[
        bool,
        typer.Option(
            "--explain-speed", help="Print what makes steps fast here, and why; trains nothing."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Dataset → run: plan, prove, train, write the model.

    Ctrl-C, SIGTERM and SIGHUP save a checkpoint and stop; `temper resume` goes on from there.
    """
    from evalsuite.models.download import ensure_model, is_missing
    from train.each.plan import plan_groups
    from train.inputs import find_inputs
    from train.run import run_train
    from train.stages import naming, planned, stages_of
    from train.stages.run import run_stages
    from train.teacher import ensure_teacher, is_teacher_missing
    from workspace.jobs import run_job

    context: Context = ctx.obj
    given = tuple(overrides or ())
    loaded = context.load_recipe(recipe, given)
    workspace = loaded.workspace
    runs = planned(loaded)
    if explain_speed:
        print_levers({stage: find_inputs(one, workspace) for stage, one in runs}, as_json=as_json)
        return
    if detach:
        for stage, one in runs:
            if not is_missing(one) and not is_teacher_missing(one):
                with naming(stage):
                    found = find_inputs(one, workspace)  # what can be refused is refused here
                    if _has_groups(one):
                        plan_groups(found)
        arguments = ["train", str(loaded.path)]
        for override in given:
            arguments += ["--set", override]
        if name:
            arguments += ["--name", name]
        run_detached(workspace, "train", arguments, doing="training", as_json=as_json)
        return
    if _has_groups(loaded):
        train_groups(context, loaded, given, name=name, as_json=as_json)
        return
    with Terminal() as reporter, run_job(workspace, "train", context.argv) as job:
        ensure_model(loaded, context.argv)
        for _, one in runs:
            ensure_teacher(one, context.argv)
        if stages_of(loaded):
            argv = context.argv
            run = run_stages(loaded, workspace, job, argv, reporter, name=name, overrides=given)
        else:
            run = run_train(loaded, workspace, job, reporter, name=name, overrides=given)
    _tell_run(run, reporter, as_json=as_json)


def resume(
    ctx: typer.Context,
    run: RunName,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANGE", help="Go on although CHANGE differs; it is recorded."),
    ] = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Continue a stopped, failed or lost run, or job of stages, from its newest whole checkpoint.

    On a CPU it continues bit for bit. Changed data, model, recipe, versions or device stop it with
    the difference, unless accepted by name.
    """
    from train.again import find_again
    from workspace.jobs import run_job
    from workspace.layout import Workspace

    context: Context = ctx.obj
    again = find_again(run, Workspace.find())
    if again.finish():
        note("the model was there already: its job is finished now")
        _tell_run(again.directory, Terminal(), as_json=as_json)
        return
    with Terminal() as reporter:
        again.open(context.load_recipe, reporter, accept or ())
        if detach:  # what can be refused was refused above, to a person
            arguments = ["resume", str(again.directory)]
            for change in accept or ():
                arguments += ["--accept", change]
            run_detached(
                *(again.workspace, "train", arguments),
                doing="training",
                as_json=as_json,
                job_id=again.job,
            )
            return
        with run_job(again.workspace, "train", context.argv, job_id=again.job) as job:
            directory = again.work(job, context.argv, reporter)
    _tell_run(directory, reporter, as_json=as_json)


def plan(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Estimate this model instead: a directory, a config.json or a hub name.",
        ),
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GPU",
            help="Compare this GPU: a name of the table, or NAME:GIB[:TFLOPS[:PRICE]].",
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DOLLARS", help="Price of a GPU for an hour."),
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of the longest row, whatever the data says.")
    ] = None,
    eight_bit: Annotated[
        bool, typer.Option("--adam-8bit", help="With Adam's states in 8 bits.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what training would do: rows, tokens, steps, settings with their reasons; then memory,
    hours and money for full, LoRA and QLoRA on a table of GPUs.

    Nothing is loaded, and of a hub model that is not here only its config is fetched.
    """
    from train.plan_view import print_answers
    from train.planning import Answer, Asked, estimate_model, plan_recipe
    from train.stages import naming, planned

    context: Context = ctx.obj
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw_8bit" if eight_bit else "adamw"
    asked = Asked(tuple(gpu or ()), tuple(price or ()), length, optimizer)
    if model is not None:
        loaded = context.load_recipe(recipe, overrides or ()) if recipe or overrides else None
        answers = [("", Answer(None, "", estimate_model(model, asked, loaded)))]
    else:
        answers = []
        with Terminal() as reporter:
            for stage, one in planned(context.load_recipe(recipe, overrides or ())):
                with naming(stage):
                    answers.append((stage, plan_recipe(one, asked, reporter.working)))
    print_answers(answers, as_json=as_json)


def preview(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 5,
    row_id: Annotated[str | None, typer.Option("--id", help="Show the row with this id.")] = None,
    stage: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a recipe with stages: the one whose rows to show."),
    ] = None,
    template: Annotated[
        bool,
        typer.Option("--template", help="Show how the chat template is read; needs no dataset."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows as the trainer will see them; what carries no loss is dimmed.

    Without colours, what is trained stands between ⟦ and ⟧.
    """
    from train.placing import seen
    from train.proof import prove
    from workspace.errors import DataError

    if template:
        _preview_template(ctx, recipe, overrides, as_json=as_json)
        return
    inputs = _inputs(ctx, recipe, overrides, stage, "temper preview")
    with Terminal() as reporter:
        prepared = inputs.prepare(reporter.working)
    chosen = _chosen(prepared, rows, row_id)
    if not chosen:
        raise DataError(
            "no such row is trained on",
            where=f"--id {row_id}",
            cure="`temper curate explain ID` says what became of it.",
        )
    proof = prove(
        prepared.rows,
        inputs.tokenizer,
        method=inputs.section.method.kind,
        seed=inputs.section.seed,
    )
    if as_json:
        shown = [{**_row_json(row, inputs), **seen(row, prepared)} for row in chosen]
        emit_json({"proof": proof.as_dict(), "rows": shown})
        return
    for row in chosen:
        print_row(row, inputs.tokenizer, inputs.section.method.kind)
    ending = f"{proof.turns_ending:,} end in {proof.end_token or 'no stop token'}"
    told = (
        f"{proof.turns:,} assistant turns in {proof.rows_decoded:,} rows; {ending}"
        if proof.reads == "answers"
        else proof.summary
    )
    print(f"{told}; padding is {proof.pad_token} ({proof.pad_reason})")
    for why, count in proof.turns_left_out.items():
        print(f"! {count:,} assistant turns are read but not learnt: {why}")
    proof.enforce()


def _preview_template(
    ctx: typer.Context, recipe: Path | None, overrides: list[str] | None, *, as_json: bool
) -> None:
    from evalsuite.models import ChatTokenizer, ModelSection, resolve_model
    from evalsuite.models.download import ensure_model
    from train.template_view import print_reading

    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, overrides or ())
    ensure_model(loaded, context.argv)
    section = loaded.required("model", ModelSection, command="temper preview --template")
    reading = ChatTokenizer.from_dir(resolve_model(section, loaded.base_dir).path).reading
    if as_json:
        emit_json(reading.as_dict())
        return
    print_reading(reading)


def _inputs(
    ctx: typer.Context,
    recipe: Path | None,
    overrides: list[str] | None,
    stage: str | None,
    command: str,
) -> Inputs:
    from evalsuite.models.download import ensure_model
    from train.inputs import find_inputs
    from train.stages import stage_named, stage_recipe
    from train.teacher import ensure_teacher

    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, overrides or ())
    if stage is not None:
        loaded = stage_recipe(loaded, stage_named(loaded, stage), {})
    ensure_model(loaded, context.argv)
    ensure_teacher(loaded, context.argv)
    return find_inputs(loaded, loaded.workspace, command=command)


def _has_groups(recipe: Recipe) -> bool:
    from train.recipe import TrainSection

    section = recipe.section("train", TrainSection)
    return section is not None and section.each is not None


def _tell_run(run: Path, reporter: Terminal, *, as_json: bool) -> None:
    from train.each.run import is_whole
    from train.methods import METHODS
    from train.record import read_record

    if is_whole(run):
        tell(run, as_json=as_json)
        return
    last = reporter.last
    is_reward = METHODS[read_record(run)["method"]].makes == "reward"
    use = (
        ("score", f"temper curate score reward ROWS --model {run / 'model'} -o SCORED.jsonl")
        if is_reward
        else ("evaluate", f"temper eval {run.name}")
    )
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
    print(f"{use[0]:<8}  {use[1]}")


def _chosen(prepared: Prepared, count: int, row_id: str | None) -> list[TokenRow]:
    if row_id is not None:
        places = range(len(prepared.rows))
        found = (one for one in places if prepared.rows.row_id(one)[0].startswith(row_id))
        return [prepared.rows[place] for place in islice(found, count)]
    return [prepared.rows[index] for index in prepared.schedule.order[:count]]


def _row_json(row: TokenRow, inputs: Inputs) -> dict[str, Any]:
    from train.methods import METHODS
    from train.proof.examples import example

    shown = example(row, inputs.tokenizer)
    if len(row.sequences) == 1:
        return {**shown, "input_ids": row.input_ids.tolist()}
    names = METHODS[inputs.section.method.kind].sequences
    ids = {name: one.input_ids.tolist() for name, one in zip(names, row.sequences, strict=True)}
    return {**shown, "input_ids": ids}


__all__ = ["plan", "preview", "register", "resume", "train"]
