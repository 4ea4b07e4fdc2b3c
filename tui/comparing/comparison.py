"""What two things have in common and where they differ, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tui.series import NO_POINTS, Series
from tui.verdicts import Ability

Kind = Literal["runs", "datasets", "recipes"]
KINDS: tuple[Kind, ...] = ("runs", "datasets", "recipes")


@dataclass(frozen=True)
class Fact:
    """One thing that is known of both."""

    key: str
    left: str | None
    """None: it has none."""
    right: str | None

    @property
    def differs(self) -> bool:
        """Whether both say something else."""
        return self.left != self.right


@dataclass(frozen=True)
class Part:
    """Facts of one kind, under a title."""

    title: str
    facts: tuple[Fact, ...]
    note: str = ""
    """Why there are none, if they could not be read."""

    @property
    def differing(self) -> tuple[Fact, ...]:
        """Facts that differ."""
        return tuple(fact for fact in self.facts if fact.differs)

    @property
    def equal(self) -> tuple[Fact, ...]:
        """Facts that do not."""
        return tuple(fact for fact in self.facts if not fact.differs)


@dataclass(frozen=True)
class Abilities:
    """One ability, as both were judged on it."""

    name: str
    purpose: str
    left: Ability | None
    right: Ability | None

    @property
    def change(self) -> float | None:
        """The right tuned score less the left one."""
        scores = [one.tuned if one is not None else None for one in (self.left, self.right)]
        return None if None in scores else scores[1] - scores[0]  # type: ignore[operator]

    @property
    def differs(self) -> bool:
        """Whether the verdicts are not the same, or one is missing."""
        if self.left is None or self.right is None:
            return True
        return self.left.verdict != self.right.verdict


@dataclass(frozen=True)
class Comparison:
    """Two things held against each other."""

    kind: Kind
    names: tuple[str, str]
    parts: tuple[Part, ...]
    abilities: tuple[Abilities, ...] = ()
    """Other verdicts first, then the largest change."""
    curves: tuple[Series, Series] = (NO_POINTS, NO_POINTS)
    """The losses of two runs."""
    rows: tuple[tuple[str, str, int], ...] = ()
    """Of two datasets: what happened to how many rows, and why."""
    rows_equal: int | None = None
    """Of two datasets: rows with the same text in the same split."""
    notes: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "schema_version": 1,
            "kind": self.kind,
            "names": [*self.names],
            "parts": [
                {
                    "title": part.title,
                    "differ": [asdict(fact) for fact in part.differing],
                    "equal": len(part.equal),
                    "note": part.note,
                }
                for part in self.parts
            ],
            "abilities": [asdict(one) | {"change": one.change} for one in self.abilities],
            "rows": [{"what": what, "why": why, "rows": rows} for what, why, rows in self.rows],
            "rows_equal": self.rows_equal,
            "notes": [*self.notes],
        }


def flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of a document, each with its keys joined by dots.

    >>> dict(flat({"train": {"steps": 5, "betas": [1, 2]}, "data": {}, "none": None}))
    {'train.steps': '5', 'train.betas.0': '1', 'train.betas.1': '2', 'data': '{}', 'none': ''}
    """
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from flat(item, f"{key}.{number}")
    else:
        yield key, "" if value is None else str(value)


def facts_of(left: Mapping[str, str], right: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return a fact for every key of two documents, in their order."""
    return tuple(Fact(key, left.get(key), right.get(key)) for key in {**left, **right})


def paired_abilities(
    left: tuple[Ability, ...], right: tuple[Ability, ...]
) -> tuple[Abilities, ...]:
    """Pair abilities by name and purpose: other verdicts first, then the largest change."""
    known = [{(one.name, one.purpose): one for one in side} for side in (left, right)]
    pairs = [
        Abilities(name, purpose, known[0].get((name, purpose)), known[1].get((name, purpose)))
        for name, purpose in {**known[0], **known[1]}
    ]
    return tuple(sorted(pairs, key=lambda one: (not one.differs, -abs(one.change or 0.0))))
