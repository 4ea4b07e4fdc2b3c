"""All stages of a recipe, one run after the other, in one job that can be killed anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.models import ModelSection
from train.finishing import finish_published
from train.inputs import find_inputs
from train.method_sections import SftSection
from train.recipe import TrainSection
from train.record import read_record, settings_of
from train.reinforcement_sections import RftSection
from train.reporter import Reporter, Silent
from train.resume import (
    Loader,
    Resumption,
    checked,
    is_accepted,
    open_run,
    resume_train,
    settings_in_effect,
)
from train.run import run_train
from train.stages.account import COPY, Account, Entry, read_account
from train.stages.recipes import naming, planned, settled, stage_recipe, stages_of
from train.start import Place
from workspace.claims import claim
from workspace.errors import Stopped, UsageError
from workspace.files import write_text
from workspace.jobs import Job, run_job
from workspace.layout import Workspace, checked_name, new_id
from workspace.recipe import Recipe
from workspace.waiting import JobWaiter


@dataclass(frozen=True)
class StagesResumption:
    """A job of stages that may go on."""

    account: Account
    recipe: Recipe
    opened: Resumption | None
    """The run of the stage that it is in; None: the next one is not begun."""
    accepted: Sequence[dict[str, str]] = ()
    """Differences of finished stages that were accepted now."""


def run_stages(
    recipe: Recipe,
    workspace: Workspace,
    job: Job,
    argv: Sequence[str],
    reporter: Reporter | None = None,
    *,
    name: str | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Train all stages and return the last one's run.

    Every stage is planned before the first is begun: what can be refused is refused then.

    Args:
        recipe: with `train.stages`.
        workspace: where `runs/` is.
        job: the running job; each stage is a job within it.
        argv: the command, for the records of those.
        reporter: is told what happens.
        name: of the last run; the recipe's name if left out.
        overrides: `--set` values in the recipe, kept for `temper resume`.

    Raises:
        as `train.run.run_train`.
    """
    reporter = reporter or Silent()
    entries = tuple(Entry(stage.name, stage.method.kind) for stage in stages_of(recipe))
    recipe, beginnings = settled(recipe, workspace)
    given = (*overrides, *beginnings)
    account = Account(job.dir, recipe.path, given, name or recipe.name, entries)
    for number in range(len(entries)):
        checked_name(account.run_name(number), what="stage's run")
    foresee(recipe, workspace, reporter)
    job.check_stop(cure="Nothing was begun: the same command begins anew.")
    write_text(job.dir / COPY, recipe.to_yaml())
    return _on_one_gpu(account.written(), _Hands(recipe, workspace, job, argv, reporter), None)


def foresee(recipe: Recipe, workspace: Workspace, reporter: Reporter) -> None:
    """Plan each stage with what is known of it before the first.

    Raises:
        UsageError, LimitExceeded: as `train.inputs.find_inputs` and `train.plan.prepare`; the
            stage is named.
    """
    for name, one in planned(recipe):
        reporter.note(f"planning stage {name}")
        with naming(name):
            find_inputs(one, workspace).prepare(reporter.working)


def open_stages(
    directory: Path,
    workspace: Workspace,
    load: Loader,
    reporter: Reporter | None = None,
    *,
    accept: Sequence[str] = (),
) -> StagesResumption:
    """Check that a job of stages may go on; changes nothing.

    Args:
        directory: of the job.
        workspace: where its runs are.
        load: reads a recipe with overrides, checked against the whole schema.
        reporter: is told what has changed.
        accept: names of differences to go on with.

    Raises:
        UsageError: all stages are done, the recipe has other stages, it and its copy are gone, or
            something is different and not accepted, also of a finished stage.
    """
    reporter = reporter or Silent()
    account = read_account(directory)
    if account.is_done:
        raise UsageError(
            "all stages of this job are finished",
            where=str(directory),
            cure=f"Evaluate the last with `temper eval {account.entries[-1].run}`.",
        )
    recipe = _recipe(account, workspace, load, reporter)
    _demand_same_stages(account, recipe)
    made = account.made(workspace)
    accepted = []
    for entry, stage in zip(account.entries, stages_of(recipe), strict=True):
        if entry.done:
            known = [one for one in account.accepted if one["stage"] == entry.name]
            own = stage_recipe(recipe, stage, made)
            found = _check_finished(made[entry.name], own, accept, known, reporter)
            accepted += [{"stage": entry.name, **one} for one in found]
    number = _current(account)
    run = _begun(account, number, workspace)
    is_open = run is not None and not (run / "model").exists()
    opened = open_run(run, workspace, load, reporter, accept=accept) if run and is_open else None
    return StagesResumption(account, recipe, opened, accepted)


def _recipe(account: Account, workspace: Workspace, load: Loader, reporter: Reporter) -> Recipe:
    """Return the recipe as it is now, or the job's own copy if its file is gone."""
    if account.recipe.is_file():
        return load(account.recipe, account.overrides)
    copy = account.directory / COPY
    if not copy.is_file():
        raise UsageError(
            "the recipe of these stages is gone",
            where=str(account.recipe),
            cure="Put it back: it says what the stages to come are.",
        )
    reporter.note(f"{account.recipe} is gone: the job's own copy of the recipe is used")
    recipe = load(copy, ())
    return replace(recipe, path=workspace.root / account.recipe.name, name=str(recipe.name))


def resume_stages(
    resumption: StagesResumption,
    workspace: Workspace,
    job: Job,
    argv: Sequence[str],
    reporter: Reporter | None = None,
) -> Path:
    """Go on in the stage that the job is in, and with those after it; return the last one's run.

    Args:
        resumption: by `open_stages`.
        workspace: where its runs are.
        job: the stages' own job, tried again.
        argv: the command, for the records of the jobs within it.
        reporter: is told what happens.
    """
    hands = _Hands(resumption.recipe, workspace, job, argv, reporter or Silent())
    account = resumption.account
    if resumption.accepted:
        account = replace(account, accepted=(*account.accepted, *resumption.accepted)).written()
    return _on_one_gpu(account, hands, resumption.opened)


@dataclass(frozen=True)
class _Hands:
    """What every stage is done with."""

    recipe: Recipe
    workspace: Workspace
    job: Job
    argv: Sequence[str]
    reporter: Reporter


def _on_one_gpu(account: Account, hands: _Hands, opened: Resumption | None) -> Path:
    """Hold one GPU through all stages: torch stays on the one that it began with."""
    cure = f"Continue with: temper resume {hands.job.id}"
    with claim(waiter=JobWaiter(hands.job, hands.reporter.note, cure)):
        return _go_on(account, hands, opened)


def _go_on(account: Account, hands: _Hands, opened: Resumption | None) -> Path:
    for number, entry in enumerate(account.entries):
        if entry.done:
            hands.reporter.note(f"stage {entry.name} is done: {entry.run}")
            continue
        run = _begun(account, number, hands.workspace)
        if run is None:
            account = _announced(account, number, hands.workspace)
        stop = _work(account, number, run, hands, opened)
        opened = None
        account = account.changed(number, done=True)
        if stop is not None and not account.is_done:
            again = f"Continue with: temper resume {account.entries[number].run}"
            raise Stopped(stop, cure=f"Stage {entry.name} is done. {again}")
    return hands.workspace.runs / str(account.entries[-1].run)


def _work(
    account: Account, number: int, run: Path | None, hands: _Hands, opened: Resumption | None
) -> int | None:
    """Do one stage; return the signal that came when nothing of it was left to be stopped."""
    entry, total = account.entries[number], len(account.entries)
    name, identity = str(entry.run), str(entry.job)  # both are announced
    hands.reporter.note(f"stage {entry.name} ({number + 1} of {total}): {name}")
    hands.job.events.append("stage", stage=entry.name, number=number + 1, run=name)
    hands.job.result(hands.workspace.runs / name)
    if run is not None and (run / "model").exists():  # killed before it was written down as done
        finish_published(run, hands.workspace)
        return hands.job.stop_signal
    with run_job(hands.workspace, "train", hands.argv, job_id=identity) as own:
        if run is not None and opened is not None:
            resume_train(opened, own, hands.reporter)
        else:
            made = account.made(hands.workspace)
            run_train(
                stage_recipe(hands.recipe, stages_of(hands.recipe)[number], made),
                hands.workspace,
                own,
                hands.reporter,
                overrides=account.overrides,
                place=Place(name, account.place(number)),
            )
    _free()
    return own.stop_signal or hands.job.stop_signal


def _free() -> None:
    from evalsuite.engine.sides import free_memory

    free_memory()


def _announced(account: Account, number: int, workspace: Workspace) -> Account:
    """Write down which run a stage will be, after clearing what a kill left of one."""
    left = account.entries[number].run
    if left is not None:
        shutil.rmtree(workspace.runs / left, ignore_errors=True)
    run = new_id(account.run_name(number))
    return account.changed(number, run=run, job=account.entries[number].job or new_id("train"))


def _begun(account: Account, number: int, workspace: Workspace) -> Path | None:
    """Return the run of a stage if there is something of it to go on from."""
    name = account.entries[number].run
    run = workspace.runs / name if name else None
    return run if run is not None and (run / "run.json").is_file() else None


def _current(account: Account) -> int:
    return next(number for number, entry in enumerate(account.entries) if not entry.done)


def _demand_same_stages(account: Account, recipe: Recipe) -> None:
    was = [(entry.name, entry.method) for entry in account.entries]
    now = [(stage.name, stage.method.kind) for stage in stages_of(recipe)]
    if was != now:
        raise UsageError(
            "the stages are not those that this job began with",
            where=str(recipe.path),
            cause=f"They were {_listed(was)}; they are {_listed(now)}.",
            cure="Put them back, or begin anew with `temper train`.",
        )


def _listed(stages: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({method})" for name, method in stages) or "none"


def _check_finished(
    run: Path,
    recipe: Recipe,
    accept: Sequence[str],
    known: Sequence[Mapping[str, str]],
    reporter: Reporter,
) -> list[dict[str, str]]:
    """Hold a finished stage against the recipe as it is now: it is not repeated.

    Return the differences that are accepted now, beside those that were before.
    """
    if not (run / "model").is_dir():
        raise UsageError(
            "the run of a finished stage is gone",
            where=str(run),
            cure="Restore it, or begin anew with `temper train`.",
        )
    section = recipe.required("train", TrainSection, command="temper resume")
    if isinstance(section.method, RftSection):  # as its second half is recorded
        section = section.model_copy(update={"method": SftSection()})
    model = recipe.required("model", ModelSection, command="temper resume")
    now = settings_of(section, model)
    before = {(one["name"], one["before"], one["now"]) for one in known}
    every = settings_in_effect(read_record(run)["settings"], now)
    found = [one for one in every if (one.name, one.before, one.now) not in before]
    meant = [one for one in accept if any(is_accepted(diff.name, [one]) for diff in found)]
    return checked(run, found, meant, reporter)
