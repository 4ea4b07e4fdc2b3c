"""The `evaluate:` section of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evalsuite.monitor.section import MonitorSection
from evalsuite.overfitting.section import OverfittingSection
from evalsuite.prompting.section import PromptSection
from evalsuite.served.section import ServedSection
from evalsuite.sizing.section import SizingSection
from evalsuite.triage.section import TriageSection
from workspace.recipe import Section


class EvalSection(Section):
    """What a tuned model is measured by, against its base, on the same items."""

    suites: list[str] = Field(default_factory=list)
    """Suites to put: a path, a name in `suites/`, or `builtin:NAME`. At least one target and one
    retention suite, else either the gain or the loss is not known."""

    items: int | None = Field(default=None, ge=20)
    """Ask about this many items of each task, the same of every model: a quicker look, which shows
    only larger differences. Left out: all."""

    items_seed: int = 0
    """Another seed draws other items."""

    few_shot: bool = False
    """Put each task's examples before every item, for base and tuned alike. Longer prompts cost
    time; `--prompts` measures the base with and without examples in any case."""

    prompts: PromptSection = PromptSection()
    """What `--prompts` tries in place of tuning."""

    overfitting: OverfittingSection = OverfittingSection()
    """Whether a run learned, over-fitted or memorised, on rows of its own data."""

    triage: TriageSection = TriageSection()
    """Whether an ability that was lost is gone or only answered in another form."""

    served: ServedSection | None = None
    """Models behind OpenAI-compatible addresses, for `temper eval --served`: the same items,
    statistics and verdicts for what is only served."""

    base_weights: Literal["as_trained", "full"] = "as_trained"
    """For adapters that were trained on a 4-bit base: measure base and tuned on that (as they were
    trained), or both on the unquantised weights (as they may be served)."""

    inconclusive: Literal["inconclusive", "pass", "fail"] = "inconclusive"
    """What `--gate` makes of an undecided verdict: exit code 3, 0 or 1."""

    batch_tokens: int | None = Field(default=None, ge=64)
    """Rows times the longest row in one pass. Left out: 16,384 on a CPU, 131,072 on a GPU. Larger
    is faster until memory ends; a batch that does not fit is halved and said so."""

    batch_rows: int = Field(default=256, ge=1, le=4096)
    """Most rows in one pass."""

    sizing: SizingSection | None = None
    """Ask more items only for undecided abilities (`temper eval --top-up`): `{}` begins with each
    ability's `min_items`. Left out: all items are asked at once."""

    monitor: MonitorSection | None = None
    """A model that is only served, for `temper monitor`."""

    noise_items: int = Field(default=64, ge=0, le=1000)
    """Items that the base answers twice, in other batches, to see what changes when nothing did.
    The evaluation is invalid if certainly (95 %, one-sided) more of them change than the smallest
    margin of the suites allows. 0 leaves this check out."""
