"""The token ledger for a person: by source, with the rows that lose something, and by length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workspace.context import emit_table

if TYPE_CHECKING:
    from train.plan.ledger import Account, TokenLedger

_SOURCES = 12
_ROWS = 5


def print_ledger(ledger: TokenLedger) -> None:
    """Print what becomes of rows and tokens; what does not fit is in `--json`, whole."""
    print_sources(ledger)
    print_losses(ledger)
    print_lengths(ledger)


def print_sources(ledger: TokenLedger) -> None:
    """Print each source's rows and tokens, the largest sources first."""
    accounts = sorted(ledger.accounts.items(), key=lambda one: (-one[1].rows_in, one[0]))
    rows = [[role, source, *_cells(one)] for (role, source), one in accounts[:_SOURCES]]
    more = len(accounts) - _SOURCES
    if more > 0:
        rows.append(["", f"and {more:,} more (--json)", *[""] * 8])
    columns = ["role", "source", "rows", "kept", "cut", "dropped", "tokens", "with loss"]
    columns += ["masked", "lost"]
    emit_table("tokens by source", columns, rows, numeric=tuple(range(2, 10)))


def _cells(account: Account) -> list[str]:
    dropped = sum(account.rows_dropped.values())
    numbers = (account.rows_in, account.rows_kept, account.rows_cut, dropped, account.tokens_in)
    lost = account.tokens_cut + account.tokens_dropped
    return [f"{one:,}" for one in (*numbers, account.tokens_trained, account.tokens_masked, lost)]


def print_losses(ledger: TokenLedger) -> None:
    """Print some of the rows that lose something, those that lose most first."""
    if not ledger.losses:
        return
    worst = sorted(ledger.losses, key=lambda row: -row["lost_tokens"])[:_ROWS]
    rows = [
        [row["row_id"][:16], row["place"], row["reason"], f"{row['lost_tokens']:,}"]
        for row in worst
    ]
    more = len(ledger.losses) - len(worst)
    title = "rows that lose something" + (f" (and {more:,} more: --json)" if more else "")
    emit_table(title, ["row", "where", "why", "tokens lost"], rows, numeric=(3,), whole=(0,))


def print_lengths(ledger: TokenLedger) -> None:
    """Print the length curve and the `max_length` that it asks for."""
    curve = ledger.lengths
    if curve is None:
        return
    told = ", ".join(f"{share} of the rows {length:,}" for share, length in curve.quantiles.items())
    print(f"tokens at most: {told}")
    rows = [
        [
            f"{one['max_length']:,}",
            f"{one['rows_longer']:,}",
            f"{one['rows_longer_share']:.1%}",
            f"{one['tokens_beyond']:,}",
            f"{one['tokens_beyond_share']:.1%}",
        ]
        for one in curve.points
    ]
    columns = ["max_length", "rows longer", "of all", "tokens beyond", "of all"]
    emit_table("lengths", columns, rows, numeric=(0, 1, 2, 3, 4))
    in_effect = curve.limit + curve.reserved
    print(
        f"max_length is {in_effect:,}; proposed: {curve.proposed.value:,} ({curve.proposed.reason})"
    )
