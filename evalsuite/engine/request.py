"""What an evaluation is asked to measure, and who is told how far it is. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from evalsuite.engine.subjects import Subject
from evalsuite.models import ModelSource
from evalsuite.overfitting.planted import Planted
from evalsuite.prompting.arms import Prompting
from evalsuite.recipe import EvalSection
from evalsuite.scorers import is_opinion
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.wanted import demand_examples, demand_suites
from workspace.errors import UsageError

if TYPE_CHECKING:
    from evalsuite.baselines.against import Against

BASE = "base"
"""What the base is called in results and samples."""


@dataclass(frozen=True)
class EvalRequest:
    """What is to be measured."""

    name: str
    """Names the evaluation's directory."""
    base: ModelSource
    subjects: tuple[Subject, ...]
    """Tuned models; none, with `prompts`, measures the base alone."""
    suites: tuple[LoadedSuite, ...]
    settings: EvalSection = field(default_factory=EvalSection)
    dtype: str = "auto"
    """auto, float32 or bfloat16."""
    against: Against | None = None
    """A stored model to hold the tuned ones against; only the items that it answered are asked."""
    alone: bool = False
    """Measure the base itself, as what is held against `against`."""
    prompts: bool = False
    """Ask the base on the targets in several ways too."""
    prompting: Prompting = field(default_factory=Prompting)
    """Which ways."""
    sequence: bool = False
    """The tuned models were trained one after another, each for a target ability of its own."""
    canaries: tuple[Planted, ...] = ()
    """Random strings that were planted in the data of the tuned models."""
    command: str = ""
    """What was typed."""

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: no suite, nothing to measure, a name that two suites share, or a judge that
                is one of the models judged; a base alone and a scorer that compares answers.
            ModelError: there is no such judge on this machine.
            DataError: examples are wanted that a task does not have.
        """
        demand_suites(self.suites)
        if self.alone and (self.subjects or self.against is None):
            raise UsageError(
                "a base alone is measured against a stored evaluation",
                cause="No stored evaluation is named."
                if self.against is None
                else "Runs are named too.",
                cure="Say `temper eval --base NEW --against EVAL`, without runs.",
            )
        if not self.subjects and not self.prompts and not self.alone:
            raise UsageError("there is no tuned model to measure", cure="Name a run.")
        if self.sequence:
            from evalsuite.sequence import check_sequence

            check_sequence(self.suites, len(self.subjects))
        if self.settings.few_shot:
            demand_examples(self.suites)
        if self.alone:
            from evalsuite.opinions.checks import refuse_pairs

            refuse_pairs(self.suites, "a base alone")
        self._check_judges()
        if self.prompts and not any(
            task.is_question and not is_opinion(task.scorer)
            for suite in self.suites
            if suite.spec.purpose == "target"
            for task in suite.spec.tasks
        ):
            raise UsageError(
                "--prompts measures the base on a target suite",
                cause="No suite given is a target with tasks of generation or choice that are "
                "scored without another model.",
                cure="Name one with --suite, or list it under `evaluate: suites:` in the recipe.",
            )

    def _check_judges(self) -> None:
        from evalsuite.opinions.checks import check_judges

        check_judges(self.suites, self.base, self.subjects)

    def model_names(self) -> list[str]:
        """Return a unique name for each subject, in order."""
        names = [subject.name for subject in self.subjects]
        return [
            name
            if names.count(name) == 1 and name != BASE
            else (subject.run or f"{name}-{subject.digest[:8]}")
            for name, subject in zip(names, self.subjects, strict=True)
        ]


class Watch(Protocol):
    """Is told what happens; may raise `Stopped` between two batches."""

    def doing(self, what: str) -> None:
        """Something without a count begins; empty: only a look at whether to stop."""

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        """A batch is answered: `done` of `total` answers of the whole evaluation."""
