"""The account of every row and token between the dataset and the trainer.

rows in   = kept + dropped
tokens in = trained + masked + cut + dropped
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from train.plan.lengths import LengthCurve
from train.plan.packing import PackingAccount
from train.plan.tokens import Tokenised
from train.recipe import Limits
from workspace.errors import DataError, LimitExceeded

_SHOWN = 3


@dataclass
class Account:
    """Rows and tokens of one source."""

    rows_in: int = 0
    rows_kept: int = 0
    rows_cut: int = 0
    """Of the kept ones, those that lost their end."""
    rows_dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    tokens_in: int = 0
    tokens_trained: int = 0
    """Carry loss."""
    tokens_masked: int = 0
    """Read, but without loss: prompts and template."""
    tokens_cut: int = 0
    tokens_dropped: int = 0

    @property
    def rows_lost(self) -> int:
        """Rows dropped or cut."""
        return sum(self.rows_dropped.values()) + self.rows_cut

    def balances(self) -> bool:
        """Return whether what came in is what is accounted for."""
        rows = self.rows_kept + sum(self.rows_dropped.values())
        tokens = self.tokens_trained + self.tokens_masked + self.tokens_cut + self.tokens_dropped
        return self.rows_in == rows and self.tokens_in == tokens

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "rows_dropped": dict(self.rows_dropped)}


@dataclass(frozen=True)
class TokenLedger:
    """Accounts by role (`train`, `replay`) and source, with the rows that lost something."""

    accounts: dict[tuple[str, str], Account]
    losses: Sequence[dict[str, Any]]
    """Rows cut or dropped: role, source, row_id, place, tokens, reason, lost tokens."""
    packing: PackingAccount | None = None
    """What packing saves over all steps, where rows share sequences."""
    lengths: LengthCurve | None = None
    """How long the rows are; None where none could be tokenised."""

    def total(self, role: str) -> Account:
        """Return the sum over the sources of a role."""
        out = Account()
        for (account_role, _), account in self.accounts.items():
            if account_role == role:
                _add(out, account)
        return out

    def warnings(self) -> list[str]:
        """Return which sources lose more than half of their rows."""
        return [
            f"{role} source {source}: {account.rows_lost:,} of {account.rows_in:,} rows are "
            "dropped or cut; train.limits.of_source stops such a run"
            for (role, source), account in sorted(self.accounts.items())
            if account.rows_lost > account.rows_in / 2
        ]

    def roles(self) -> list[str]:
        """Return the roles that have rows, train first."""
        return sorted({role for role, _ in self.accounts}, reverse=True)

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `ledger.json`."""
        return {
            "schema_version": 1,
            "totals": {role: self.total(role).as_dict() for role in self.roles()},
            "sources": [
                {"role": role, "source": source, **account.as_dict()}
                for (role, source), account in sorted(self.accounts.items())
            ],
            "rows": list(self.losses),
            **({"packing": self.packing.as_dict()} if self.packing else {}),
            **({"lengths": self.lengths.as_dict()} if self.lengths else {}),
        }


def _add(out: Account, account: Account) -> None:
    for name, value in vars(account).items():
        if isinstance(value, Counter):
            out.rows_dropped.update(value)
        else:
            setattr(out, name, getattr(out, name) + value)


def make_ledger(datasets: Iterable[Tokenised]) -> TokenLedger:
    """Account for every row of the datasets."""
    accounts: dict[tuple[str, str], Account] = defaultdict(Account)
    losses: list[dict[str, Any]] = []
    for dataset in datasets:
        rows = dataset.kept
        role = rows.dataset.role
        for index, (source, tokens, trained, cut) in enumerate(
            zip(
                rows.sources,
                rows.tokens.tolist(),
                rows.trained.tolist(),
                rows.cut.tolist(),
                strict=True,
            )
        ):
            account = accounts[role, source]
            account.rows_in += 1
            account.rows_kept += 1
            account.tokens_in += tokens + cut
            account.tokens_trained += trained
            account.tokens_masked += tokens - trained
            account.tokens_cut += cut
            if cut:
                account.rows_cut += 1
                kept = rows[index]
                losses.append(_loss(role, source, kept.row_id, kept.row.place, tokens, "cut", cut))
        for gone in dataset.dropped:
            account = accounts[gone.role, gone.source]
            account.rows_in += 1
            account.rows_dropped[gone.reason] += 1
            account.tokens_in += gone.tokens
            account.tokens_dropped += gone.tokens
            losses.append(
                _loss(
                    gone.role,
                    gone.source,
                    gone.row_id,
                    gone.place,
                    gone.tokens,
                    gone.reason,
                    gone.tokens,
                )
            )
    ledger = TokenLedger(dict(accounts), losses)
    wrong = [key for key, account in ledger.accounts.items() if not account.balances()]
    if wrong:
        raise AssertionError(f"the token ledger does not balance for {wrong}")
    return ledger


def _loss(
    role: str, source: str, row_id: str, place: str, tokens: int, reason: str, lost: int
) -> dict[str, Any]:
    return {
        "role": role,
        "source": source,
        "row_id": row_id,
        "place": place,
        "tokens": tokens,
        "reason": reason,
        "lost_tokens": lost,
    }


def enforce(ledger: TokenLedger, limits: Limits, *, max_length: int) -> None:
    """Stop where more was lost than the recipe allows.

    Args:
        ledger: what was lost.
        limits: what may be.
        max_length: the limit that rows had to keep.

    Raises:
        LimitExceeded: more rows dropped or cut than allowed, of a dataset or of a source.
        DataError: a dataset has no row left.
    """
    longest = int(ledger.lengths.lengths[-1]) if ledger.lengths else 0
    for role in ledger.roles():
        total = ledger.total(role)
        for reason, count, allowed in (
            ("dropped", sum(total.rows_dropped.values()), limits.dropped),
            ("cut", total.rows_cut, limits.cut),
        ):
            if count > allowed * total.rows_in:
                raise _beyond(ledger, role, reason, count, allowed, max_length)
        if total.rows_kept == 0:
            raise DataError(
                f"no row of the {role} dataset is left to learn from",
                cause=f"All {total.rows_in:,} rows were dropped: {dict(total.rows_dropped)}.",
                cure=f"Raise train.max_length (the longest row has {longest:,} tokens).",
            )
    for (role, source), account in sorted(ledger.accounts.items()):
        if limits.of_source is not None and account.rows_lost > limits.of_source * account.rows_in:
            raise _beyond_of_source(ledger, role, source, account, limits.of_source)


def _beyond(
    ledger: TokenLedger,
    role: str,
    reason: str,
    count: int,
    allowed: float,
    max_length: int,
) -> LimitExceeded:
    total = ledger.total(role)
    rows = [
        row
        for row in ledger.losses
        if row["role"] == role and (row["reason"] == "cut") == (reason == "cut")
    ]
    of_sources = Counter(str(row["source"]) for row in rows).most_common(_SHOWN)
    by_source = ", ".join(f"{source}: {lost:,}" for source, lost in of_sources)
    longest = int(ledger.lengths.lengths[-1]) if ledger.lengths else 0
    reasons = ", ".join(f"{why}: {count:,}" for why, count in total.rows_dropped.items())
    detail = "" if reason == "cut" else f" ({reasons})"
    return LimitExceeded(
        f"{count:,} of {total.rows_in:,} {role} rows would be {reason}",
        where=f"train.limits.{reason}",
        cause=f"At most {allowed:.0%} may be{detail}. max_length is {max_length:,}; the longest "
        f"row has {longest:,} tokens. By source: {by_source}. For example: {_examples(rows)}.",
        cure=f"Raise train.max_length{_proposal(ledger)}, shorten the rows, or allow more with "
        f"train.limits.{reason}.",
    )


def _beyond_of_source(
    ledger: TokenLedger, role: str, source: str, account: Account, allowed: float
) -> LimitExceeded:
    rows = [row for row in ledger.losses if (row["role"], row["source"]) == (role, source)]
    reasons = Counter(str(row["reason"]) for row in rows)
    told = ", ".join(f"{why}: {count:,}" for why, count in reasons.most_common())
    return LimitExceeded(
        f"{account.rows_lost:,} of {account.rows_in:,} {role} rows of one source would be lost",
        where="train.limits.of_source",
        cause=f"{source}: {told}; at most {allowed:.0%} may be. For example: {_examples(rows)}.",
        cure=f"Raise train.max_length{_proposal(ledger)}, mend or leave out the source, or allow "
        "more with train.limits.of_source.",
    )


def _examples(rows: Sequence[dict[str, Any]]) -> str:
    return ", ".join(
        f"{row['place']} (id {row['row_id'][:12]}, {row['tokens']:,} tokens)"
        for row in rows[:_SHOWN]
    )


def _proposal(ledger: TokenLedger) -> str:
    """Return what max_length might be raised to, in brackets."""
    if ledger.lengths is None or int(ledger.lengths.proposed.value) <= (
        ledger.lengths.limit + ledger.lengths.reserved
    ):
        return ""
    proposed = ledger.lengths.proposed
    return f" to {proposed.value:,} ({proposed.reason})"
