"""What the votes of a duel say. Imports scipy: call `judge` from a thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tui.duel.record import Vote

ALPHA = 0.05


@dataclass(frozen=True)
class Tally:
    """Counts of votes."""

    wins: tuple[int, int]
    """In which the first model was preferred, and the second."""
    both_good: int
    both_bad: int
    skipped: int

    @property
    def decided(self) -> int:
        """Votes that prefer one."""
        return sum(self.wins)

    @property
    def votes(self) -> int:
        """All but the skipped ones."""
        return self.decided + self.both_good + self.both_bad


def tally(votes: Iterable[Vote]) -> Tally:
    """Count votes."""
    found = list(votes)
    chosen = [vote.choice for vote in found]
    winners = [vote.winner for vote in found]
    return Tally(
        (winners.count(0), winners.count(1)),
        chosen.count("both good"),
        chosen.count("both bad"),
        chosen.count("skip"),
    )


@dataclass(frozen=True)
class Judgement:
    """How often the second model was preferred to the first."""

    tally: Tally
    rate: float | None
    """Of decided votes; None without any."""
    low: float | None
    """Of the 95 % Wilson score interval of `rate`."""
    high: float | None
    with_ties: float | None
    """Rate over all votes, both good and both bad as half a win; None below two votes."""
    ties_low: float | None
    """Of its 95 % interval: the rate and 1.96 standard errors of the mean of the votes' points."""
    ties_high: float | None
    sign_p: float | None
    """Two-sided sign test over the decided votes: no model is preferred."""

    @property
    def is_decided(self) -> bool:
        """Whether the sign test says that one is preferred."""
        return self.sign_p is not None and self.sign_p < ALPHA

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


def judge(counts: Tally) -> Judgement:
    """Work out rates and intervals; prompts count as independent of each other."""
    from evalsuite.stats.preference import win_rate
    from evalsuite.stats.proportions import wilson_interval

    first, second = counts.wins
    if not counts.decided:
        return Judgement(counts, None, None, None, None, None, None, None)
    wilson = wilson_interval(second, counts.decided)
    rate = second / counts.decided
    if counts.votes < 2:
        return Judgement(counts, rate, wilson.low, wilson.high, None, None, None, None)
    found = win_rate(second, first, counts.both_good + counts.both_bad)
    low, high = max(0.0, found.interval.low), min(1.0, found.interval.high)
    return Judgement(counts, rate, wilson.low, wilson.high, found.rate, low, high, found.sign_p)


def sentences(models: tuple[str, str], found: Judgement) -> list[tuple[str, str]]:
    """Return the result in sentences, each with its role."""
    first, second = models
    counts = found.tally
    rest = (
        f"both good {counts.both_good}, both bad {counts.both_bad}, skipped {counts.skipped}",
        "muted",
    )
    if found.rate is None:
        return [("No vote prefers one of them: there is no win rate.", "warn"), rest]
    better = second if found.rate >= 0.5 else first
    head = (
        (f"{better} is preferred.", "good")
        if found.is_decided
        else ("Undecided: so few or so even votes can come from chance.", "warn")
    )
    told = [
        head,
        (
            f"{second} was preferred in {counts.wins[1]} of {counts.decided} decided votes: "
            f"{found.rate:.0%}, {_between(found.low, found.high)} "
            "(95 % Wilson score interval).",
            "",
        ),
        (f"{first} was preferred in {counts.wins[0]}.", ""),
        rest,
    ]
    if found.with_ties is not None and counts.votes > counts.decided:
        told.append(
            (
                f"With both good and both bad as half a win: {found.with_ties:.0%}, "
                f"{_between(found.ties_low, found.ties_high)} (95 %, normal).",
                "",
            )
        )
    if found.sign_p is not None:
        told.append((f"Sign test that neither is preferred: p = {found.sign_p:.2g}.", "muted"))
    return told


def _between(low: float | None, high: float | None) -> str:
    return f"{low or 0.0:.0%} to {1.0 if high is None else high:.0%}"
