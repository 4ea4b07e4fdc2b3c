"""What the reward proof found, for the record, for people, and to end the run by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from train.rows import TokenRows
from workspace.errors import LimitExceeded

_SHOWN = 3


@dataclass(frozen=True)
class RewardFault:
    """What disproves a reward."""

    reward: str
    row_id: str
    place: str
    problem: str


@dataclass
class RewardProof:
    """What was tried and what was found."""

    rows_tried: int
    rewards: list[dict[str, Any]] = field(default_factory=list)
    """By reward: name, weight, the most it gives, mean of right, empty and other rows' answers."""
    same_answer: bool = False
    """Whether all rows tried have one answer, so that nothing tells right from learnt by heart."""
    longest_answer: int = 0
    """Tokens of the longest right completion, its end token included."""
    rows_out_of_reach: int = 0
    """Rows whose right completion is longer than `max_new_tokens`."""
    rows_without_solution: int = 0
    """Rows with tests and no program that is known to pass them."""
    said: list[str] = field(default_factory=list)
    """What the rewards tell of themselves: isolation, models, costs."""
    faults: list[RewardFault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing disproves a reward."""
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `proof.json`."""
        return {"passed": self.passed, **asdict(self)}

    def notes(self, parts: Sequence[TokenRows] = ()) -> list[str]:
        """Return what a person should know of a proof that passed.

        Args:
            parts: the rows of each dataset.
        """
        told = [
            f"{len(part):,} {part.dataset.role} rows of {part.dataset.kind}: the assistant's last "
            "turn is the answer that is asked for"
            for part in parts
            if part.dataset.kind != "answer"
        ]
        told += [
            f"rewards: {', '.join(one['name'] for one in self.rewards)} tell the right answers of "
            f"{self.rows_tried:,} rows from wrong ones"
        ]
        told += self.said
        if self.rows_without_solution:
            told.append(
                f"! {self.rows_without_solution:,} of {self.rows_tried:,} rows have tests and no "
                "`solution`: that a right program gets the reward is not proved for them"
            )
        if self.same_answer:
            told.append("! all rows have one answer: to always write it will be learnt")
        if self.rows_out_of_reach:
            told.append(
                f"! {self.rows_out_of_reach:,} of {self.rows_tried:,} right answers are longer "
                f"than max_new_tokens (up to {self.longest_answer:,} tokens)"
            )
        return told

    def enforce(self) -> None:
        """Raise if a reward is disproved.

        Raises:
            LimitExceeded: a right answer that does not get the most, a wrong one that gets as
                much, or a reward that fails.
        """
        if self.passed:
            return
        shown = "\n".join(
            f"{one.place} (id {one.row_id[:12]}): {one.reward} {one.problem}"
            for one in self.faults[:_SHOWN]
        )
        raise LimitExceeded(
            f"the reward proof failed: {len(self.faults)} faults in {self.rows_tried} rows",
            where="train.method.rewards",
            cause=shown,
            cure="Choose a scorer that fits the answers, say in train.method.example what a right "
            "completion looks like, or mend the rows.",
        )
