"""What a gate takes in and what it says: plain data, written as it is into `results.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from numpy.typing import ArrayLike

Purpose = Literal["target", "retention"]
State = Literal["measured", "too_few", "not_run", "error", "incompatible"]
AbilityVerdict = Literal["pass", "fail", "inconclusive", "not measured"]
Status = Literal["pass", "fail", "inconclusive", "invalid"]
CanaryStatus = Literal["pass", "fail", "not_run"]

EXIT_CODES: dict[Status, int] = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 5}


@dataclass(frozen=True, slots=True)
class PairedAbility:
    """One ability as both models showed it, with the terms fixed before training."""

    name: str
    """Name of the ability, unique within a verdict."""
    purpose: Purpose
    """"target" is to be gained, "retention" to be kept."""
    base: ArrayLike = ()
    """Score of the base per item; higher is better."""
    tuned: ArrayLike = ()
    """Score of the tuned model for the same items in the same order."""
    item_ids: Sequence[str] = ()
    """Id per item; each once."""
    clusters: Sequence[str] | None = None
    """Label per item; items with equal labels are not independent."""
    held_back: bool = False
    """Whether training never replayed it; reported apart."""
    margin: float = 0.05
    """Retention: the largest loss that is acceptable, in the unit of the scores."""
    min_gain: float = 0.0
    """Target: the gain that must be exceeded, in the unit of the scores."""
    alpha: float = 0.05
    """Level of each one-sided test."""
    min_items: int = 500
    """Below this many items an ability is never counted as gained or kept."""
    chance: float | None = 0.0
    """Score of guessing; None where there is no such thing (perplexity)."""
    look: int = 1
    """How often its items were judged, this time included; each time with more of them."""
    pass_alpha: float | None = None
    """Level at which this look passes; None: alpha, as with a single look."""
    fail_alpha: float | None = None
    """Level at which this look fails; None: alpha."""
    bounded: bool | None = None
    """Whether scores lie between 0 and 1 by what they are; None: as they are found."""
    state: State = "measured"
    """Anything but "measured" says why there are no scores."""
    detail: str = ""
    """What happened, when the state is not "measured"."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A check that the measuring itself works; one that fails voids every number."""

    name: str
    """For example `adapter is active`."""
    status: CanaryStatus
    """Whether it passed, failed or was not run."""
    detail: str = ""
    """What was looked at and what was found."""


@dataclass(frozen=True, slots=True)
class AbilityResult:
    """The evidence on one ability and what follows from it.

    Scores and differences are in the unit of the score (0.05 is 5 points where `bounded`); None
    means that it was not measured or that it makes no sense.
    """

    name: str
    """Name of the ability."""
    purpose: Purpose
    """Whether it was to be gained or kept."""
    verdict: AbilityVerdict
    """The decision."""
    sentence: str
    """The decision in plain words, with the figures it rests on."""
    state: State
    """Whether there was anything to decide on."""
    detail: str = ""
    """What happened, when the state is not "measured"."""
    held_back: bool = False
    """Whether training never replayed it."""
    margin: float = 0.05
    """Largest acceptable loss (retention)."""
    min_gain: float = 0.0
    """Gain to be exceeded (target)."""
    alpha: float = 0.05
    """Level of each one-sided test."""
    min_items: int = 500
    """Items below which it cannot pass."""
    n: int = 0
    """Items compared."""
    clusters: int | None = None
    """Clusters, where items share them."""
    base: float | None = None
    """Mean score of the base."""
    tuned: float | None = None
    """Mean score of the tuned model."""
    difference: float | None = None
    """Tuned minus base."""
    low: float | None = None
    """Lower end of the 95 % interval of the difference."""
    high: float | None = None
    """Upper end of the 95 % interval of the difference."""
    lower_bound: float | None = None
    """One-sided lower bound at the level of the look: what must exceed −margin or min_gain."""
    upper_bound: float | None = None
    """One-sided upper bound at the level of the look: below the threshold it is a failure."""
    p: float | None = None
    """One-sided p: of a loss for retention, of a gain for a target."""
    p_holm: float | None = None
    """Retention only: `p` adjusted over all abilities to be kept, for naming what was lost."""
    minimum_detectable_effect: float | None = None
    """Smallest true change seen with probability 0.8 by a two-sided 5 % test."""
    negative_flips: int = 0
    """Items on which the tuned model scores lower."""
    positive_flips: int = 0
    """Items on which it scores higher."""
    chance: float | None = 0.0
    """Score of guessing."""
    retention: float | None = None
    """Share of the base's skill above chance that is left; None near chance."""
    items_needed: int | None = None
    """When undecided: items at which a decision is likely, if the difference stays as it is."""
    bounded: bool = True
    """Whether scores lie between 0 and 1."""
    method: str = ""
    """How interval and p were made."""
    looks: int = 1
    """How often it was judged, with more items each time, until it was decided."""
    pass_alpha: float | None = None
    """Level of the lower bound, where the look had one of its own; else alpha."""
    fail_alpha: float | None = None
    """Level of the upper bound and of `p_holm`, where the look had one of its own; else alpha."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision over all abilities."""

    status: Status
    """invalid before fail before inconclusive before pass."""
    exit_code: int
    """0 pass, 1 fail, 3 inconclusive, 5 invalid."""
    headline: str
    """One sentence for the top of a report."""
    reasons: tuple[str, ...] = ()
    """What the decision rests on, the weightiest first."""
    abilities: tuple[AbilityResult, ...] = ()
    """One result per ability, in the order given."""
    canaries: tuple[Canary, ...] = field(default=())
    """The checks of the measurement."""
