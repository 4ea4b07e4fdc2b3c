"""What `results.json` holds of abilities that were asked again."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["format", "hidden", "real", "unclear"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WayRecord(_Record):
    """One way of asking, on the same items by both models."""

    name: str
    """as asked, right answer among other words, one example, answer begun, or choice."""
    items: int
    base: float
    """Mean score of the base."""
    tuned: float
    """Mean score of the tuned model."""
    low: float
    """Lower end of the 95 % interval of the tuned model's score (Wilson)."""
    chance: float = 0.0
    """Score of guessing."""
    kept: float | None = None
    """Share of the base's skill above guessing that the tuned model has; None where this way
    tells nothing: too few items, or the base itself cannot do it so asked."""
    left: float = 0.0
    """Share of it that is left on the same items as the suite asks."""


class TriageRecord(_Record):
    """One lost ability of one tuned model."""

    tuned: str
    ability: str
    kind: Kind
    """format: it is written when asked otherwise; hidden: never written, but its likelihood knows
    it; real: in no way; unclear: none of them tells."""
    sentence: str
    """What was found, in plain words."""
    advice: str
    """What to do next."""
    ways: list[WayRecord]
    """The first is how the suite asked."""
