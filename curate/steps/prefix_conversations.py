"""Conversations that are the beginning of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.base import (
    Depends,
    Outcome,
    Rows,
    StepContext,
    dropped_rows,
    positions,
    settings_of,
    split_off,
)
from curate.steps.configs import PrefixConversations
from curate.texts import turn_lines
from evalsuite.similarity.tokens import BLOCK_ROWS, mix
from workspace.errors import UsageError

_ODD = np.uint64(0x9E3779B97F4A7C15)


class PrefixConversationsStep:
    """Finds conversations by the hashes of their beginnings, and compares the turns themselves."""

    name: ClassVar[str] = "prefix_conversations"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: PrefixConversations) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop what a longer conversation begins with.

        Raises:
            UsageError: only the last turn of a row would be trained, so nothing is told twice.
        """
        if context.type != "messages":
            raise UsageError(
                "only conversations begin with one another",
                where="prefix_conversations",
                cause=f"The dataset type is {context.type}, of which only the answer is trained.",
                cure="Take the step out, or give `type: messages`.",
            )
        rows = positions(frame)
        turns = _hash_turns(context.base, len(context.ids))
        pairs = _confirmed(context.base, _find_longer(turns, rows))
        gone, longer = (pairs[name].to_numpy().astype(np.int64) for name in (ROW, "longer"))
        of = context.ids.gather(longer)
        counts = np.diff(turns.offsets)
        detail = [
            f"its {counts[row]:,} turns are the first of the {counts[other]:,} of {kept}"
            for row, other, kept in zip(gone, longer, of, strict=True)
        ]
        return split_off(frame, dropped_rows(self.name, gone, Reason.PREFIX, detail, of))


@dataclass(frozen=True)
class _Turns:
    """A hash for each turn of all rows: those of row i are hashes[offsets[i]:offsets[i + 1]]."""

    hashes: NDArray[np.uint64]
    offsets: Rows


def _hash_turns(base: pl.LazyFrame, total: int) -> _Turns:
    hashes, lengths = [], []
    for begin in range(0, total, BLOCK_ROWS):
        block = base.slice(begin, BLOCK_ROWS).select(turn_lines("messages").alias("turns"))
        lines = block.collect()["turns"]
        lengths.append(lines.list.len().to_numpy().astype(np.int64))
        hashes.append(lines.explode().drop_nulls().hash(0).to_numpy())
    joined = np.concatenate([np.zeros(0, np.uint64), *hashes])
    offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
    return _Turns(joined, offsets)


def _find_longer(turns: _Turns, rows: Rows) -> pl.DataFrame:
    """Return `_row` and `longer`: the longest row whose beginning has the hash of the whole row.

    The longest of all is itself the beginning of none, so it is always one that stays.
    """
    lengths = np.diff(turns.offsets)
    so_far = np.zeros(lengths.size, np.uint64)
    whole, begun = [_table(so_far[:0], rows[:0])], [_table(so_far[:0], rows[:0])]
    going = rows
    for turn in range(int(lengths.max(initial=0))):
        going = going[lengths[going] > turn]
        so_far[going] = mix(so_far[going] * _ODD + turns.hashes[turns.offsets[going] + turn])
        ends = lengths[going] == turn + 1
        whole.append(_table(so_far[going[ends]], going[ends]))
        begun.append(_table(so_far[going[~ends]], going[~ends]))
    starts = pl.concat(begun).rename({ROW: "longer"})
    starts = starts.with_columns(pl.Series("length", lengths[starts["longer"].to_numpy()]))
    longest = starts.sort("length", "longer", descending=[True, False]).unique(
        "hash", keep="first", maintain_order=True
    )
    return pl.concat(whole).join(longest, on="hash", how="inner").select(ROW, "longer").sort(ROW)


def _table(hashes: NDArray[np.uint64], rows: Rows) -> pl.DataFrame:
    return pl.DataFrame({"hash": hashes, ROW: rows}, schema={"hash": pl.UInt64, ROW: pl.Int64})


def _confirmed(base: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs whose turns are equal, not only their hashes."""
    lines = base.select(ROW, turn_lines("messages").alias("turns"))
    theirs = lines.rename({ROW: "longer", "turns": "more"})
    both = pairs.lazy().join(lines, on=ROW, how="inner").join(theirs, on="longer", how="inner")
    begins = pl.col("more").list.head(pl.col("turns").list.len())
    return both.filter(begins == pl.col("turns")).select(ROW, "longer").sort(ROW).collect()
