"""What came of making rows: those accepted, those lost, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from curate.reasons import Reason
from curate.synth.generators.base import Draft
from curate.synth.seeds import Seed
from evalsuite.asking.desk import Counts
from evalsuite.asking.purse import Purse
from evalsuite.asking.requests import Receipt

Stage = Literal["generate", "verify", "novelty"]


@dataclass(frozen=True)
class MadeRow:
    """An accepted row."""

    id: str
    draft: Draft
    generator: str
    cell: str
    number: int
    """Counts all rows of the job, accepted or not."""
    similarity: float
    """To the nearest known text."""
    nearest: str
    """Its id."""


@dataclass(frozen=True)
class LostRow:
    """A row that was not accepted."""

    id: str
    generator: str
    cell: str
    number: int
    stage: Stage
    reason: Reason
    detail: str
    parents: tuple[Seed, ...]
    duplicate_of: str | None = None
    draft: Draft | None = None
    raw: str = ""
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How far the job is."""

    accepted: int
    wanted: int
    lost: int
    counts: Counts
    purse: Purse
    seconds: float


@dataclass
class Making:
    """What was made."""

    made: list[MadeRow] = field(default_factory=list)
    lost: list[LostRow] = field(default_factory=list)
    unfinished: int = 0
    """Tasks for which the budget had no room; nothing was paid for them."""
    budget_gone: str = ""
    """Which limit ended the job; empty: none."""
