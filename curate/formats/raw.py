"""What every reader yields: one record of a file, decoded or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import polars_hash as plh

from curate.reasons import Reason

LONGEST_ROW_BYTES = 10 * 2**20
"""A longer row is some other file, or a line break was lost: it would take minutes to tokenise,
and no model reads it."""


class Misfit(Exception):
    """A row that cannot be used, with the reason code and what was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def raw_hashes(raws: Sequence[bytes] | pl.Series) -> pl.Series:
    """Return the BLAKE3 of records, of 96 bits as hexadecimal digits: what their ids begin with."""
    digest = plh.col("raw").chash.blake3().str.slice(0, 24)
    values = raws if isinstance(raws, pl.Series) else pl.Series(raws, dtype=pl.Binary)
    return values.alias("raw").to_frame().select(digest)["raw"]


@dataclass(slots=True)
class RawRow:
    """One record of a file as it was read."""

    place: int
    """Number of the record in its file, from 1; in JSON Lines the number of the line."""
    value: Any
    """The decoded record; None when `misfit` says why there is none."""
    raw: bytes
    """The record's own bytes, or its JSON where a file has none."""
    misfit: Misfit | None = None
    held: int = 0
    """Bytes of binary values in the record, which `raw` does not hold."""
    line: int | None = None
    """Line on which a record of CSV or TSV begins, which may have line breaks inside."""

    @property
    def shown(self) -> int:
        """What an editor can be told to go to."""
        return self.place if self.line is None else self.line
