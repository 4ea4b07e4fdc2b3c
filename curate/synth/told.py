"""What a person should know of an augmentation once it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from curate.synth.cells import Cell
from curate.synth.made import Making
from evalsuite.asking.desk import Counts
from evalsuite.asking.log import RequestLog
from evalsuite.asking.purse import Purse
from workspace.errors import WorkError
from workspace.text import plain

_SHOWN_REPLIES = 3


def given_up(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{cell.deficit.name}: {cell.missing:,} rows are still missing: {cell.given_up}."
        for cell in cells
        if cell.given_up and cell.missing
    ]


def said_after(
    cells: Sequence[Cell], making: Making, purse: Purse, counts: Counts, log: RequestLog
) -> list[str]:
    """Say what a person should know once all is done."""
    notes = given_up(cells)
    spent, unsure = purse.spent, purse.unsure
    if making.budget_gone:
        missing = sum(cell.missing for cell in cells)
        notes.append(
            f"The budget's {making.budget_gone} had no room for the next request; {missing:,} rows "
            "are still missing."
        )
    if spent.requests:
        money = ""
        if spent.money:
            each = spent.money / len(making.made) if making.made else 0.0
            money = f", {spent.money:.4f} in money" + (f" ({each:.6f} a row)" if each else "")
        notes.append(
            f"Spent over all runs: {spent.input_tokens:,} tokens of prompts and "
            f"{spent.output_tokens:,} of answers in {spent.requests:,} requests{money}."
        )
    if unsure.requests:
        notes.append(
            f"{unsure.requests:,} requests have no known outcome (stalls, cut connections, kills); "
            f"at most {unsure.tokens:,} tokens, {unsure.money:.4f} in money."
        )
    if counts.remembered:
        notes.append(f"{counts.remembered:,} answers were in the log and were not paid again.")
    if log.torn:
        notes.append(f"{log.torn:,} unfinished lines of a killed run are in the request log.")
    return notes


def nothing_made(making: Making, notes: Sequence[str]) -> WorkError:
    """Show what came back: three raw replies say more than any count."""
    reasons = Counter(row.reason.value for row in making.lost)
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    lines = [f"{len(making.lost):,} rows were begun: {told or 'none'}."]
    lines += [f"{row.reason}: {plain(row.detail, 160)}" for row in making.lost[:_SHOWN_REPLIES]]
    raw = [row.raw for row in making.lost if row.raw][:_SHOWN_REPLIES]
    lines += [f"the model said: {plain(text, 200)}" for text in raw]
    return WorkError(
        "no made row was accepted; nothing was published",
        cause="\n".join([*lines, *notes]),
        cure="Answers are kept in the log: change the checks, and the same command costs nothing.",
    )
