"""Answers far longer or shorter than the others of their source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.conventions.findings import Finding
from curate.conventions.judge import Sources

Rows = NDArray[np.int64]

FAR = 6.0
"""Robust z, (x - median) / (1.4826 MAD) of ln(1 + characters), beyond which a length is told
(Iglewicz and Hoaglin 1993 use 3.5, which of ten thousand answers of ordinary prose tells many)."""
_LEAST_ROWS, _LEAST_SPREAD, _MOST = 50, 0.3, 0.01


def length_findings(lengths: NDArray[np.integer], sources: Sources, place: Rows) -> list[Finding]:
    """Return the rows with a length out of line, source by source.

    Args:
        lengths: characters of each answer; empty answers are passed over.
        sources: where each row is from; small ones are measured together.
        place: `_row` of each row.
    """
    sizes = np.bincount(sources.codes, minlength=len(sources.names))
    big = np.flatnonzero(sizes >= _LEAST_ROWS)
    groups = [("" if big.size == 1 == sizes.size else sources.names[n], n) for n in big.tolist()]
    masks = [(name, sources.codes == n) for name, n in groups]
    masks.append(("", ~np.isin(sources.codes, big)))
    out = []
    for name, mask in masks:
        members = np.flatnonzero(mask & (lengths > 0))
        if members.size >= _LEAST_ROWS:
            out += _of_group(lengths, members, name, place)
    return out


def _of_group(lengths: NDArray[np.integer], members: Rows, name: str, place: Rows) -> list[Finding]:
    logs = np.log1p(lengths[members].astype(np.float64))
    median = float(np.median(logs))
    # Answers of one length (labels, JSON of one shape) have no spread of their own.
    spread = max(1.4826 * float(np.median(np.abs(logs - median))), _LEAST_SPREAD)
    z = (logs - median) / spread
    far = np.abs(z) > FAR
    if not far.any() or far.mean() > _MOST:  # so many are no outliers, but another kind of answer
        return []
    gone = members[far]
    order = np.argsort(-np.abs(z[far]), kind="stable")
    chosen = np.sort(gone[order])
    said = {int(row): f"have {lengths[row]:,} characters" for row in chosen}
    low, high = (np.expm1(median + sign * FAR * spread) for sign in (-1, 1))
    longer, shorter = int((z > FAR).sum()), int((z < -FAR).sum())
    others = [("are longer", longer), ("are shorter", shorter)]
    return [
        Finding(
            "length",
            "departing",
            False,
            f"have {max(low, 1):,.0f} to {high:,.0f} characters (robust z within {FAR:g})",
            int((~far).sum()),
            int(members.size),
            tuple(one for one in others if one[1]),
            source=name,
            rows=place[chosen],
            instead=tuple(said[int(row)] for row in chosen),
        )
    ]
