"""Everything that was answered, however it was asked. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.canaries import Noise
from evalsuite.engine.pairing import Samples
from evalsuite.engine.request import BASE
from evalsuite.engine.unmeasured import Key, Unmeasured
from evalsuite.prompting.findings import PromptTrial
from evalsuite.report import ModelRecord
from evalsuite.report.judgements import JudgeRecord, WinRateRecord
from evalsuite.triage.records import TriageRecord
from evalsuite.verdict import Canary

if TYPE_CHECKING:
    from evalsuite.overfitting.panel import OwnData

CACHE = ".cache"
"""Where answers are kept below `evals/`, by the models that gave them."""


@dataclass
class Measured:
    """Everything that was answered."""

    models: list[ModelRecord] = field(default_factory=list)
    samples: dict[str, Samples] = field(default_factory=dict)
    """By model name."""
    missing: dict[str, dict[Key, Unmeasured]] = field(default_factory=dict)
    """By model name: tasks without samples, and why."""
    canaries: dict[str, list[Canary]] = field(default_factory=dict)
    """By model; the base's void every comparison."""
    noise: Noise | None = None
    trials: list[PromptTrial] = field(default_factory=list)
    own_data: dict[str, OwnData] = field(default_factory=dict)
    """What each tuned model was trained on, read by it and by the base."""
    triage: list[TriageRecord] = field(default_factory=list)
    """Lost abilities, asked again."""
    judges: list[JudgeRecord] = field(default_factory=list)
    """Tasks that other models scored."""
    win_rates: list[WinRateRecord] = field(default_factory=list)
    """How tuned models do against the base where answers are compared."""
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    published: Callable[[], None] = lambda: None
    """To be called once the results are on disk."""

    @property
    def of_base(self) -> list[Canary]:
        """The checks that hold for every comparison."""
        noise = [self.noise.canary] if self.noise else []
        return [*self.canaries.get(BASE, []), *noise]

    def checks(self, model: str) -> list[Canary]:
        """Return the checks of one model, the base's among them."""
        own = self.canaries.get(model, []) if model != BASE else []
        return [*own, *self.of_base]
