"""One look at a served model: asked, held against the blessed answers, written as an evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from evalsuite.baselines.against import Against, held_against, keyed, only_answered
from evalsuite.baselines.blessed import baselines, read_baseline
from evalsuite.engine.pairing import ability_names
from evalsuite.engine.questions import Sample
from evalsuite.engine.samples import write_samples
from evalsuite.monitor.section import MonitorSection
from evalsuite.monitor.served import askable, can_be_put, put
from evalsuite.report import Results, write_reports, write_results
from evalsuite.report.document import ComparisonRecord, ModelRecord
from evalsuite.run import suite_record
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.item import content_digest
from workspace.errors import UsageError, WorkError
from workspace.files import publish_directory, write_json
from workspace.layout import Workspace, new_id

SERVED = "served"
"""What the model is called in results and samples."""


@dataclass(frozen=True)
class Look:
    """What is to be looked at."""

    section: MonitorSection
    suites: tuple[LoadedSuite, ...]
    base_dir: Path
    against: Against | None = None
    """The blessed answers; None: this look is to be blessed itself."""
    number: int = 1
    """Which look since those were blessed."""
    command: str = ""
    few_shot: bool = False
    """Whether the recipe wants examples before every item, which a look does not give."""


@dataclass(frozen=True)
class Looked:
    """A finished look."""

    directory: Path
    results: Results
    reports: tuple[Path, ...]


def next_look(workspace: Workspace, name: str) -> int:
    """Return the number of the next look against a baseline, from 1."""
    return read_baseline(baselines(workspace) / f"{name}.json").looks + 1


def count_look(workspace: Workspace, name: str, number: int) -> None:
    """Record that a look was taken: its part of alpha is spent."""
    path = baselines(workspace) / f"{name}.json"
    write_json(path, read_baseline(path).model_copy(update={"looks": number}).model_dump())


def take_look(
    look: Look, workspace: Workspace, log: Path, told: Callable[[int, int], None]
) -> Looked:
    """Ask the served model and write `evals/<id>/`.

    A loss is an alarm by a level of this look alone (alpha / (k (k + 1)) at the k-th, alpha over
    all looks there will ever be): a model that does not drift is accused at no time with more than
    alpha. That nothing was lost is told at alpha, for this look.

    Args:
        look: what to ask of whom.
        workspace: where to write.
        log: directory of the request log, of this look alone: drift is not seen in kept answers.
        told: called with answers and items.

    Raises:
        UsageError: nothing can be asked, or other items were blessed than the suites have.
        BudgetGone, WorkError: the endpoint does not answer, or would cost too much; or a request
            failed in a look that is to be blessed.
    """
    from evalsuite.asking.room import Room

    began, created = time.monotonic(), datetime.now(UTC).astimezone()
    # What was blessed is known by digests of whole suites.
    comparable = _comparable(look)
    suites, _ = askable(comparable)
    _, notes = askable(look.suites)
    notes += ["few_shot: a look asks without examples"] if look.few_shot else []
    room = Room(
        look.section.backend, look.section.budget, base_dir=look.base_dir, log=log,
        what="a look at a served model", cure="Wait for it.",
    )  # fmt: skip
    try:
        samples = put(suites, room, SERVED, told)
    finally:
        room.close()
    if look.against is None:
        _demand_answers(samples)
    comparisons = _comparisons(look, suites, samples)
    results = Results(
        id=new_id("monitor"),
        title=f"{look.section.backend.model}, look {look.number}",
        created=created.isoformat(timespec="seconds"),
        models=[_record(look), *([look.against.record] if look.against else [])],
        suites=[suite_record(suite) for suite in look.suites],
        comparisons=comparisons,
        environment={"device": "endpoint", "dtype": "as served"},
        commands=[look.command] if look.command else [],
        notes=notes,
        seconds=round(time.monotonic() - began, 3),
    )
    directory = workspace.make(workspace.evals) / results.id
    with publish_directory(directory) as temporary:
        write_samples(temporary / "samples.parquet", _rows(look, suites, samples))
        write_results(temporary, results)
        reports = write_reports(temporary)
    return Looked(directory, results, tuple(directory / path.name for path in reports))


def _comparable(look: Look) -> tuple[LoadedSuite, ...]:
    """Return the suites with what was answered when the model was blessed, whole without that."""
    if look.against is None:
        return look.suites
    return only_answered(look.against, look.suites, lambda task: can_be_put(task.spec))


def demand_served(against: Against) -> None:
    """Refuse to hold a served model against one that was measured otherwise.

    Raises:
        UsageError: the baseline was not measured by looks.
    """
    device = against.results.environment.get("device")
    if device == "endpoint":
        return
    here = "Its model answered on this machine, with its own template and precision."
    served = (
        "It is an evaluation by `temper eval --served`, whose requests are not those of a look: "
        "another seed, and choices by log-probabilities."
    )
    raise UsageError(
        f"{against.name} was not measured by `temper monitor`",
        where=str(against.directory),
        cause=served if device == "served" else here,
        cure="Bless the served model as it is now: `temper monitor --bless NAME`.",
    )


def _demand_answers(samples: Mapping[tuple[str, str], list[Sample]]) -> None:
    """Refuse to bless a look with failed requests: their abilities would be errors for ever.

    Raises:
        WorkError: a request failed.
    """
    failed = [one for found in samples.values() for one in found if math.isnan(one.score)]
    if failed:
        raise WorkError(
            "a look with failed requests cannot be blessed",
            where=f"task {failed[0].task}, item {failed[0].item_id}",
            cause=f"{len(failed):,} of {sum(map(len, samples.values())):,} items have no score "
            f"({failed[0].detail.rstrip('.')}).",
            cure="Look again once the server answers everything; nothing was blessed.",
        )


def _comparisons(
    look: Look, suites: Sequence[LoadedSuite], samples: Mapping[tuple[str, str], list[Sample]]
) -> list[ComparisonRecord]:
    if look.against is None:
        return []
    return [held_against(look.against, suites, SERVED, samples, (), endless_look=look.number)]


def _rows(
    look: Look, suites: Sequence[LoadedSuite], samples: Mapping[tuple[str, str], list[Sample]]
) -> list[Sample]:
    names = ability_names(suites)
    sides = [(SERVED, samples)]
    if look.against is not None:
        sides.append((look.against.name, keyed(look.against.samples, suites)))
    return [
        replace(sample, model=model, ability=names[key])
        for model, side in sides
        for key, found in side.items()
        for sample in found
    ]


def _record(look: Look) -> ModelRecord:
    backend = look.section.backend
    return ModelRecord(
        name=SERVED,
        role="tuned",
        path=backend.described,
        # Which weights answer is not known: of a served model only its address has a digest.
        digest=content_digest([backend.base_url, backend.model]),
        dtype="as served",
        device="endpoint",
    )
