"""Parity: the artefact says what the run says, within the noise of its precision. Pure.

Equality of texts is the wrong test: a bfloat16 adapter and its bfloat16 merge differ on some
prompts by rounding alone. So the run itself is read twice, in float32 and in the artefact's
precision; how far these two differ is the noise floor. The artefact is read too, and may differ
from the run in float32 as far as that, times `FACTOR`, and no further:

    KL per token      ≤ FACTOR · floor + LEAST_KL
    other top tokens  ≤ FACTOR · floor + LEAST_TOKENS
    prompts whose token ids differ = 0

All are read on the same tokens: the run's own greedy answers in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from workspace.errors import LimitExceeded

FACTOR = 3.0
"""Rounding of the merged weights comes on top of that of the arithmetic, which the floor has."""
LEAST_KL = 1e-6
"""Nats per token, below which nothing can be seen in any text: float32 sums in another order
differ by 1e-12 to 1e-8."""
LEAST_TOKENS = 2
"""Near ties that may fall either way."""

Status = Literal["pass", "fail", "not measured"]


@dataclass(frozen=True)
class Gap:
    """How far one reading is from the run in float32, over all compared tokens."""

    tokens: int
    kl_mean: float
    """Kullback-Leibler divergence from the run, nats per token."""
    kl_largest: float
    other_top_tokens: int
    """Tokens after which another one is the most likely."""

    @property
    def agreement(self) -> float:
        """Share of tokens with the same most likely one."""
        return 1 - self.other_top_tokens / self.tokens if self.tokens else 1.0


@dataclass(frozen=True)
class Difference:
    """A prompt that the artefact answers in other words."""

    prompt: str
    run: str
    artefact: str


@dataclass(frozen=True)
class Parity:
    """What was measured."""

    status: Status
    reason: str
    """Why it failed or was not measured; empty for a pass."""
    prompts: int = 0
    source: str = ""
    """What the prompts are."""
    ids_checked_with: str = ""
    """What tokenised the prompts a second time."""
    ids_differing: tuple[str, ...] = ()
    """Names of prompts whose token ids differ."""
    reference: str = ""
    """How the run was read."""
    precision: str = ""
    """How the artefact was read."""
    floor_of: str = ""
    """What the floor is."""
    floor: Gap | None = None
    artefact: Gap | None = None
    effect: Gap | None = None
    """The base against the run: what a lost adapter would look like."""
    texts_differing: int = 0
    differences: tuple[Difference, ...] = ()
    """Some of them."""
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `parity.json`."""
        rule = {"factor": FACTOR, "least_kl": LEAST_KL, "least_tokens": LEAST_TOKENS}
        return {"schema_version": 1, **asdict(self), "rule": rule}

    def enforce(self, where: str) -> None:
        """Raise unless the artefact is the run.

        Raises:
            LimitExceeded: it says something else.
        """
        if self.status == "fail":
            raise LimitExceeded(
                "the export is not the model that was trained",
                where=where,
                cause=f"{self.reason} Nothing was left under this name.",
                cure="Export the adapter as it is (--to adapter), or the merged model in float32 "
                "(--precision float32); if these fail too, report it.",
            )


def decide(
    ids_differing: Sequence[str],
    floor: Gap | None,
    artefact: Gap | None,
    effect: Gap | None,
    *,
    changes_precision: bool = False,
) -> tuple[Status, str, tuple[str, ...]]:
    """Return the decision, why, and what a reader should know.

    Args:
        ids_differing: prompts that another library would tokenise otherwise.
        floor: the run in the artefact's precision.
        artefact: the artefact.
        effect: the base.
        changes_precision: the artefact's weights were quantised: how far it is from the run is
            told, and the gate decides.
    """
    if ids_differing:
        shown = ", ".join(ids_differing[:3])
        return "fail", f"{len(ids_differing)} prompts get other token ids ({shown}).", ()
    if floor is None or artefact is None:
        return "not measured", "The artefact could not be loaded here.", ()
    notes = tuple(_effect_notes(artefact, effect))
    kl, tokens = limits(floor)
    if changes_precision:
        if effect is not None and artefact.kl_mean >= max(effect.kl_mean, kl):
            return (
                "fail",
                f"It is {artefact.kl_mean:.3g} nats per token from the run, as far as the base "
                f"({effect.kl_mean:.3g}): what was learnt is lost.",
                notes,
            )
        return "pass", "", notes
    # also true of NaN, which compares as neither
    if not artefact.kl_mean <= kl:
        return (
            "fail",
            f"It is {artefact.kl_mean:.3g} nats per token from the run; the noise of this "
            f"precision is {floor.kl_mean:.3g}, and {kl:.3g} is allowed.",
            notes,
        )
    if artefact.other_top_tokens > tokens:
        return (
            "fail",
            f"Another token is the likeliest after {artefact.other_top_tokens:,} of "
            f"{artefact.tokens:,} tokens; by the noise of this precision it is so after "
            f"{floor.other_top_tokens:,}, and {tokens:g} are allowed.",
            notes,
        )
    return "pass", "", notes


def limits(floor: Gap) -> tuple[float, float]:
    """Return the largest KL per token and count of other top tokens that are allowed."""
    return (
        FACTOR * floor.kl_mean + LEAST_KL,
        FACTOR * floor.other_top_tokens + LEAST_TOKENS,
    )


def _effect_notes(artefact: Gap, effect: Gap | None) -> Sequence[str]:
    if effect is None:
        return ()
    if effect.kl_mean <= FACTOR * artefact.kl_mean + LEAST_KL:
        return (
            f"The tune itself moved the model by {effect.kl_mean:.3g} nats per token on these "
            "prompts, hardly more than this precision's noise: some of it may be rounded away.",
        )
    return ()
