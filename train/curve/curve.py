"""Train on parts of the rows, measure all on the target suites, and look at twice the rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from train.beginning import resolved_name
from train.curve.outlook import Outlook, outlook
from train.curve.subsets import write_subset
from train.inputs import Inputs, find_inputs
from train.recipe import TrainSection
from train.record import compared_settings
from train.reporter import Reporter
from workspace.claims import claim
from workspace.errors import EvaluationInvalid, Stopped, UsageError
from workspace.files import write_json
from workspace.jobs import Job, run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe
from workspace.waiting import JobWaiter
from workspace.yaml import scalar

if TYPE_CHECKING:
    from evalsuite.engine.request import EvalRequest, Watch
    from evalsuite.report import ComparisonRecord
    from evalsuite.tasks import LoadedSuite

SHARES = (0.1, 0.3, 1.0)
Loader = Callable[[Path, Sequence[str]], Recipe]


@dataclass(frozen=True)
class Point:
    """One run on the curve, on one ability."""

    share: float
    rows: int
    steps: int
    run: str
    score: float
    low: float
    high: float
    """Ends of the 95 % interval over items."""


@dataclass(frozen=True)
class AbilityCurve:
    """Points and outlook of one target ability."""

    ability: str
    items: int
    points: Sequence[Point]
    outlook: Outlook


@dataclass(frozen=True)
class Curve:
    """A finished learning curve, saved as `curve.json`."""

    directory: Path
    steps_rule: str
    evaluation: str
    abilities: Sequence[AbilityCurve]

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `curve.json`."""
        return {
            "schema_version": 1,
            "steps_rule": self.steps_rule,
            "evaluation": self.evaluation,
            "abilities": [asdict(one) for one in self.abilities],
        }


@dataclass(frozen=True)
class Part:
    """One run to make."""

    share: float
    rows: int
    name: str
    """Of the run; it has the curve's digest, so that the same command finds it again."""
    overrides: tuple[str, ...]


class CurveMaker:
    """Makes the curve of a recipe; what earlier tries finished is kept."""

    def __init__(
        self, recipe: Recipe, workspace: Workspace, load: Loader, overrides: Sequence[str]
    ) -> None:
        """Check what can be checked before anything is trained.

        Raises:
            UsageError: there is no target suite, or too few rows for the parts to differ.
            DataError, ModelError: as `train.inputs.find_inputs`.
        """
        beginning = _beginning(recipe, workspace)
        self.overrides = (*overrides, *beginning)
        if beginning:
            recipe = load(recipe.path, self.overrides)
        self.recipe, self.workspace, self.load = recipe, workspace, load
        self.inputs = find_inputs(recipe, workspace, command="temper curve")
        self.suites = _targets(recipe, workspace)
        digest = _digest(self.inputs, self.suites)
        self.name = f"{recipe.name}-curve-{digest}"
        self.directory = workspace.root / "curves" / self.name

    @property
    def steps_rule(self) -> str:
        """How long each part is trained, in words."""
        steps = self.inputs.section.steps
        if steps is None:
            return "the same epochs for every part: as many steps a row"
        return f"{steps:,} steps times the share of rows: as many steps a row"

    def parts(self) -> list[Part]:
        """Write the parts of the dataset and return what is to be trained."""
        out = []
        for share in SHARES:
            place = self.directory / f"data-{share:.0%}".rstrip("%")
            rows = write_subset(self.inputs.dataset, share, place)
            overrides = [*self.overrides, f"train.dataset={scalar(str(place))}"]
            if self.inputs.section.steps is not None:
                overrides.append(f"train.steps={max(1, round(share * self.inputs.section.steps))}")
            out.append(Part(share, rows, f"{self.name}-{round(100 * share)}", tuple(overrides)))
        if len({part.rows for part in out}) < len(out):
            raise UsageError(
                "too few rows for a curve",
                where=str(self.inputs.dataset),
                cause=f"Its parts would have {', '.join(str(part.rows) for part in out)} rows.",
                cure="A curve needs 10 rows, and says something from some hundreds on.",
            )
        return out

    def make(self, job: Job, reporter: Reporter, watch: Watch, argv: Sequence[str]) -> Curve:
        """Train what is missing, measure all, and write `curve.json`.

        Raises:
            Stopped: a signal asked for it; the same command goes on from there.
            EvaluationInvalid: a check of the measurement failed.
            as `train.run.run_train` and `evalsuite.run.run_evaluation`.
        """
        self.workspace.make(self.directory.parent)
        parts = self.parts()
        if not all(self._is_trained(part) for part in parts):  # refused before a GPU is waited for
            self.inputs.prepare(reporter.working)
        with claim(waiter=JobWaiter(job, reporter.note, _AGAIN)):
            return self._made(parts, job, reporter, watch, argv)

    def _made(
        self, parts: Sequence[Part], job: Job, reporter: Reporter, watch: Watch, argv: Sequence[str]
    ) -> Curve:
        from evalsuite.run import run_evaluation

        runs = []
        for part in parts:
            reporter.note(f"{part.share:.0%} of the rows: {part.rows:,}")
            run = self._trained(part, reporter, argv)
            job.events.append("curve", share=part.share, rows=part.rows, run=run.name)
            job.check_stop(cure=_AGAIN)
            runs.append((part, run))
        request = self._request([run.name for _, run in runs])
        result = run_evaluation(request, self.workspace, watch)
        _demand_valid(result.results.comparisons, result.directory)
        found = list(self._abilities(runs, request, result.directory))
        curve = Curve(self.directory, self.steps_rule, result.directory.name, found)
        write_json(self.directory / "curve.json", curve.as_dict())
        job.result(self.directory)
        return curve

    def _begun(self, part: Part) -> Path | None:
        """Return the newest run of a part, if there is one."""
        before = sorted(self.workspace.runs.glob(f"*-{part.name}-????/run.json"))
        return before[-1].parent if before else None

    def _is_trained(self, part: Part) -> bool:
        run = self._begun(part)
        return run is not None and (run / "model").exists()

    def _trained(self, part: Part, reporter: Reporter, argv: Sequence[str]) -> Path:
        """Return the finished run of a part: found, resumed, or made."""
        from train.resume import open_run, resume_train
        from train.run import run_train

        path = self._begun(part)
        if path is not None and self._is_trained(part):
            reporter.note(f"trained before: {path.name}")
            return path
        try:
            if path is not None:
                opened = open_run(path, self.workspace, self.load, reporter)
                identity = str(opened.record["job"])
                with run_job(self.workspace, "train", argv, job_id=identity) as job:
                    return resume_train(opened, job, reporter)
            recipe = self.load(self.recipe.path, part.overrides)
            with run_job(self.workspace, "train", argv) as job:
                return run_train(
                    recipe, self.workspace, job, reporter, name=part.name, overrides=part.overrides
                )
        except Stopped as stop:
            raise Stopped(stop.signal_number, cure=_AGAIN) from stop

    def _request(self, runs: Sequence[str]) -> EvalRequest:
        from evalsuite.engine.request import EvalRequest
        from evalsuite.engine.subjects import common_base, find_subject
        from evalsuite.recipe import EvalSection

        subjects = tuple(find_subject(name, self.workspace) for name in runs)
        return EvalRequest(
            name=self.recipe.name,
            base=common_base(subjects),
            subjects=subjects,
            suites=self.suites,
            settings=self.recipe.section("evaluate", EvalSection) or EvalSection(),
            dtype=self.inputs.model_section.dtype,
            command="temper curve",
        )

    def _abilities(
        self, runs: Sequence[tuple[Part, Path]], request: EvalRequest, evaluation: Path
    ) -> Iterator[AbilityCurve]:
        from evalsuite.tasks.terms import terms_of
        from train.record import read_record

        names = request.model_names()
        for ability, (scores, clusters) in _scores(evaluation, names).items():
            points = [
                _point(part, run, int(read_record(run)["steps"]), values, clusters)
                for (part, run), values in zip(runs, scores, strict=True)
            ]
            smallest = min(
                terms_of(suite.spec, task.spec).min_gain
                for suite in self.suites
                for task in suite.tasks
            )
            rows = [part.rows for part, _ in runs]
            ahead = outlook(rows, scores, clusters, min_gain=smallest)
            yield AbilityCurve(ability, scores.shape[1], points, ahead)


_AGAIN = "What is trained is kept: the same command goes on from there."


def _targets(recipe: Recipe, workspace: Workspace) -> tuple[LoadedSuite, ...]:
    from evalsuite.opinions.checks import refuse_opinions
    from evalsuite.recipe import EvalSection
    from evalsuite.tasks import find_suite, load_suite

    section = recipe.section("evaluate", EvalSection) or EvalSection()
    suites = [load_suite(find_suite(name, workspace)) for name in section.suites]
    found = tuple(suite for suite in suites if suite.spec.purpose == "target")
    if not found:
        raise UsageError(
            "there is no target suite to measure a curve on",
            where=f"{recipe.path}: evaluate.suites",
            cure="Name one under `evaluate: suites:`; its `purpose` is `target`.",
        )
    refuse_opinions(found, "the curve")
    return found


def _beginning(recipe: Recipe, workspace: Workspace) -> list[str]:
    """Return the override by which every part begins with the same run.

    To a later part, or when the command is given again, an earlier part would be the latest run.
    """
    section = recipe.required("train", TrainSection, command="temper curve")
    if section.from_run is None:
        return []
    name = section.from_run
    if name == "latest":
        made = sorted(path.parent.name for path in workspace.runs.glob("*/run.json"))
        others = [run for run in made if not _PART.search(run)]
        name = others[-1] if others else name
    return [f"train.from={scalar(resolved_name(name, recipe.base_dir, workspace))}"]


_PART = re.compile(r"-curve-[0-9a-f]{8}-\d+-[0-9a-f]{4}$")
"""How the ids of a curve's own runs end."""


def _digest(inputs: Inputs, suites: Sequence[LoadedSuite]) -> str:
    from workspace.files import hash_file

    known = {
        "settings": compared_settings(inputs),
        "model": inputs.source.digest,
        "data": hash_file(inputs.dataset / "train.parquet"),
        "suites": [suite.digest for suite in suites],
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _scores(
    evaluation: Path, names: Sequence[str]
) -> dict[str, tuple[np.ndarray[Any, np.dtype[np.float64]], list[str]]]:
    """Return each ability's scores, shape (models, items), and the cluster of each item.

    An ability that one of the models has no score of is left out: it has no curve.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(evaluation / "samples.parquet").to_pylist()
    by: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in table:
        item = by.setdefault(row["ability"], {}).setdefault((row["task"], row["item_id"]), {})
        item[row["model"]] = row["score"]
        item[""] = row["cluster"] or f"{row['task']}/{row['item_id']}"
    return {
        ability: (
            np.array([[item[name] for item in items.values()] for name in names], dtype=float),
            [item[""] for item in items.values()],
        )
        for ability, items in by.items()
        if all(
            item.get(name, np.nan) == item.get(name) for item in items.values() for name in names
        )
    }


def _demand_valid(comparisons: Sequence[ComparisonRecord], evaluation: Path) -> None:
    """Refuse figures that a check of the measurement withdrew.

    Raises:
        EvaluationInvalid: of one part or more.
    """
    for one in comparisons:
        if one.verdict.status == "invalid":
            raise EvaluationInvalid(
                f"the curve has no figure of {one.tuned}",
                where=str(evaluation / "report.html"),
                cause=" ".join(one.verdict.reasons),
                cure="Mend what failed; what is trained is kept.",
            )


def _point(part: Part, run: Path, steps: int, scores: Any, clusters: Sequence[str]) -> Point:
    from evalsuite.stats.clustered import clustered_mean

    mean = clustered_mean(scores, list(clusters))
    interval = mean.interval()
    return Point(part.share, part.rows, steps, run.name, mean.mean, interval.low, interval.high)
