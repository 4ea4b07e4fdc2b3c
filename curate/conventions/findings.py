"""What a look at the conventions of a dataset found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.proportions import wilson_interval

Rows = NDArray[np.int64]
Level = Literal["departing", "source", "mixed"]


@dataclass(frozen=True)
class Example:
    """A row that departs."""

    id: str
    place: str
    """`FILE:ROW`."""
    what: str
    """What it does instead."""
    excerpt: str


@dataclass(frozen=True)
class Finding:
    """A convention, how many keep to it and who does not."""

    aspect: str
    """What is looked at: `json`, `keys`, `ending` …"""
    level: Level
    """`departing`: single rows against nearly all others. `source`: a whole source keeps another
    convention than the others. `mixed`: no convention is kept by nearly all."""
    form: bool
    """Whether a parser or an exact scorer would stumble over it; the rest is style."""
    convention: str
    """What the most do, in words."""
    keeps: int
    """Rows that keep it."""
    applies: int
    """Rows to which it applies."""
    others: tuple[tuple[str, int], ...]
    """What the others do instead, and how many, the most frequent first."""
    source: str = ""
    """The source that is told about; empty: all."""
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    """Places (`_row`) of the rows that depart, ascending; none at level `mixed`."""
    instead: tuple[str, ...] = ()
    """What each of `rows` does instead."""
    examples: tuple[Example, ...] = ()

    @property
    def departs(self) -> int:
        """Rows that do not keep the convention."""
        return self.applies - self.keeps

    @property
    def share(self) -> float:
        """Share of the rows that keep it."""
        return self.keeps / max(self.applies, 1)

    def with_examples(self, examples: tuple[Example, ...]) -> Finding:
        """Return the finding with some of its rows shown."""
        return replace(self, examples=examples)

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        listed = "; ".join(f"{rows:,} {what}" for what, rows in self.others[:4])
        more = "" if len(self.others) <= 4 else "; …"
        count = f"{self.keeps:,} of {self.applies:,} rows ({_percent(self.share)})"
        if self.level == "source":
            return f"{self.source} differs as a whole: {count} {self.convention}; {listed}{more}"
        place = f"{self.source}: " if self.source else ""
        if self.level == "mixed":
            return f"{place}no one convention: {self.keeps:,} {self.convention}; {listed}{more}"
        return f"{place}{count} {self.convention}; not so {self.departs:,}: {listed}{more}"

    def document(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        low, high = wilson_interval(self.keeps, self.applies)[:2] if self.applies else (0.0, 1.0)
        return {
            "aspect": self.aspect,
            "level": self.level,
            "form": self.form,
            "source": self.source or None,
            "convention": self.convention,
            "keeps": self.keeps,
            "applies": self.applies,
            "share": round(self.share, 6),
            "share_interval_95": [round(low, 6), round(high, 6)],
            "others": [{"what": what, "rows": rows} for what, rows in self.others],
            "sentence": self.sentence,
            "examples": [vars(example) for example in self.examples],
        }


def _percent(share: float) -> str:
    """Return a share that never reads 100 % where a row is missing."""
    if share == 1:
        return "100 %"
    return f"{min(share * 100, 99.99):.2f} %" if share > 0.99 else f"{share * 100:.1f} %"
