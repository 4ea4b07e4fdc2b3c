"""A run's own data, read by the base and by each tuned model, in the middle of an evaluation.

Imports torch only through the sweep, which is given the models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.pairing import Samples
from evalsuite.engine.subjects import Subject
from evalsuite.models import ChatTokenizer
from evalsuite.overfitting.evidence import Form, find_evidence
from evalsuite.overfitting.figures import Compared
from evalsuite.overfitting.general import general_rows
from evalsuite.overfitting.planted import Planted, PlantedRows, planted_rows
from evalsuite.overfitting.records import Exposure
from evalsuite.overfitting.rows import Limits, SweepRow, draw_rows
from evalsuite.overfitting.section import OverfittingSection
from evalsuite.tasks import LoadedSuite
from workspace.errors import EvaluationInvalid, ModelError

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine
    from evalsuite.overfitting.sweep import Sweep


@dataclass
class OwnData:
    """The rows of one tuned model, and what was read of them."""

    rows: Sequence[SweepRow] = ()
    problem: str = ""
    """Why there are no rows of its training."""
    notes: Sequence[str] = ()
    planted: Sequence[PlantedRows] = ()
    """Random strings with their references."""
    compared: list[Compared] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    form: Form = "sft"
    """Where the answers are that were learnt."""
    texts: dict[str, str] = field(default_factory=dict)
    """What each row teaches, by the row's key: of rows that may be told."""


@dataclass
class Panel:
    """All tuned models' own data, and general prompts."""

    section: OverfittingSection
    tokenizer: ChatTokenizer
    limits: BatchLimits
    context: int
    vocabulary: int | None
    on_rows: Callable[[str], None]
    """Told after each pass which model read; may raise to stop."""
    own: dict[str, OwnData]
    """By name of the tuned model; filled in as the evaluation goes on."""
    canaries: Sequence[Planted] = ()
    general: Sequence[SweepRow] = ()
    _sweep: Sweep | None = None
    _model: str = ""

    @property
    def notes(self) -> list[str]:
        """What was passed over, counted; alike of models that share their data."""
        return list(dict.fromkeys(note for one in self.own.values() for note in one.notes))

    def draw(self, subjects: Mapping[str, Subject]) -> None:
        """Draw the rows of each tuned model.

        Raises:
            DataError: a file of a dataset cannot be read, or the template refuses a row.
        """
        for name, subject in subjects.items() if self.section.rows else ():
            self.own[name] = self._drawn(subject)

    def _drawn(self, subject: Subject) -> OwnData:
        evidence = find_evidence(subject)
        if isinstance(evidence, str):
            return OwnData(problem=evidence)
        limits = Limits(min(evidence.max_length, self.context), evidence.cuts, self.vocabulary)
        count, seed = self.section.rows, self.section.seed
        drawn = draw_rows(evidence, self.tokenizer, limits, count=count, seed=seed)
        planted = planted_rows(
            self.canaries, evidence, self.tokenizer, limits,
            references=self.section.references, seed=seed,
        ) if self.canaries else []  # fmt: skip
        return OwnData(rows=drawn.rows, notes=drawn.notes, planted=planted, form=evidence.form)

    def read_base(self, engine: Engine, suites: Sequence[LoadedSuite], answered: Samples) -> None:
        """Read all rows with the base, and items that are to be kept with what it answered them.

        What cannot be read so, or gives NaN, is said of the tuned models in place of figures: the
        answers to the suites stand on their own.
        """
        from evalsuite.overfitting.sweep import Sweep

        if self.own:
            limits = Limits(self.context, False, self.vocabulary)
            count, seed = self.section.rows, self.section.seed
            self.general = general_rows(
                suites, answered, self.tokenizer, limits, count=count, seed=seed
            )
        rows = [row for one in self.own.values() for row in (*one.rows, *_strings(one))]
        rows += self.general
        if not rows:
            return
        self._model = "base"
        self._sweep = Sweep(self.limits.tokens, lambda: self.on_rows(self._model))
        try:
            self._sweep.read_base(engine, rows)
        except (ModelError, EvaluationInvalid) as error:
            self._sweep = None
            for own in self.own.values():
                own.problem = f"{error.title}. {error.cause}"

    def read_tuned(self, name: str, engine: Engine) -> None:
        """Read the rows of one tuned model with it, and compare with the base."""
        own = self.own.get(name)
        if own is None or self._sweep is None:
            return
        self._model = name
        rows = [*own.rows, *self.general]
        try:
            readings = self._sweep.read_tuned(engine, [*rows, *_strings(own)])
        except (ModelError, EvaluationInvalid) as error:
            own.problem = f"{error.title}. {error.cause}"
            return
        for row in rows:
            base, (tuned, shift) = self._sweep.readings[row.key], readings[row.key]
            distance = (shift.kl, shift.reverse_kl, shift.same_top) if shift else ()
            own.compared.append(
                Compared(row, base.logprobs, tuned.logprobs, base.greedy, tuned.greedy, *distance)
            )
        own.texts = {
            one.row.key: self.tokenizer.decode(one.row.targets)
            for one in own.compared
            if one.row.part == "trained" and one.tuned_greedy.all() and not one.base_greedy.all()
        }
        before, after = (
            {row.key: float(found[row.key].logprobs.sum()) for row in _strings(own)}
            for found in (self._sweep.readings, {key: one for key, (one, _) in readings.items()})
        )
        own.exposures = [one.exposure(before, after) for one in own.planted]


def _strings(own: OwnData) -> list[SweepRow]:
    return [row for one in own.planted for row in one.rows]
