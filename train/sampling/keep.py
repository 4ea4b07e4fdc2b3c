"""Which completions are learnt from, with an account of every one that is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from train.reinforcement_sections import RftSection
from train.sampling.drawn import Drawn


@dataclass
class Account:
    """Prompts and completions: in = kept + lost."""

    prompts: int = 0
    prompts_kept: int = 0
    """With at least one completion that is learnt."""
    prompts_lost: int = 0
    """Without any that is right."""
    completions: int = 0
    completions_kept: int = 0
    lost: dict[str, int] = field(
        default_factory=lambda: {"wrong": 0, "cut": 0, "duplicate": 0, "beyond_most_kept": 0}
    )
    """By reason. `cut`: right, but did not end; learnt, it would teach not to end."""
    lost_ids: list[str] = field(default_factory=list)
    """Ids of the prompts that are lost."""

    def balances(self) -> bool:
        """Whether nothing is unaccounted for."""
        kept = self.completions_kept + sum(self.lost.values()) == self.completions
        return kept and self.prompts_kept + self.prompts_lost == self.prompts

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `ledger.json`."""
        return asdict(self)

    @property
    def told(self) -> list[str]:
        """What a person should know."""
        lost = ", ".join(f"{count:,} {why}" for why, count in self.lost.items() if count)
        notes = [
            f"kept {self.completions_kept:,} of {self.completions:,} completions ({lost or 'all'})"
        ]
        if self.prompts_lost:
            share = self.prompts_lost / self.prompts
            notes.append(
                f"! {self.prompts_lost:,} of {self.prompts:,} prompts ({share:.0%}) are lost: none "
                "of their completions is right, and what is hard is not learnt"
            )
        return notes


def keep(
    method: RftSection, row_ids: Sequence[str], drawn: Iterable[Drawn]
) -> tuple[list[Drawn], Account]:
    """Return the completions to learn from, in the order of rows, and the account.

    Args:
        method: the threshold and how many of one prompt.
        row_ids: of all prompts.
        drawn: all completions.
    """
    of_row: dict[str, list[Drawn]] = {row_id: [] for row_id in row_ids}
    for one in drawn:
        of_row[one.row_id].append(one)
    account, kept = Account(prompts=len(of_row)), []
    for row_id, completions in of_row.items():
        right = _chosen(method, completions, account)
        account.completions += len(completions)
        account.completions_kept += len(right)
        account.prompts_kept += bool(right)
        if not right:
            account.prompts_lost += 1
            account.lost_ids.append(row_id)
        kept += right
    assert account.balances()
    return kept, account


_CLOSE = 1e-6


def _chosen(method: RftSection, completions: Sequence[Drawn], account: Account) -> list[Drawn]:
    chosen: list[Drawn] = []
    texts: set[str] = set()
    for one in sorted(completions, key=lambda one: (-one.reward, one.sample)):
        text = " ".join(one.text.split())
        if one.reward < method.least - _CLOSE or not text:
            account.lost["wrong"] += 1
        elif not one.ended:
            account.lost["cut"] += 1
        elif text in texts:
            account.lost["duplicate"] += 1
        elif len(chosen) == method.most_kept:
            account.lost["beyond_most_kept"] += 1
        else:
            chosen.append(one)
            texts.add(text)
    return chosen
