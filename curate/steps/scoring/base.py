"""What a score is made of: rows in, numbers or a reason out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Record = Mapping[str, Any]
"""The columns of a row's type, `tools`, `source` and `user_id`."""


@dataclass(frozen=True)
class Measured:
    """What was found for a row."""

    values: tuple[float, ...] = ()
    """One for each of the scorer's columns, finite; empty where there is none."""
    reason: str = ""
    """Why there is none."""
    lasting: bool = True
    """Whether the same would come out again, so that it may be kept: a row that is too long stays
    too long, a request that failed may be answered next time."""


Found = Generator[tuple[Sequence[int], Sequence[Measured]], None, None]
"""Batches of (places among the rows asked about, what was found for each)."""


class Scorer(Protocol):
    """One kind of score. Nothing heavy is loaded before the first call of `measure`."""

    columns: tuple[str, ...]
    """Names of the numbers, the one that thresholds are about among them."""
    fingerprint: Mapping[str, Any]
    """All that decides a number beside the row: kind, settings that matter, model digest."""
    described: str
    """For people: which model, and where rows go."""

    def excused(self, source: str | None, user_id: str | None) -> str:
        """Return why a row from there must not be scored, whatever it holds; empty if it may."""
        ...

    def measure(self, records: Sequence[Record]) -> Found:
        """Yield numbers batch by batch, in any order, each row once."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the work done, one sentence each."""
        ...

    def close(self) -> None:
        """Let go of models and connections."""
        ...
