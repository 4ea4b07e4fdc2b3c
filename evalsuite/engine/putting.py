"""Putting all tasks to one model: what it answered, and what it could not be asked.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evalsuite import canaries
from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.forward import Engine
from evalsuite.engine.inquiry import Inquiry
from evalsuite.engine.pairing import notes_on
from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.run import GaveNaN
from evalsuite.engine.unmeasured import Key, Unmeasured, said
from evalsuite.verdict import Canary
from workspace.errors import DiskFullError, WorkError


@dataclass
class Put:
    """What came of it."""

    samples: dict[Key, list[Sample]] = field(default_factory=dict)
    missing: dict[Key, Unmeasured] = field(default_factory=dict)
    """Tasks without samples, and why."""
    canaries: list[Canary] = field(default_factory=list)
    """Failed: one, if the model gave NaN."""
    notes: list[str] = field(default_factory=list)
    reused: int = 0
    """Answers that were kept from an earlier evaluation."""


@dataclass(frozen=True)
class Questioner:
    """All tasks, for one model after the other."""

    inquiries: Sequence[Inquiry]
    asker: Asker
    on_answers: Callable[[str, str, int], None]
    """Told the model, the task and the number of answers after each batch."""

    def put(
        self, engine: Engine, model: str, store: AnswerStore, missing: Mapping[Key, Unmeasured]
    ) -> Put:
        """Ask a model everything but `missing`.

        A task that a machine or a library fails at is an error of its own. After NaN nothing more
        is asked: no later answer of such weights is worth its time.

        Raises:
            DiskFullError: answers cannot be kept.
        """
        out = Put(missing=dict(missing))
        for inquiry in self.inquiries:
            if inquiry.key in out.missing:
                continue
            try:
                self._one(inquiry, engine, model, store, out)
            except GaveNaN as error:
                item = inquiry.task.items[error.index]
                failed = canaries.gave_nan(model, inquiry.task.spec.name, item)
                out.canaries.append(failed)
                out.missing[inquiry.key] = Unmeasured("error", failed.detail)
                break
            except DiskFullError:
                raise
            except WorkError as error:
                out.missing[inquiry.key] = Unmeasured("error", f"{model}: {said(error)}")
        for inquiry in self.inquiries:
            if inquiry.key not in out.samples:
                out.missing.setdefault(inquiry.key, Unmeasured("not_run", f"{model} gave NaN"))
        return out

    def _one(
        self, inquiry: Inquiry, engine: Engine, model: str, store: AnswerStore, out: Put
    ) -> None:
        def told(task: str, count: int) -> None:
            self.on_answers(model, task, count)

        samples, reused = inquiry.put(engine, self.asker, model, store, told)
        out.samples[inquiry.key] = samples
        out.reused += reused
        out.notes += notes_on(inquiry.task, model, samples)
