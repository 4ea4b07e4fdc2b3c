"""Asking lost abilities again, after all suites: base first, then each model that lost one.

Weights are loaded once more, since what is lost is known only when all have answered. Imports
torch late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.pairing import Samples
from evalsuite.engine.questions import Asker
from evalsuite.engine.subjects import Subject
from evalsuite.engine.unmeasured import said
from evalsuite.tasks import LoadedSuite
from evalsuite.triage.cases import Again, Lost, ask_again, lost_abilities, triage_record
from evalsuite.triage.records import TriageRecord
from evalsuite.triage.section import TriageSection
from evalsuite.verdict import Canary
from workspace.errors import DiskFullError, EvaluationInvalid, WorkError

if TYPE_CHECKING:
    from evalsuite.engine.cache import AnswerStore
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.sides import Resident
    from evalsuite.models import ModelSource
    from evalsuite.models.load import Placement


@dataclass(frozen=True)
class Triage:
    """What is needed to ask models again."""

    section: TriageSection
    suites: tuple[LoadedSuite, ...]
    asker: Asker
    limits: BatchLimits
    placement: Placement
    pad_id: int
    load: Callable[[ModelSource | None], Resident]
    """Loads a model that adapters go on; None is the base."""
    store: Callable[[Subject | None], AnswerStore]
    """Answers of a subject, or of the base, that are kept."""
    on_batch: Callable[[str, str], None]
    """Told model and task after each batch; may raise to stop."""
    note: Callable[[str], None]
    """Told what could not be asked again, and why."""

    def run(
        self,
        subjects: Mapping[str, Subject],
        samples: Mapping[str, Samples],
        canaries: dict[str, list[Canary]],
        base: str,
    ) -> list[TriageRecord]:
        """Return what asking again showed of every lost ability; nothing where none was lost."""
        tuned = {name: samples[name] for name in subjects}
        lost = lost_abilities(self.suites, samples[base], tuned, canaries)
        if not lost or not self.section.items:
            return []
        again = ask_again(lost, self.asker, self.limits, self.section)
        self._ask(lost, again, subjects, base)
        return [
            triage_record(one, again, (base, samples[base]), samples[one.tuned])
            for one in lost
            if self._is_answered(one, again, base)
        ]

    def _is_answered(self, one: Lost, again: Mapping[tuple[str, str], Again], base: str) -> bool:
        cases = [again.get((suite.spec.name, task.spec.name)) for suite, task in one.tasks]
        return all({base, one.tuned} <= case.scores.keys() for case in cases if case is not None)

    def _ask(
        self,
        lost: list[Lost],
        again: Mapping[tuple[str, str], Again],
        subjects: Mapping[str, Subject],
        base: str,
    ) -> None:
        from evalsuite.engine.sides import free_memory, full_model

        wanted = {
            name: [
                again[suite.spec.name, task.spec.name]
                for one in lost
                if one.tuned == name
                for suite, task in one.tasks
                if (suite.spec.name, task.spec.name) in again
            ]
            for name in subjects
        }
        resident = self.load(None)
        self._put(resident.engine, base, None, list(again.values()))
        for name, subject in subjects.items():
            if wanted[name] and subject.kind == "adapter" and subject.own_base is None:
                self._wearing(resident, name, subject, wanted[name])
        del resident
        free_memory()
        for name, subject in subjects.items():
            if wanted[name] and subject.kind == "full":
                with full_model(subject, self.placement, self.pad_id) as engine:
                    self._put(engine, name, subject, wanted[name])
            elif wanted[name] and subject.own_base is not None:
                self._wearing(self.load(subject.own_base), name, subject, wanted[name])
                free_memory()

    def _wearing(self, resident: Resident, name: str, subject: Subject, cases: list[Again]) -> None:
        with resident.wearing(subject) as worn:
            self._put(worn.engine, name, subject, cases)

    def _put(self, engine: Engine, model: str, subject: Subject | None, cases: list[Again]) -> None:
        store = self.store(subject)
        for case in cases:
            task = f"{case.task.spec.name} again"
            try:
                case.put(engine, model, store, lambda task=task: self.on_batch(model, task))  # type: ignore[misc]
            except DiskFullError:
                raise
            except (EvaluationInvalid, WorkError) as error:  # the verdict stands without it
                name = case.task.spec.name
                self.note(f"{name} was not asked again in other ways: {model}: {said(error)}")
