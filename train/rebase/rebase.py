"""Train the recipe of a run on a new base, evaluate both, and pair the two tuned models."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evalsuite.engine.subjects import common_base, find_subject
from evalsuite.models import ModelSection, resolve_model
from evalsuite.opinions.checks import refuse_opinions
from evalsuite.recipe import EvalSection
from evalsuite.tasks import find_suite, load_suite
from train.inputs import Inputs, find_inputs
from train.rebase.found import Old, new_name, refuse_same_base
from train.record import read_record
from train.reporter import Reporter, Silent
from train.resume import Loader, open_run, resume_train
from train.run import run_train
from train.start import Place
from workspace.errors import DataError, Stopped, UsageError
from workspace.files import write_json
from workspace.jobs import Job, run_job
from workspace.layout import Workspace, new_id
from workspace.recipe import Recipe
from workspace.secrets import redact

if TYPE_CHECKING:
    from evalsuite.crossing import Crossed
    from evalsuite.engine.request import EvalRequest, Watch
    from evalsuite.run import EvalResult
    from evalsuite.tasks import LoadedSuite

_AGAIN = "What is done is kept: the same command goes on from there."
FILE = "rebase.json"


class Device(Protocol):
    """How one GPU is held while a model is trained and all are asked."""

    def __call__(self) -> AbstractContextManager[Any]:
        """Hold it."""


@dataclass(frozen=True)
class Rebased:
    """Both runs measured, and the new one against the old."""

    old: Path
    new: Path
    evaluations: tuple[EvalResult, EvalResult]
    """Of the old tuned model against the old base, and of the new against the new."""
    crossed: Crossed

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `rebase.json`."""
        from dataclasses import asdict

        return {
            "schema_version": 1,
            "old": _side(self.old, self.evaluations[0]),
            "new": _side(self.new, self.evaluations[1]),
            "verdict": asdict(self.crossed.verdict),
        }


def _side(run: Path, evaluation: EvalResult) -> dict[str, Any]:
    verdict = evaluation.results.comparisons[0].verdict
    return {
        "run": run.name,
        "base": read_record(run)["base"],
        "evaluation": evaluation.directory.name,
        "verdict": verdict.status,
        "abilities": {
            one.name: {"base": one.base, "tuned": one.tuned} for one in verdict.abilities
        },
    }


class Rebasing:
    """A run on a new base; what earlier tries finished is kept."""

    def __init__(
        self,
        old: Old,
        recipe: Recipe,
        workspace: Workspace,
        load: Loader,
        suites: Sequence[str] = (),
        overrides: Sequence[str] = (),
    ) -> None:
        """Check what can be checked before anything is trained.

        Args:
            old: the run.
            recipe: of the new one, by `new_recipe`.
            workspace: where both are.
            load: reads a recipe with overrides.
            suites: in place of the recipe's.
            overrides: that were given for the new run.

        Raises:
            UsageError: there is no suite, or the base is the run's own.
            DataError, ModelError: as `train.inputs.find_inputs`; or the old base is gone.
        """
        self.old, self.recipe, self.workspace, self.load = old, recipe, workspace, load
        self.overrides = tuple(overrides)
        model = recipe.required("model", ModelSection, command="temper rebase")
        self.source = resolve_model(model, recipe.base_dir)
        refuse_same_base(old, self.source)
        self.settings = recipe.section("evaluate", EvalSection) or EvalSection()
        self.suites = _suites(recipe, workspace, suites or self.settings.suites)
        self.dtype = model.dtype
        self._request(old.directory).check()
        self.inputs: Inputs = find_inputs(recipe, workspace, command="temper rebase")

    @property
    def mark(self) -> dict[str, Any]:
        """What the new run's record says, by which the same command finds it again."""
        base = {"from": self.old.record["base"]["digest"], "to": self.source.digest}
        return {"run": self.old.directory.name, **base, "overrides": list(self.overrides)}

    def make(
        self, job: Job, reporter: Reporter, watch: Watch, argv: Sequence[str], device: Device
    ) -> Rebased:
        """Train what is not trained, measure both, and write `rebases/<id>/`.

        Raises:
            Stopped: a signal asked for it; the same command goes on from there.
            as `train.run.run_train` and `evalsuite.run.run_evaluation`.
        """
        from evalsuite.crossing import Side, cross
        from evalsuite.run import run_evaluation

        if self._begun(Silent()) is None:  # refused before a GPU is waited for
            self.inputs.prepare(reporter.working)
        command = redact(shlex.join(argv))
        with device():
            run = self._trained(reporter, argv)
            job.events.append("rebased", run=run.name, base=self.source.name)
            job.check_stop(cure=_AGAIN)
            results = [
                run_evaluation(self._request(one, command), self.workspace, watch)
                for one in (self.old.directory, run)
            ]
        sides = [
            Side(result.directory, result.results, f"{one.name} base", one.name)
            for one, result in zip((self.old.directory, run), results, strict=True)
        ]
        place = self.workspace.make(self.workspace.root / "rebases") / new_id(self.recipe.name)
        crossed = cross(sides[0], sides[1], self.suites, place, command=command)
        found = Rebased(self.old.directory, run, (results[0], results[1]), crossed)
        write_json(place / FILE, found.as_dict())
        job.result(place)
        return found

    def _begun(self, reporter: Reporter) -> Path | None:
        """Return the run that an earlier try began, if there is one."""
        for path in sorted(self.workspace.runs.glob("*/run.json"), reverse=True):
            try:
                record = read_record(path.parent)
            except DataError as error:  # not this command's to mend
                reporter.note(f"! {path.parent.name} is passed over: {error.title}")
                continue
            if record.get("rebased") == self.mark:
                return path.parent
        return None

    def _trained(self, reporter: Reporter, argv: Sequence[str]) -> Path:
        """Return the new run: found, resumed, or made."""
        try:
            begun = self._begun(reporter)
            if begun is not None:
                return self._gone_on(begun, read_record(begun), reporter, argv)
            name = new_id(new_name(self.old, self.source))
            with run_job(self.workspace, "train", argv) as job:
                place = Place(name, {"rebased": self.mark})
                return run_train(self.recipe, self.workspace, job, reporter, place=place)
        except Stopped as stop:
            raise Stopped(stop.signal_number, cure=_AGAIN) from stop

    def _gone_on(
        self, run: Path, record: dict[str, Any], reporter: Reporter, argv: Sequence[str]
    ) -> Path:
        if (run / "model").exists():
            reporter.note(f"trained before: {run.name}")
            return run
        try:
            opened = open_run(run, self.workspace, self.load, reporter)
        except UsageError as error:  # `--accept` is an option of `temper resume`
            here = f"temper resume {run.name} --accept"
            if "--accept" in error.cure:
                error.cure = f"{error.cure.replace('--accept', here, 1)} Then this command again."
            raise
        with run_job(self.workspace, "train", argv, job_id=str(record["job"])) as job:
            return resume_train(opened, job, reporter)

    def _request(self, run: Path, command: str = "temper rebase") -> EvalRequest:
        from evalsuite.engine.request import EvalRequest

        subject = find_subject(str(run), self.workspace)
        return EvalRequest(
            name=self.recipe.name,
            base=common_base([subject]),
            subjects=(subject,),
            suites=self.suites,
            # Looks end at other items for each model, and the two tuned ones are to be paired.
            settings=self.settings.model_copy(update={"sizing": None}),
            dtype=self.dtype,
            command=command,
        )


def _suites(recipe: Recipe, workspace: Workspace, names: Sequence[str]) -> tuple[LoadedSuite, ...]:
    if not names:
        raise UsageError(
            "there is no suite to compare the two by",
            where=f"{recipe.path}: evaluate.suites",
            cause="The recipe that the run was trained with names none.",
            cure="Name one with --suite, such as --suite builtin:retention.",
        )
    suites = tuple(load_suite(find_suite(name, workspace)) for name in names)
    refuse_opinions(suites, "the comparison of two bases")
    return suites
