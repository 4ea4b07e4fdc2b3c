"""What is asked of the dial. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.benchmarks.names import refuse_benchmarks
from evalsuite.engine.request import EvalRequest
from evalsuite.opinions.checks import refuse_opinions
from train.dial.origin import Origin
from train.dial.points import Point
from workspace.errors import UsageError


@dataclass(frozen=True)
class DialRequest:
    """A run, the points to measure, and by what."""

    origin: Origin
    points: tuple[Point, ...]
    """The base first."""
    asked: EvalRequest
    """Base, suites and settings, as `temper eval` takes them."""

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: no suite, two of one name, no target or nothing to be kept among them, or a
                task that another model scores or that is a benchmark of lm_eval.
            DataError: examples are wanted that a task does not have.
        """
        refuse_opinions(self.asked.suites, "the dial")
        self.asked.check()
        refuse_benchmarks(self.asked.suites, "temper dial")
        purposes = {suite.spec.purpose for suite in self.asked.suites}
        for purpose, what in (("target", "to be gained"), ("retention", "to be kept")):
            if purpose not in purposes:
                raise UsageError(
                    f"no suite of what is {what} was given",
                    cause="The dial weighs what was learnt against what was forgotten: it needs a "
                    "target suite and a retention suite.",
                    cure="Name both with --suite, or list them under `evaluate: suites:`.",
                )
