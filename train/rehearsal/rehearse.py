"""Rehearse the longest batch; find the rows at once that fit; compare with the plan."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from train.device_memory import is_out_of_memory, release
from train.environment import Device
from train.inputs import Inputs
from train.plan import Prepared
from train.plan.micro_batch import smaller_micro_batch, with_micro_batch
from train.recipe import TrainSection
from train.rehearsal import known
from train.rehearsal.batch import Batch, longest_batch
from train.rehearsal.record import Measured, Rehearsal, reused
from train.reinforcement_sections import JudgeReward, RewardedSection
from train.reporter import Reporter
from workspace.errors import DiskFullError, LimitExceeded, TemperError, WorkError
from workspace.jobs import Job

DIRECTORY = ".rehearsal-"
"""How the directory begins that a rehearsal uses and removes; a kill may leave one."""


@dataclass(frozen=True)
class Stage:
    """Where a rehearsal takes place."""

    run: Path
    inputs: Inputs
    job: Job
    reporter: Reporter
    device: Device
    perform: Callable[[Batch, Path], Measured]
    """Loads the model, trains it on the batch and throws it away."""


def rehearse(stage: Stage, prepared: Prepared) -> tuple[Prepared, Rehearsal]:
    """Rehearse unless it was done before, and return the plan with the rows at once that fit.

    The model that is rehearsed with is thrown away and loaded anew, so that weights, optimiser and
    random numbers of the run are what they would have been.

    Raises:
        WorkError: the longest batch fits in no way, or a library failed on it.
        LimitExceeded: its loss is not finite.
        DiskFullError: the run's checkpoints would not fit on the disk.
        Stopped: a signal asked for it.
    """
    section = stage.inputs.section
    reason = _why_not(section)
    if reason:
        size = int(prepared.plan["micro_batch_size"])
        found = Rehearsal("off", reason, stage.device.device, size)
        return prepared, _told(stage, found)
    cache = stage.inputs.recipe.workspace.cache / "rehearsals"
    tried: list[int] = []
    first = known.key_of(longest_batch(prepared), stage.device)
    while True:
        batch = longest_batch(prepared)
        key = known.key_of(batch, stage.device)
        before = known.find(cache, key) if section.rehearsal == "auto" else None
        if before is not None:
            reason = "the same model, adapter, batch and machine were rehearsed before"
            found = _compared(stage, prepared, batch, reused(before, reason))
            break
        measured = _performed(stage, batch)
        if measured is not None:
            device, size = stage.device.device, int(prepared.plan["micro_batch_size"])
            found = Rehearsal("done", "", device, size, tuple(tried), measured)
            found = _compared(stage, prepared, batch, found)
            break
        tried.append(int(prepared.plan["micro_batch_size"]))
        prepared = _halved(stage, prepared)
    if found.state == "done":
        for one in {first, key}:
            known.keep(cache, one, found)
    size = found.micro_batch_size
    prepared = with_micro_batch(prepared, size, f"{size} fit when rehearsed")
    _told(stage, found)
    _check_disk(stage, found)
    return prepared, found


def _why_not(section: TrainSection) -> str:
    """Return why nothing is rehearsed; empty if it is."""
    if section.rehearsal == "off":
        return "train.rehearsal: off"
    rewards = section.method.rewards if isinstance(section.method, RewardedSection) else ()
    if section.rehearsal == "auto" and any(isinstance(one, JudgeReward) for one in rewards):
        return "a judge is paid for every answer, also for those of a rehearsal"
    return ""


def _performed(stage: Stage, batch: Batch) -> Measured | None:
    """Return what a batch took, or None if there was too little memory."""
    directory = Path(tempfile.mkdtemp(dir=stage.run, prefix=DIRECTORY))
    measured = None
    try:
        measured = stage.perform(batch, directory)
    except LimitExceeded as error:
        raise LimitExceeded(
            f"the rehearsal failed: {error.title}",
            where="the longest batch, before the first step",
            cause=error.cause,
            cure=error.cure,
        ) from error
    except Exception as error:
        if isinstance(error, TemperError):
            raise
        if not is_out_of_memory(error):
            logging.getLogger("temper").exception("the rehearsal failed")
            raise WorkError(
                "the rehearsal failed before the first step",
                where=str(stage.run),
                cause=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                cure="The log has the whole error. `--set train.rehearsal=off` tries without; it "
                "would most likely fail at the longest batch.",
            ) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    release()  # after the error that refers to the model is gone
    stage.job.check_stop(cure="Nothing was learnt yet: the same command begins anew.")
    return measured


def _halved(stage: Stage, prepared: Prepared) -> Prepared:
    before, size = int(prepared.plan["micro_batch_size"]), smaller_micro_batch(prepared)
    if size is None:
        raise WorkError(
            "the longest batch does not fit into memory",
            where=f"rehearsal, {before} rows at once",
            cause=f"Its longest row has {longest_batch(prepared).longest:,} tokens, and fewer rows "
            "at once are not possible.",
            cure="Lower train.max_length, use train.adapter.kind: qlora, or a GPU with more memory "
            "(`temper plan` compares them).",
        )
    stage.job.events.append(
        "out of memory", step=0, micro_batch_size=before, smaller=size, rehearsed=True
    )
    stage.reporter.note(f"! {before} rows at once do not fit: {size} are tried, same batch size")
    return with_micro_batch(prepared, size, f"{before} did not fit when rehearsed")


def _compared(stage: Stage, prepared: Prepared, batch: Batch, found: Rehearsal) -> Rehearsal:
    """Return a rehearsal with the plan's numbers beside it."""
    from train.planning import estimate_recipe

    measured = found.measured
    assert measured is not None
    memory: int | None = None
    seconds: tuple[float, ...] = ()
    try:
        estimate = estimate_recipe(stage.inputs.recipe, prepared)
        way = next(one for one in estimate.question.ways if one.name == estimate.question.chosen)
        taken = estimate.planned(way)
        memory = taken.total - taken.context - taken.fragmentation
        hours = [one.hours for one in estimate.cells if one.gpu.is_here and one.way == way.name]
        if stage.device.device != "cpu" and hours and hours[0]:
            seconds = (3600 * hours[0].low, 3600 * hours[0].high)
    except TemperError as error:
        stage.reporter.note(f"no estimate to compare the rehearsal with: {error.title}")
    kept = (stage.inputs.section.keep_checkpoints + 1) * measured.checkpoint_bytes
    return replace(
        found,
        estimate_bytes=memory,
        estimate_seconds=seconds,
        run_seconds=prepared.plan.steps * measured.mean_step_seconds,
        disk_needed_bytes=kept + _model_bytes(prepared),
        disk_free_bytes=shutil.disk_usage(stage.run).free,
    )


def _model_bytes(prepared: Prepared) -> int:
    return 4 * prepared.plan.trainable_parameters


def _told(stage: Stage, found: Rehearsal) -> Rehearsal:
    found.write(stage.run)
    stage.job.events.append("rehearsal", **found.as_dict())
    for line in found.lines():
        stage.reporter.note(line)
    return found


def _check_disk(stage: Stage, found: Rehearsal) -> None:
    needed, free = found.disk_needed_bytes, found.disk_free_bytes
    if needed is None or free is None or needed <= free:
        return
    raise DiskFullError(
        "the disk is too full for this run",
        where=str(stage.run),
        cause=f"Its checkpoints and model need {needed:,} bytes, and {free:,} are free.",
        cure="Free some space, lower train.keep_checkpoints, or train an adapter; then "
        f"`temper resume {stage.run.name}`.",
    )


def unfinished(run: Path) -> list[Path]:
    """Return what a rehearsal that was killed has left in a run's directory."""
    return list(run.glob(f"{DIRECTORY}*"))
