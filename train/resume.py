"""`temper resume RUN`: go on exactly where a run was, or say what is different.

A run continues bit for bit on a CPU if data, model, recipe, versions and threads are what they
were. Anything else is a difference: it is shown, and stops the command unless a person accepts it
by name, which is recorded in `run.json`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from train import record as records
from train.checkpoints import CheckpointStore, Rejected
from train.environment import PACKAGES, expected_device, versions
from train.inputs import Inputs, find_inputs
from train.plan import Prepared
from train.plan.micro_batch import with_micro_batch
from train.rehearsal.rehearse import unfinished
from train.reporter import Reporter, Silent
from train.run import LoadBase, attempt_run, enter_second_stage
from train.run_files import write_run_files
from train.sampling.stage import kept_inputs
from train.stages.recipes import own_recipe
from train.start import Start
from workspace.claims import likely
from workspace.errors import DataError, UsageError
from workspace.files import read_json
from workspace.jobs import Job
from workspace.layout import Workspace
from workspace.recipe import Recipe

Loader = Callable[[Path, Sequence[str]], Recipe]

_HARMLESS = (
    "train.checkpoint_every",
    "train.keep_checkpoints",
    "train.limits",
    "train.rehearsal",
    "train.alarms",
    "train.trackers",
    "train.method.alarms",
    "train.method.samples_every",
)
_SEEN_IN_EFFECT = ("train.threads",)
"""Settings that are compared by what they come to."""
_BEFORE_THEY_WERE = {"vision": "frozen"}
"""What settings of `train` were, in effect, for runs begun before they could be set."""
_MICRO = "train.micro_batch_size"
"""More or fewer rows at once give the same gradients, but where a loss mixes rows."""
_LOSS = "loss"
"""What `--accept` calls losses that are not those of the record."""
_EXPLAINS_ROWS = ("data", "replay", "model", "train", "levers")
"""Differences that change the order of rows or their tokens by themselves."""
_PARTS_OF_A_VERSION = {"python": 2}
"""How much of a version counts: Python 3.11.4 and 3.11.9 compute the same."""


@dataclass(frozen=True)
class Difference:
    """Something that is not what it was when the run began."""

    name: str
    """What `--accept` calls it."""
    before: str
    now: str
    stops: bool
    """False for what changes no step: records, checkpoints."""

    def __str__(self) -> str:
        return f"{self.name}: was {self.before}, is {self.now}"


@dataclass(frozen=True)
class Resumption:
    """A run that may go on: what it reads, its plan, and what a person accepted."""

    run: Path
    record: dict[str, Any]
    inputs: Inputs
    prepared: Prepared
    accepted: Sequence[dict[str, str]]


def open_run(
    run: Path,
    workspace: Workspace,
    load: Loader,
    reporter: Reporter | None = None,
    *,
    accept: Sequence[str] = (),
) -> Resumption:
    """Check that a run may go on; changes nothing, its job's state included.

    Args:
        run: the run's directory.
        workspace: where the run is.
        load: reads a recipe with overrides, checked against the whole schema.
        reporter: is told what has changed.
        accept: names of differences to go on with; `train` covers `train.seed` and the like.

    Raises:
        UsageError: the run is finished, or something is different and not accepted.
    """
    reporter = reporter or Silent()
    record = records.read_record(run)
    if (run / "model").exists():
        raise UsageError(
            "this run is finished",
            where=str(run),
            cure=f"Evaluate it with `temper eval {run.name}`, or train again.",
        )
    recipe = recorded_recipe(run, record, load, reporter)
    first = find_inputs(recipe, workspace, command="temper resume", begun=run)
    second = kept_inputs(run, first)
    inputs = second or first
    named = [one for one in accept if one != _LOSS]
    early: list[dict[str, str]] = []
    between = second is not None and record["dataset"] != str(inputs.dataset)
    if between:  # killed between the stages: the first is held against its record
        before = differences(run, record, first, first.prepare(reporter.working))
        early = checked(run, list(before), named, reporter)
    prepared = inputs.prepare(reporter.working)
    if between:
        enter_second_stage(run, inputs, prepared)
        record = records.read_record(run)
    prepared = _split_as_recorded(record, inputs, prepared)
    found = list(differences(run, record, inputs, prepared))
    accepted = early + checked(run, found, [] if between else named, reporter)
    if _LOSS in accept:
        reporter.note("the first losses are not held against the record: accepted")
        accepted.append({"name": _LOSS, "before": "as recorded", "now": "not compared"})
    reporter.planned(prepared)
    return Resumption(run, record, inputs, prepared, accepted)


def resume_train(
    opened: Resumption,
    job: Job,
    reporter: Reporter | None = None,
    *,
    load_base: LoadBase | None = None,
) -> Path:
    """Continue a run from its newest whole checkpoint and return its directory.

    Args:
        opened: by `open_run`.
        job: the run's own job, tried again.
        reporter: is told what happens.
        load_base: returns the model to begin with; None loads it.

    Raises:
        as `train.run.run_train`.
    """
    reporter = reporter or Silent()
    run, record, inputs, prepared = opened.run, opened.record, opened.inputs, opened.prepared
    # a crash while the model was written, or while rehearsing
    for left in [*run.glob(".model.tmp-*"), *unfinished(run)]:
        shutil.rmtree(left, ignore_errors=True)
    store = CheckpointStore(run / "checkpoints", keep=inputs.section.keep_checkpoints)
    checkpoint = store.newest(lambda rejected: _tell_rejected(rejected, job, reporter))
    start = Start(checkpoint)
    before = read_json(run / "plan.json", kind="plan")
    changed = opened.accepted or before["digest"] != prepared.plan.digest
    # steps that are done again, from an older checkpoint, are so with the rows at once of now
    if changed or any(one["after_step"] > start.step for one in record.get("micro_batches", [])):
        split = before["settings"]["micro_batch_size"]["value"]
        if opened.accepted or split != prepared.plan["micro_batch_size"]:
            job.events.append("replanned", accepted=[one["name"] for one in opened.accepted])
        write_run_files(run, inputs, prepared, done=start.step)
        record["settings"] = records.compared_settings(inputs)
        record["base"] = inputs.source.as_record()
        record["steps"] = prepared.plan.steps
        record["probe"] = inputs.probe.sources if inputs.probe else {}
    record.pop("published", None)  # by an attempt that was killed before it had published it
    records.add_attempt(run, record, job, from_step=start.step, accepted=list(opened.accepted))
    job.result(run)
    reporter.note(
        f"continuing at step {start.step} of {prepared.plan.steps} (attempt {job.attempt})"
        if checkpoint
        else f"no whole checkpoint: beginning at step 0 again (attempt {job.attempt})"
    )
    return attempt_run(run, inputs, prepared, job, reporter, start, load_base=load_base)


def _split_as_recorded(record: Mapping[str, Any], inputs: Inputs, prepared: Prepared) -> Prepared:
    """Return the plan with the rows at once that the run came down to.

    Unless the recipe has come to ask for another number: then that is meant.
    """
    changes = record.get("micro_batches", [])
    asked = record["settings"]["train"].get("micro_batch_size")
    if not changes or asked != inputs.section.micro_batch_size:
        return prepared
    size = int(changes[-1]["now"])
    packed = prepared.schedule.packs is not None
    if (prepared.schedule.most_sequences if packed else prepared.plan.batch_size) % size:
        return prepared
    return with_micro_batch(prepared, size, changes[-1]["reason"])


def recorded_recipe(
    run: Path, record: Mapping[str, Any], load: Loader, reporter: Reporter
) -> Recipe:
    """Return the recipe as it is now, or the copy in the run if its file is gone.

    Of a run on a new base there is no other than its own copy.
    """
    path = Path(record["recipe"])
    is_rebased = "rebased" in record
    if path.is_file() and not is_rebased:
        return own_recipe(load(path, record["overrides"]), run, record)
    if not is_rebased:
        reporter.note(f"{path} is gone: the run's own copy of the recipe is used")
    recipe = load(run / "recipe.yaml", ())
    return replace(recipe, path=path, name=str(recipe.name))


def _tell_rejected(rejected: Rejected, job: Job, reporter: Reporter) -> None:
    job.events.append(
        "alarm", alarm="checkpoint rejected", what=f"{rejected.name}: {rejected.reason}"
    )
    reporter.note(f"checkpoint {rejected.name} is not used: {rejected.reason}")


def differences(
    run: Path, record: Mapping[str, Any], inputs: Inputs, prepared: Prepared
) -> Iterator[Difference]:
    """Yield what is not as it was when the run began.

    Raises:
        DataError: the run's own files are missing or damaged.
    """
    before = read_json(run / "plan.json", kind="plan")
    plan = prepared.plan
    if before["model_digest"] != plan.model_digest:
        was = f"{record['base']['name']} {before['model_digest'][:12]}"
        now = f"{inputs.source.name} {plan.model_digest[:12]}"
        yield Difference("model", was, now, True)
    taught, teaches = before["settings"].get("teacher"), plan.settings.get("teacher")
    if taught and teaches and taught["value"] != teaches.value:
        yield Difference("teacher", str(taught["value"]), str(teaches.value), True)
    yield from data_differences(before["sources"], [vars(source) for source in plan.sources])
    yield from probe_differences(record, inputs)
    yield from settings_in_effect(record["settings"], records.compared_settings(inputs))
    yield from environment_differences(run, inputs, plan["threads"])
    for name, lever in plan.levers.items():  # `auto` may choose otherwise on another machine
        chosen = before.get("levers", {}).get(name)
        if chosen and chosen["value"] != lever.value and lever.reason != "recipe":
            yield Difference(f"levers.{name}", str(chosen["value"]), str(lever.value), True)
    split = with_micro_batch(prepared, int(before["settings"]["micro_batch_size"]["value"]), "")
    if before["schedule_digest"] != split.plan.schedule_digest:
        was, now = before["schedule_digest"][:12], split.plan.schedule_digest[:12]
        yield Difference("rows", f"order and tokens {was}", now, True)


def settings_in_effect(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the settings that differ, but those that are compared by what they come to.

    Args:
        was: as recorded, by `train.record.settings_of`.
        now: of the recipe as it is.
    """
    train = {**_BEFORE_THEY_WERE, **was["train"]}
    for one in setting_differences({**was, "train": train}, now):
        if one.name == _MICRO and not _mixes_rows(now):
            one = replace(one, stops=False)
        if one.name not in _SEEN_IN_EFFECT:
            yield one


def _mixes_rows(settings: Mapping[str, Any]) -> bool:
    """Whether the loss of a row depends on those beside it in its micro-batch."""
    return bool(settings["train"]["method"]["kind"] == "kto")


def data_differences(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Yield the sources of rows, each with role, path, rows and digest, that are others now."""
    was = {str(source["role"]): source for source in before}
    now = {str(source["role"]): source for source in after}
    for role in sorted({*was, *now}):
        if role not in was or role not in now:
            yield Difference(
                "replay",
                was[role]["path"] if role in was else "none",
                now[role]["path"] if role in now else "none",
                True,
            )
        elif was[role]["digest"] != now[role]["digest"]:
            name = "data" if role == "train" else role
            yield Difference(name, _rows(was[role]), _rows(now[role]), True)


def _rows(source: Mapping[str, Any]) -> str:
    return f"{source['path']} ({source['rows']:,} rows, {source['digest'][:12]})"


def probe_differences(record: Mapping[str, Any], inputs: Inputs) -> Iterator[Difference]:
    """Yield the probe's suites that have another content; others are seen in the settings."""
    was, now = record.get("probe") or {}, inputs.probe.sources if inputs.probe else {}
    for name in sorted({*was} & {*now}):
        if was[name] != now[name]:
            yield Difference(f"probe.{name}", was[name][:12], now[name][:12], True)


def setting_differences(was: Any, now: Any, key: str = "") -> Iterator[Difference]:
    """Yield the settings that differ, with their dotted keys."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted({*was, *now}):
            inner = f"{key}.{name}" if key else name
            yield from setting_differences(was.get(name), now.get(name), inner)
    elif was != now:
        harmless = any(key == one or key.startswith(f"{one}.") for one in _HARMLESS)
        yield Difference(key, _shown(was), _shown(now), not harmless)


def _shown(value: Any) -> str:
    return "left out" if value is None else str(value)


def environment_differences(run: Path, inputs: Inputs, threads: int) -> Iterator[Difference]:
    """Yield versions, device, precision and CPU threads that are others than a run's own.

    Raises:
        DataError: its `env.json` is damaged.
    """
    try:
        was = read_json(run / "env.json", kind="environment record")
    except DataError:
        if (run / "env.json").exists():
            raise
        return  # stopped before torch was loaded: nothing was computed with any of it
    yield from _version_differences(was["versions"])
    device, precision = expected_device(likely(), precision=inputs.section.precision)
    now = {"device": device, "precision": precision, "threads": threads}
    for name, value in now.items():
        if str(was[name]) != str(value):
            yield Difference(name, str(was[name]), str(value), True)


def _version_differences(was: Mapping[str, Any]) -> Iterator[Difference]:
    now = versions()
    for name in ("python", *PACKAGES):
        before, after = str(was.get(name)), str(now[name])
        if _counted(name, before) != _counted(name, after):
            yield Difference(f"versions.{name}", before, after, True)


def _counted(name: str, version: str) -> str:
    parts = _PARTS_OF_A_VERSION.get(name)
    return ".".join(version.split(".")[:parts]) if parts else version


def checked(
    run: Path, found: Sequence[Difference], accept: Sequence[str], reporter: Reporter
) -> list[dict[str, str]]:
    """Return the accepted differences; stop on the others.

    Args:
        run: the run's directory.
        found: what is not as it was.
        accept: names to go on with.
        reporter: is told each difference.

    Raises:
        UsageError: a difference that stops and is not accepted; all are listed.
    """
    stopping = [one for one in found if one.stops]
    # New rows or settings change the order of rows: accepting those accepts it.
    if any(is_accepted(one.name, _EXPLAINS_ROWS) for one in stopping):
        stopping = [one for one in stopping if one.name != "rows"]
    accepted = [one for one in stopping if is_accepted(one.name, accept)]
    refused = [one for one in stopping if one not in accepted]
    for one in found:
        if not one.stops:
            reporter.note(f"changed, without effect on the steps: {one}")
    for one in accepted:
        reporter.note(f"changed and accepted: {one}")
    for name in accept:
        if not any(is_accepted(one.name, [name]) for one in stopping):
            reporter.note(f"--accept {name}: nothing of that name has changed")
    if refused:
        raise UsageError(
            f"{len(refused)} thing{'s are' if len(refused) > 1 else ' is'} not as when this run "
            "began",
            where=str(run),
            cause="\n".join(str(one) for one in refused),
            cure="Restore it, or go on with "
            + " ".join(f"--accept {one.name}" for one in refused)
            + " (recorded in run.json; the loss will not be that of an uninterrupted run).",
        )
    return [{"name": one.name, "before": one.before, "now": one.now} for one in accepted]


def is_accepted(name: str, accept: Sequence[str]) -> bool:
    """Tell whether one of `accept` is a difference's name, or what it is part of."""
    return any(name == one or name.startswith(f"{one}.") for one in accept)
