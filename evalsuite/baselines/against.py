"""A stored evaluation to be held against: found, checked to be comparable, paired item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.baselines.blessed import Blessing, baselines, chosen_model, read_baseline
from evalsuite.engine.pairing import Samples, pair_abilities
from evalsuite.engine.questions import Sample
from evalsuite.engine.samples import read_samples
from evalsuite.engine.unmeasured import Missing
from evalsuite.gate import judge
from evalsuite.report.document import ComparisonRecord, ModelRecord, Results, read_results
from evalsuite.sizing.plan import narrowed
from evalsuite.stats.spending import endless_level
from evalsuite.tasks import LoadedSuite, LoadedTask
from evalsuite.verdict import Canary
from workspace.errors import DataError, UsageError
from workspace.files import hash_file
from workspace.layout import Workspace

Key = tuple[str, str]
BACKEND = ("device", "dtype")
"""What of the environment must be equal: answers differ between devices and precisions."""


@dataclass(frozen=True)
class Against:
    """A model of a stored evaluation."""

    name: str
    """What it is called in results: `baseline NAME`, else the evaluation's id."""
    directory: Path
    results: Results
    model: str
    """What its own evaluation calls it."""
    samples: tuple[Sample, ...]
    """Its answers."""

    @property
    def record(self) -> ModelRecord:
        """The model as it was measured, under the name it has here."""
        found = next(one for one in self.results.models if one.name == self.model)
        return found.model_copy(update={"name": self.name, "role": "base"})

    @property
    def canaries(self) -> list[Canary]:
        """Checks of its own measurement."""
        if self.model == "base":
            found = self.results.canaries
            return [replace(one, name=f"{one.name} ({self.name})") for one in found]
        return [
            replace(canary, name=f"{canary.name} ({self.name})")
            for one in self.results.comparisons
            if one.tuned == self.model and one.base == "base"
            for canary in one.verdict.canaries
        ]


def find_against(name: str, workspace: Workspace, *, base: bool = False) -> Against:
    """Return the model that a baseline's name, or an evaluation's id, name or path, means.

    Args:
        name: a blessed name first, else an evaluation.
        workspace: where to look.
        base: of an evaluation that is not blessed take the base, not the tuned model.

    Raises:
        UsageError: there is neither, or the evaluation has several tuned models.
        DataError: it was changed since it was blessed, or cannot be read.
    """
    path = baselines(workspace) / f"{name}.json"
    if "/" not in name and path.is_file():
        blessed = read_baseline(path).blessed
        directory = _unchanged(blessed, workspace, path)
        return _loaded(f"baseline {name}", directory, blessed.model)
    try:
        directory = workspace.evaluation(name)
    except UsageError as unknown:
        blessed_names = sorted(one.stem for one in baselines(workspace).glob("[!.]*.json"))
        raise UsageError(
            f"there is no baseline or evaluation called {name!r}",
            where=str(baselines(workspace)),
            cause=f"Blessed are: {', '.join(blessed_names) or 'none yet'}.",
            cure="Bless one with `temper bless EVAL NAME`, or name an evaluation.",
        ) from unknown
    results = read_results(directory)
    model = chosen_model(results, "base" if base else None)
    return _loaded(results.id, directory, model)


def answered(
    against: Against,
    suites: Sequence[LoadedSuite],
    put: Callable[[LoadedTask], bool] = lambda task: True,
) -> dict[Key, list[int]]:
    """Return the positions of the items that the stored model answered, by suite and task.

    Args:
        against: the stored model.
        suites: as they are now.
        put: whether a task is to be asked at all; of the others no answers are needed.

    Raises:
        UsageError: suites or items differ, or a task has no stored answers; what it is, is said.
    """
    from evalsuite.baselines.differing import differing_items

    stored = keyed(against.samples, suites)
    problems = differing_items(against.results, suites, stored)
    if problems:
        raise UsageError(
            f"{against.name} was asked other items",
            where=str(against.directory),
            cause=" ".join(problems[:5]),
            cure="Only equal items can be paired. Evaluate that model again on the suites as they "
            "are now, and bless that evaluation.",
        )
    tasks = [(suite.spec.name, task) for suite in suites for task in suite.tasks]
    _refuse_unanswered(
        against,
        [task for name, task in tasks if put(task) and (name, task.spec.name) not in stored],
    )
    return {
        (name, task.spec.name): _places(task, stored.get((name, task.spec.name), ()))
        for name, task in tasks
    }


def _places(task: LoadedTask, samples: Sequence[Sample]) -> list[int]:
    known = {sample.item_id for sample in samples}
    return [place for place, item in enumerate(task.items) if item.id in known]


def _refuse_unanswered(against: Against, tasks: Sequence[LoadedTask]) -> None:
    """Refuse to judge without tasks of which nothing is stored: what is left is less than it says.

    Raises:
        UsageError: there are such tasks.
    """
    if not tasks:
        return
    names = ", ".join(task.spec.name for task in tasks[:5])
    more = f" and {len(tasks) - 5:,} more" if len(tasks) > 5 else ""
    raise UsageError(
        f"{against.name} did not answer every task",
        where=str(against.directory),
        cause=f"It has no answers to {names}{more}: what was not measured cannot be held against.",
        cure="Evaluate that model again so that every task is measured (its report says why it was "
        "not), or leave these tasks out of both evaluations.",
    )


def demand_backend(against: Against, environment: Mapping[str, str]) -> None:
    """Refuse to compare answers of different devices or precisions.

    Raises:
        UsageError: one of `BACKEND` differs.
    """
    then = against.results.environment
    said = [
        f"{name} {then.get(name, 'unknown')} then and {environment[name]} now"
        for name in BACKEND
        if name in environment and then.get(name) != environment[name]
    ]
    if said:
        raise UsageError(
            f"{against.name} was measured otherwise",
            where=str(against.directory),
            cause=f"{'; '.join(said)}.",
            cure="Answers of one model differ between devices and precisions. Evaluate both alike.",
        )


def held_against(
    against: Against,
    suites: Sequence[LoadedSuite],
    tuned: str,
    samples: Samples,
    canaries: Sequence[Canary],
    missing: Missing | None = None,
    *,
    endless_look: int | None = None,
) -> ComparisonRecord:
    """Judge a model against the stored one: every ability is one to keep.

    Args:
        against: the stored model.
        suites: with the items that both answered alone.
        tuned: name of the other model.
        samples: its answers; items that it could not be asked are left out of both (`left_out`).
        canaries: of its measurement.
        missing: tasks that it has no answers to, and why.
        endless_look: which of endlessly many looks this is; a loss is then told at its own level,
            so that all looks together accuse wrongly with at most alpha.
    """
    kept = [kept_suite(suite) for suite in suites]
    stored = {
        key: _also_in(samples.get(key), found)
        for key, found in keyed(against.samples, suites).items()
    }
    pairs = pair_abilities(kept, stored, samples, missing or {})
    if endless_look is not None:
        pairs = [
            replace(pair, look=endless_look, fail_alpha=endless_level(pair.alpha, endless_look))
            for pair in pairs
        ]
    verdict = judge(pairs, [*canaries, *against.canaries])
    return ComparisonRecord(base=against.name, tuned=tuned, verdict=verdict)


def left_out(
    against: Against, suites: Sequence[LoadedSuite], tuned: str, samples: Samples
) -> list[str]:
    """Return a note for each task of which the stored model answered items that `tuned` did not.

    A model that reads less is not asked what is too long for it.
    """
    return [
        f"{task}: {gone:,} of {len(found):,} items that {against.name} answered were not put to "
        f"{tuned}; left out of the comparison"
        for (suite, task), found in keyed(against.samples, suites).items()
        if (gone := len(found) - len(_also_in(samples.get((suite, task)), found)))
    ]


def _also_in(asked: Sequence[Sample] | None, stored: Sequence[Sample]) -> Sequence[Sample]:
    """Return the stored samples of the items asked now; all where none were, which is told."""
    if asked is None:
        return stored
    known = {sample.item_id for sample in asked}
    return [sample for sample in stored if sample.item_id in known]


def kept_suite(suite: LoadedSuite) -> LoadedSuite:
    """Return the suite with abilities to keep: nothing says how much more should be gained."""
    return replace(suite, spec=suite.spec.model_copy(update={"purpose": "retention"}))


def keyed(samples: Sequence[Sample], suites: Sequence[LoadedSuite]) -> dict[Key, list[Sample]]:
    """Return the samples of these suites by suite and task, in the order of the items.

    Tasks without samples are not in it, so that nothing takes them for measured.
    """
    keys = _stored_names(suites)
    found: dict[Key, dict[str, Sample]] = {}
    for sample in samples:
        if key := keys.get((sample.task, sample.ability)):
            found.setdefault(key, {})[sample.item_id] = sample
    ordered = {
        (suite.spec.name, task.spec.name): _in_order(task, known)
        for suite in suites
        for task in suite.tasks
        if (known := found.get((suite.spec.name, task.spec.name)))
    }
    return {key: samples for key, samples in ordered.items() if samples}


def _in_order(task: LoadedTask, samples: Mapping[str, Sample]) -> list[Sample]:
    return [samples[item.id] for item in task.items if item.id in samples]


def _stored_names(suites: Sequence[LoadedSuite]) -> dict[tuple[str, str], Key]:
    """Return (task, ability as stored) → (suite, task).

    An ability is stored under its suite's name too where another suite of its evaluation had one
    of that name. The suites now may be others, so both names mean it, if they mean it alone.
    """
    tasks = [(suite.spec.name, task.spec) for suite in suites for task in suite.tasks]
    plain = Counter((spec.name, spec.measures) for _, spec in tasks)
    return {
        (spec.name, spec.measures): (suite, spec.name)
        for suite, spec in tasks
        if plain[spec.name, spec.measures] == 1
    } | {(spec.name, f"{suite}/{spec.measures}"): (suite, spec.name) for suite, spec in tasks}


def only_answered(
    against: Against,
    suites: Sequence[LoadedSuite],
    put: Callable[[LoadedTask], bool] = lambda task: True,
) -> tuple[LoadedSuite, ...]:
    """Return the suites with the items that the stored model answered. Raises as `answered`."""
    return narrowed(suites, answered(against, suites, put))


def _loaded(name: str, directory: Path, model: str) -> Against:
    samples = read_samples(directory / "samples.parquet")
    mine = tuple(one for one in samples if one.model == model)
    return Against(name, directory, read_results(directory), model, mine)


def _unchanged(blessed: Blessing, workspace: Workspace, path: Path) -> Path:
    directory = workspace.evals / blessed.evaluation
    for file, digest in blessed.digests.items():
        there = directory / file
        if not there.is_file() or hash_file(there) != digest:
            raise DataError(
                "this baseline is not what was blessed",
                where=str(there),
                cause="The file is gone." if not there.is_file() else "The file was changed.",
                cure=f"Put it back, or bless another evaluation: {path.name} says which it was.",
            )
    return directory
