"""Every error a person can cause or meet, with the exit code it ends in.

    TemperError                     4   something failed while working
    ├── UsageError                  2   the command, recipe, data or model given is wrong
    │   ├── RecipeError             2   all problems of a recipe, each with file:line:column
    │   ├── DataError               2   rows or files that cannot be used
    │   └── ModelError              2   a model directory or name that cannot be used
    ├── WorkError                   4   a machine or a library below failed
    │   └── DiskFullError           4   no space left; what was there before is untouched
    ├── GateFailed                  1   a gate refused the model
    ├── GateInconclusive            3   a gate could not decide
    ├── EvaluationInvalid           5   a canary failed: no number may be trusted
    ├── LimitExceeded               6   a limit stopped the job (mask proof, leak, quarantine …)
    └── Stopped               128 + n   a signal stopped the job

An error has a title (what happened), a cause (what was found and what was expected), a cure (the
way out) and a place (`file:line:column`, a row, a field). It is rendered once, at the edge, by
`workspace.cli.run`.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass


class TemperError(Exception):
    """Base of all errors that are told to a person without a traceback."""

    exit_code = 4

    def __init__(self, title: str, *, cause: str = "", cure: str = "", where: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.cause = cause
        self.cure = cure
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        tail = "".join(f" {part}" for part in (self.cause, self.cure) if part)
        return f"{place}{self.title}{'.' if tail else ''}{tail}"


class UsageError(TemperError):
    """The command line, recipe, data or model given cannot be used as it is."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe."""

    where: str
    """`file:line:column`, or `--set key` for an override."""
    key: str
    """Dotted path of the value, for example `train.learning_rate`."""
    found: str
    """What was found there, shortened."""
    expected: str
    """What would have been right."""
    hint: str = ""
    """A did-you-mean or another way out."""

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.where}: {self.key}: found {self.found}; expected {self.expected}.{hint}"


class RecipeError(UsageError):
    """All problems of a recipe at once, in the order of the file."""

    def __init__(self, title: str, problems: Sequence[Problem]) -> None:
        super().__init__(title, cause="\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class DataError(UsageError):
    """Rows or files that cannot be used."""


class ModelError(UsageError):
    """A model directory or name that cannot be used."""


class WorkError(TemperError):
    """A machine or a library below failed while working."""


class DiskFullError(WorkError):
    """No space left on the device; what was on disk before is untouched."""


class GateFailed(TemperError):
    """A gate refused the model."""

    exit_code = 1


class GateInconclusive(TemperError):
    """A gate could not decide with the items it had."""

    exit_code = 3


class EvaluationInvalid(TemperError):
    """A canary failed: the comparison may not be believed."""

    exit_code = 5


class LimitExceeded(TemperError):
    """A limit that protects the user stopped the job."""

    exit_code = 6


class Stopped(TemperError):
    """A signal stopped the job after it had saved what it could."""

    def __init__(self, signal_number: int, *, cure: str = "") -> None:
        super().__init__(f"stopped by {signals.Signals(signal_number).name}", cure=cure)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
