"""Which split of a dataset is read: the one named, or the only one."""

from __future__ import annotations

from collections.abc import Iterable

from workspace.errors import DataError
from workspace.problems import did_you_mean


def chosen_split(there: Iterable[str], wanted: str | None, where: str) -> str:
    """Return the split to read.

    Raises:
        DataError: it is not there, or there are several and none is named.
    """
    splits = sorted(there)
    shown = ", ".join(f"`{name}`" for name in splits) or "none"
    if wanted is None and len(splits) == 1:
        return splits[0]
    if wanted is None:
        raise DataError(
            "this dataset has several splits" if splits else "this dataset has no split",
            where=where,
            cause=f"It has {shown}; none is guessed.",
            cure=f"Add `split: {splits[0]}` to the source (in a command, `hub:NAME:{splits[0]}` or "
            f"`folder:PATH:{splits[0]}`), or give the source once for each."
            if splits
            else "",
        )
    if wanted not in splits:
        raise DataError(
            f"this dataset has no split {wanted!r}",
            where=where,
            cause=f"It has {shown}.",
            cure=did_you_mean(wanted, splits) or "Name one of these.",
        )
    return wanted
