"""The gate again, on what was exported, where its precision is not the one that was judged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import Subject, find_subject
from evalsuite.tasks import LoadedSuite, load_suite
from evalsuite.verdict import Verdict
from train.export.base import Artefact, Options
from train.export.shipment import Shipment
from train.export.standing import Standing
from workspace.errors import TemperError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Regated:
    """What became of the second gate."""

    said: str
    """The verdict's sentence, or why there is none."""
    verdict: Verdict | None = None


def needs_gate(shipment: Shipment, standing: Standing, artefact: Artefact) -> bool:
    """Return whether the artefact's precision is another than the verdict's.

    That is so for quantised files, and where an adapter was judged on a 4-bit base and is exported
    for, or merged into, the unquantised one, as a directory or as one GGUF file.
    """
    if shipment.is_reward or not standing.judged:
        return False
    if artefact.quantized_as:
        return True
    judged_in_bits = any(one.model.dtype.startswith("nf4") for one in standing.judged)
    is_whole = artefact.weights.is_dir() or artefact.weights.suffix == ".gguf"
    return judged_in_bits and is_whole


def gate_again(
    shipment: Shipment, standing: Standing, artefact: Artefact, options: Options
) -> Regated:
    """Put the suites that judged the run to the artefact.

    A quantised GGUF file is first written out as transformers reads it, in float32.
    """
    suites, missing = _suites(standing)
    if missing:
        return Regated(f"It was not: {missing}")
    if artefact.load is None:
        return Regated(f"It was not: {artefact.why_not_loaded}")
    from evalsuite.run import run_evaluation

    options.note("the precision changed: running the gate on what was exported")
    with _readable(shipment, artefact, options) as path:
        subject = replace(find_subject(str(path), shipment.workspace), name=_name(shipment))
        request = EvalRequest(
            name=_name(shipment),
            base=shipment.base,
            subjects=(subject,),
            suites=tuple(suites),
            dtype="auto",
        )
        result = run_evaluation(request, shipment.workspace, _Quiet(options))
    verdict = result.results.comparisons[0].verdict
    return Regated(f"{verdict.headline} (evaluation {result.directory.name})", verdict)


def _name(shipment: Shipment) -> str:
    return f"{shipment.subject.name}-exported"[:60]


def _suites(standing: Standing) -> tuple[Sequence[LoadedSuite], str]:
    found: dict[str, LoadedSuite] = {}
    for record in (suite for one in standing.judged for suite in one.results.suites):
        try:
            found.setdefault(record.name, load_suite(Path(record.path)))
        except (TemperError, OSError) as error:
            return (), f"the suite {record.name} cannot be read again ({error})"
    return list(found.values()), ""


@contextmanager
def _readable(shipment: Shipment, artefact: Artefact, options: Options) -> Iterator[Path]:
    """Yield a directory that the evaluation loads."""
    if artefact.weights.is_dir():
        yield artefact.weights
        return
    import tempfile

    from evalsuite.models.load import Placement
    from train.publish import fill_model

    assert artefact.load is not None
    with (
        tempfile.TemporaryDirectory(dir=artefact.weights.parent, prefix=".read-") as name,
        artefact.load(Placement("cpu", "float32", "gate"), 0) as engine,
    ):
        fill_model(Path(name), engine.model, shipment.base.path)
        yield Path(name)


class _Quiet:
    """Passes on what begins, not every batch."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def doing(self, what: str) -> None:
        self._options.note(what)

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        """Nothing is shown."""


__all__ = ["Regated", "Subject", "gate_again", "needs_gate"]
