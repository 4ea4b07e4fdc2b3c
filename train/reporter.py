"""How training tells what it is doing; the command line renders it, tests collect it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from train.plan import Prepared
    from train.trl_bridge import StepReport


class Reporter(Protocol):
    """What a run tells while it works."""

    def note(self, text: str) -> None:
        """Tell one fact: a decision and its reason, a fallback, a path."""

    def working(self, what: str, done: int, total: int) -> None:
        """Tell how far a phase is."""

    def planned(self, prepared: Prepared) -> None:
        """Tell the plan, before anything is spent."""

    def step(self, report: StepReport) -> None:
        """Tell what one optimiser step showed."""


class Silent:
    """Tells nothing."""

    def note(self, text: str) -> None:
        """Pass over a fact."""

    def working(self, what: str, done: int, total: int) -> None:
        """Pass over progress."""

    def planned(self, prepared: Prepared) -> None:
        """Pass over the plan."""

    def step(self, report: StepReport) -> None:
        """Pass over a step."""
