"""Trains every group on one loaded base: each is a run of its own, the whole is a run of runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train import record as records
from train.each.groups import Group, Groups, Rows, find_groups
from train.each.plan import group_inputs, naming, plan_groups
from train.finishing import finish_published
from train.inputs import Inputs, find_inputs
from train.plan.settings import threads
from train.recipe import TrainSection
from train.reporter import Reporter
from train.resume import (
    Difference,
    Loader,
    checked,
    data_differences,
    environment_differences,
    open_run,
    probe_differences,
    recorded_recipe,
    resume_train,
    settings_in_effect,
)
from train.run import begin_run, load_planned_base
from train.run_files import ENVIRONMENT
from train.start import Place
from workspace.claims import claim
from workspace.errors import Stopped, UsageError
from workspace.files import hash_file, read_json, write_json, write_text
from workspace.jobs import Job, run_job
from workspace.layout import Workspace, new_id
from workspace.recipe import Recipe
from workspace.text import plain
from workspace.waiting import JobWaiter
from workspace.yaml import scalar

if TYPE_CHECKING:
    from train.each.base import SharedBase

_NAME_LENGTH = 28
"""Of the recipe's name in a group's: with the group it may have 63 characters."""


def run_each(
    recipe: Recipe,
    workspace: Workspace,
    job: Job,
    load: Loader,
    reporter: Reporter,
    *,
    name: str | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Train one adapter for each group and return the directory of the whole.

    Args:
        recipe: whose `train.each` names the column.
        workspace: where `runs/` is.
        job: the running job, of the whole; every group's run has one of its own.
        load: reads a recipe with overrides, checked against the whole schema.
        reporter: is told what happens.
        name: of the whole; the recipe's name if left out.
        overrides: `--set` values in the recipe.

    Raises:
        DataError: as `train.each.groups.find_groups`.
        Stopped: a signal asked for it; `temper resume` goes on in the same group.
        as `train.run.run_train`, with the group in its place.
    """
    inputs = find_inputs(recipe, workspace)
    whole = plan_groups(inputs, reporter.working)
    job.check_stop(cure="Nothing was begun: the same command begins anew.")
    title = name or recipe.name
    run = workspace.make(workspace.runs) / new_id(title)
    run.mkdir(mode=0o700)
    ids = [new_id(f"{title[:_NAME_LENGTH].rstrip('.-_')}-{one.slug}") for one in whole.groups.kept]
    write_text(run / "recipe.yaml", recipe.to_yaml())
    write_json(run / "plan.json", whole.as_dict())
    record = _record(run, inputs, job, whole.groups, ids, whole.steps, overrides)
    records.add_attempt(run, record, job, from_step=0, accepted=[])
    job.result(run)
    return _Maker(run, record, inputs, workspace, job, load, reporter).make(whole.groups)


@dataclass(frozen=True)
class EachResumption:
    """A whole that may go on."""

    run: Path
    inputs: Inputs
    groups: Groups
    record: dict[str, Any]
    accept: Sequence[str]
    """Names of differences to go on with."""
    accepted: list[dict[str, str]]
    """Those that were found."""


def open_each(
    run: Path, workspace: Workspace, load: Loader, reporter: Reporter, *, accept: Sequence[str] = ()
) -> EachResumption:
    """Check that a whole may go on; changes nothing.

    Args:
        run: the directory of the whole.
        workspace: where it is.
        load: reads a recipe with overrides.
        reporter: is told what has changed.
        accept: names of differences to go on with.

    Raises:
        UsageError: all groups are finished, or something is different and not accepted.
    """
    record = records.read_record(run)
    if all((workspace.runs / one["run"] / "model").exists() for one in record["groups"]):
        raise UsageError(
            "all groups of this run are finished",
            where=str(run),
            cure=f"Evaluate them with `temper eval {run.name}`, or train again.",
        )
    recipe = recorded_recipe(run, record, load, reporter)
    inputs = find_inputs(recipe, workspace, command="temper resume")
    if inputs.section.each is None:
        raise UsageError(
            "this run is one for each group, and the recipe asks for one of all rows",
            where=f"{recipe.path}: train.each",
            cause=f"It was begun with `each: {record['each']['column']}`.",
            cure="Put train.each back, or train again with `temper train`.",
        )
    accepted = checked(run, list(_differences(record, inputs, workspace)), accept, reporter)
    groups = find_groups(inputs.dataset, inputs.section.each)
    known = [one["value"] for one in record["groups"]]
    if [one.value for one in groups.kept] != known:
        raise UsageError(
            "the groups are not those that this run began with",
            where=str(run),
            cause=f"There were {len(known)}, and there are {len(groups.kept)}, or others.",
            cure="Restore the dataset and train.each, or train again.",
        )
    return EachResumption(run, inputs, groups, record, accept, accepted)


def _differences(
    record: Mapping[str, Any], inputs: Inputs, workspace: Workspace
) -> Iterator[Difference]:
    """Yield what is not as when the whole began; of the machine, as when a group last did."""
    yield from settings_in_effect(record["settings"], records.compared_settings(inputs))
    yield from data_differences(record["sources"], _sources(inputs))
    base = record["base"]["digest"]
    if base != inputs.source.digest:
        yield Difference("model", base[:12], inputs.source.digest[:12], True)
    taught, teaches = record.get("teacher"), inputs.teacher
    if taught and teaches and taught["digest"] != teaches.digest:
        yield Difference("teacher", taught["digest"][:12], teaches.digest[:12], True)
    yield from probe_differences(record, inputs)
    for one in reversed(record["groups"]):
        run = workspace.runs / str(one["run"])
        if (run / ENVIRONMENT).is_file():
            planned = int(threads(inputs.section, inputs.facts).value)
            yield from environment_differences(run, inputs, planned)
            return


def resume_each(
    opened: EachResumption, workspace: Workspace, job: Job, load: Loader, reporter: Reporter
) -> Path:
    """Go on with the group that was being trained, and those after it; finished ones are kept.

    Args:
        opened: by `open_each`.
        workspace: where it is.
        job: its job, tried again.
        load: reads a recipe with overrides.
        reporter: is told what happens.

    Raises:
        as `run_each`.
    """
    run, record = opened.run, opened.record
    if opened.accepted:
        record |= _compared(opened.inputs)
    records.add_attempt(run, record, job, from_step=0, accepted=opened.accepted)
    job.result(run)
    maker = _Maker(run, record, opened.inputs, workspace, job, load, reporter, opened.accept)
    return maker.make(opened.groups)


def _record(
    run: Path,
    inputs: Inputs,
    job: Job,
    groups: Groups,
    ids: Sequence[str],
    steps: int,
    overrides: Sequence[str],
) -> dict[str, Any]:
    return {
        **records.what_runs(run, inputs, job, overrides),
        "steps": steps,
        "each": groups.as_dict(),
        "groups": [
            {"value": group.value, "rows": group.rows, "run": one}
            for group, one in zip(groups.kept, ids, strict=True)
        ],
        "attempts": [],
        **_compared(inputs),
    }


def _compared(inputs: Inputs) -> dict[str, Any]:
    """Return the fields of the record that a resumed whole is held against."""
    return {
        "base": inputs.source.as_record(),
        "dataset": str(inputs.dataset),
        "sources": _sources(inputs),
        "probe": inputs.probe.sources if inputs.probe else {},
        **({"teacher": inputs.teacher.as_record()} if inputs.teacher else {}),
        "settings": records.compared_settings(inputs),
    }


def _sources(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the datasets of the whole, as a plan tells them of one run."""
    import pyarrow.parquet as pq

    return [
        {
            "role": role,
            "path": str(place),
            "rows": int(pq.read_metadata(place / "train.parquet").num_rows),
            "digest": hash_file(place / "train.parquet"),
        }
        for role, place in (("train", inputs.dataset), ("replay", inputs.replay))
        if place is not None
    ]


class _Maker:
    """Makes the runs of all groups that are not there yet."""

    def __init__(
        self,
        run: Path,
        record: Mapping[str, Any],
        inputs: Inputs,
        workspace: Workspace,
        job: Job,
        load: Loader,
        reporter: Reporter,
        accept: Sequence[str] = (),
    ) -> None:
        self.run, self.record, self.inputs, self.workspace = run, record, inputs, workspace
        self.job, self.load, self.reporter, self.accept = job, load, reporter, accept
        self.cure = f"Continue with: temper resume {run.name}"

    def make(self, groups: Groups) -> Path:
        """Train what is missing and return the whole's directory."""
        for text in _left_out(groups):
            self.reporter.note(text)
        self._write(groups)
        with claim(waiter=JobWaiter(self.job, self.reporter.note, self.cure)):
            from train.each.base import SharedBase  # imports torch, to which the GPU is told first

            base = SharedBase(load_planned_base)
            for number, group in enumerate(groups.kept):
                with naming(group.value):
                    self._group(number, group, base)
            base.check()
        write_json(self.run / "base.json", {"schema_version": 1, "loads": base.loads})
        self.job.events.append("base", loads=base.loads, lent=base.lent)
        return self.run

    def _write(self, groups: Groups) -> None:
        """Write the rows of every group that is still to be trained, the whole's read once."""
        rows = Rows(self.inputs.dataset)
        for entry, group in zip(self.record["groups"], groups.kept, strict=True):
            if not (self.workspace.runs / str(entry["run"]) / "model").exists():
                rows.write(group, self._rows_of(group))

    def _recipe_of(self, data: Path) -> tuple[Recipe, list[str]]:
        """Return the recipe of a group's run, and its overrides; the whole's copy if it is gone."""
        path = Path(self.record["recipe"])
        overrides = group_overrides(self.record["overrides"], data)
        if path.is_file():
            return self.load(path, overrides), overrides
        copy = self.load(self.run / "recipe.yaml", group_overrides((), data))
        return replace(copy, path=path, name=self.inputs.recipe.name), overrides

    def _rows_of(self, group: Group) -> Path:
        return self.run / "groups" / group.slug

    def _group(self, number: int, group: Group, base: SharedBase) -> None:
        entry = self.record["groups"][number]
        place = self.workspace.runs / str(entry["run"])
        told = f"group {number + 1} of {len(self.record['groups'])}, {plain(group.value, 60)!r}"
        if (place / "model").exists():
            finish_published(place, self.workspace)
            self.reporter.note(f"{told}: trained before, {place.name}")
            return
        self.job.check_stop(cure=self.cure)
        self.reporter.note(f"{told}: {group.rows:,} rows, {place.name}")
        self.job.events.append("group", number=number + 1, value=group.value, run=place.name)
        try:
            self._train(group, place, base)
        except Stopped as stop:
            raise Stopped(stop.signal_number, cure=self.cure) from stop

    def _train(self, group: Group, place: Path, base: SharedBase) -> None:
        argv = ["temper", "resume", self.run.name]
        if (place / records.FILE).exists():
            opened = open_run(place, self.workspace, self.load, self.reporter, accept=self.accept)
            job_id = str(opened.record["job"])
            with run_job(self.workspace, "train", argv, job_id=job_id) as job:
                resume_train(opened, job, self.reporter, load_base=base.lend)
            return
        if place.exists():  # killed between its directory and its record: nothing was computed
            shutil.rmtree(place)
        data = self._rows_of(group)
        recipe, overrides = self._recipe_of(data)
        inputs = replace(group_inputs(self.inputs, data), recipe=recipe)
        section = recipe.required("train", TrainSection, command="temper train")
        inputs = replace(inputs, section=section)
        column = str(self.record["each"]["column"])
        of = {"value": group.value, "column": column, "of": self.run.name}
        job_id = new_id(f"train-{group.slug}")  # many may begin within a second
        with run_job(self.workspace, "train", argv, job_id=job_id) as job:
            begin_run(
                inputs,
                self.workspace,
                job,
                self.reporter,
                Place(place.name, {"group": of}),
                overrides=overrides,
                load_base=base.lend,
            )


def group_overrides(given: Sequence[str], data: Path) -> list[str]:
    """Return the overrides that make the run of one group of a recipe for all.

    Args:
        given: for the whole.
        data: the group's rows.
    """
    return [*given, "train.each=null", f"train.dataset={scalar(str(data))}"]


def _left_out(groups: Groups) -> list[str]:
    out = []
    if groups.small:
        rows = sum(one.rows for one in groups.small)
        out.append(f"! {len(groups.small):,} groups are too small: {rows:,} rows are not learnt")
    if groups.without:
        out.append(f"! {len(groups.without):,} rows have no {groups.column} and are not learnt")
    return out


def is_whole(run: Path) -> bool:
    """Whether a run is one of `train.each`: of runs, without a model of its own."""
    return "groups" in read_json(run / records.FILE, kind="run record")
