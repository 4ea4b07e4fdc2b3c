"""What `temper check` tells of the rows and tokens between a dataset and the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui.findings import Finding

if TYPE_CHECKING:
    from train.plan.ledger import Account, TokenLedger
    from train.plan.lengths import LengthCurve
    from train.plan.packing import PackingAccount

_SOURCES = 8
_ROWS = 3
_CURE = "`temper plan --json` names them all; raise train.max_length or mend the rows."


def ledger_findings(ledger: TokenLedger) -> Iterator[Finding]:
    """Yield the account of each source, the largest first, and how long rows are."""
    accounts = sorted(ledger.accounts.items(), key=lambda one: (-one[1].rows_in, one[0]))
    for (role, source), account in accounts[:_SOURCES]:
        told = f"{role} {source}: {_told(account)}"
        if not account.rows_lost:
            yield Finding("ok", "tokens", told)
            continue
        lost = [row for row in ledger.losses if (row["role"], row["source"]) == (role, source)]
        named = ", ".join(f"{row['row_id'][:12]} ({row['reason']})" for row in lost[:_ROWS])
        yield Finding("warn", "tokens", f"{told}. Rows: {named}", _CURE)
    if len(accounts) > _SOURCES:
        rest = f"and {len(accounts) - _SOURCES:,} more sources: `temper plan --json`"
        yield Finding("ok", "tokens", rest)
    if ledger.packing is not None:
        yield _packed(ledger.packing)
    if ledger.lengths is not None:
        yield _length(ledger.lengths)


def _told(account: Account) -> str:
    dropped = sum(account.rows_dropped.values())
    rows = f"{account.rows_kept:,} of {account.rows_in:,} rows kept"
    if account.rows_cut:
        rows += f", {account.rows_cut:,} of them cut"
    if dropped:
        rows += f", {dropped:,} dropped"
    lost = account.tokens_cut + account.tokens_dropped
    return (
        f"{rows}; {account.tokens_in:,} tokens = {account.tokens_trained:,} with loss + "
        f"{account.tokens_masked:,} masked + {lost:,} lost"
    )


def _packed(packing: PackingAccount) -> Finding:
    total = packing.as_dict()["total"]
    told = (
        f"{total['rows']:,} rows in {packing.sequences:,} sequences of up to {packing.longest:,} "
        f"tokens: {total['padding']:,} tokens of padding in place of {total['padding_unpacked']:,}"
    )
    return Finding("ok", "packing", told)


def _length(curve: LengthCurve) -> Finding:
    in_effect, proposed = curve.limit + curve.reserved, curve.proposed
    half, most = curve.quantiles["50%"], curve.quantiles["99%"]
    told = (
        f"half of the rows have at most {half:,} tokens, 99 % at most {most:,}, all at most "
        f"{curve.quantiles['100%']:,}; max_length is {in_effect:,}"
    )
    if int(proposed.value) > in_effect:
        cure = f"Set train.max_length: {proposed.value} ({proposed.reason})."
        return Finding("warn", "lengths", told, cure)
    return Finding("ok", "lengths", f"{told}, {proposed.value:,} would do ({proposed.reason})")
