"""What an evaluation is asked to measure, and who is told how far it is. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from evalsuite.engine.subjects import Subject
from evalsuite.models import ModelSource
from evalsuite.prompting.arms import Prompting
from evalsuite.recipe import EvalSection
from evalsuite.tasks import LoadedSuite
from workspace.errors import DataError, UsageError

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
    prompts: bool = False
    """Ask the base on the targets in several ways too."""
    prompting: Prompting = field(default_factory=Prompting)
    """Which ways."""
    command: str = ""
    """What was typed."""

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: no suite, nothing to measure, or a name that two suites share.
            DataError: examples are wanted that a task does not have.
        """
        if not self.suites:
            raise UsageError(
                "no suite was given",
                cure="Name one with --suite, or list them under `evaluate: suites:` in the recipe.",
            )
        names = [suite.spec.name for suite in self.suites]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"two suites are called {twice[0]!r}", cure="Rename one of them.")
        if not self.subjects and not self.prompts:
            raise UsageError("there is no tuned model to measure", cure="Name a run.")
        for suite in self.suites if self.settings.few_shot else ():
            for task in suite.tasks:
                if task.spec.few_shot and task.few_shot is None:
                    raise DataError(
                        "examples are wanted, and there are none",
                        where=str(suite.path),
                        cause=" ".join(task.notes),
                        cure="Mend `few_shot` of the task, or leave `few_shot` out of the recipe.",
                    )
        if self.prompts and not any(
            task.kind != "perplexity"
            for suite in self.suites
            if suite.spec.purpose == "target"
            for task in suite.spec.tasks
        ):
            raise UsageError(
                "--prompts measures the base on a target suite",
                cause="No suite given is a target whose tasks are generation or choice.",
                cure="Name one with --suite, or list it under `evaluate: suites:` in the recipe.",
            )

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
        """Something without a count begins."""

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        """A batch is answered: `done` of `total` answers of the whole evaluation."""
