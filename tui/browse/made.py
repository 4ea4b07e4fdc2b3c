"""A made row beside the rows that it was made from; made in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.browse.conversation import chat_lines, whole_row
from tui.browse.datasets import list_datasets
from tui.browse.differing import differences, row_with_id, text_of
from tui.browse.wrapping import Line, Part, wrapped
from workspace.errors import TemperError

if TYPE_CHECKING:
    from tui.browse.table import Table

_MOST_PARENTS = 5


def made_lines(table: Table, number: int, root: Path, width: int) -> list[Line]:
    """Return a made row as lines of `width` cells: where it is from, and what differs.

    The first parent stands above the row, the words that only one of them has marked; any others
    follow as they are. What cannot be read is told in the lines.
    """
    try:
        row = whole_row(table, number)
        dataset = table.opened.path
        parents = _parents(row)
        lines = wrapped(_making(dataset, str(row.get("id"))), width)
        for place, wanted in enumerate(parents[:_MOST_PARENTS]):
            found = _parent(dataset, wanted, root)
            if found is None:
                lines += wrapped(
                    [(f"Made from {wanted}, which no dataset here has any more.", "warn")], width
                )
                lines += wrapped([("", ""), *chat_lines(row)], width) if place == 0 else []
                continue
            parent, where = found
            lines += wrapped([(f"Made from {wanted}, {where}.", "accent"), ("", "")], width)
            if place == 0:
                lines += [*differences(text_of(parent), text_of(row), width), (("", ""),)]
            else:
                lines += wrapped(chat_lines(parent), width)
        return [*lines, *wrapped(_further(parents), width)]
    except TemperError as error:
        return wrapped([(str(error), "bad")], width)


def _further(parents: list[str]) -> Iterator[Part]:
    if len(parents) > _MOST_PARENTS:
        yield f"and from {len(parents) - _MOST_PARENTS:,} more", "muted"


def _parents(row: Mapping[str, Any]) -> list[str]:
    meta = row.get("meta")
    held = meta.get("parents") if isinstance(meta, Mapping) else row.get("parents")
    return [str(one) for one in held] if isinstance(held, list) else []


def _parent(dataset: Path, wanted: str, root: Path) -> tuple[Mapping[str, Any], str] | None:
    """Return a parent and where it is: in this dataset, or in another of the workspace."""
    if dataset.is_dir():
        found = row_with_id(dataset, wanted)
        if found is not None:
            return found[0], _state(found[1])
    for other in list_datasets(root):
        if other.path == dataset:
            continue
        try:
            found = row_with_id(other.path, wanted)
        except TemperError:  # a dataset that is broken is told in its own place
            continue
        if found is not None:
            return found[0], f"{_state(found[1])} of {other.name}"
    return None


def _state(split: str) -> str:
    return "dropped" if split == "dropped" else f"kept in {split}"


def _making(dataset: Path, row: str) -> Iterator[Part]:
    """Yield how a row was made, where the augmentation's own dataset is looked at."""
    import polars as pl

    path = dataset / "made.parquet"
    if not path.is_file():
        return
    try:
        found = pl.scan_parquet(path, glob=False).filter(pl.col("id") == row).head(1).collect()
        facts = found.to_dicts()[0] if found.height else {}
    except (OSError, pl.exceptions.PolarsError):
        yield "made.parquet, which says how it was made, cannot be read.", "warn"
        return
    similarity = facts.get("similarity")
    told = [facts.get("generator"), facts.get("model"), facts.get("note"), facts.get("verified")]
    if isinstance(similarity, float):
        told.append(f"similarity {similarity:.2f} to the nearest known row")
    if any(told):
        yield ", ".join(str(one) for one in told if one), "muted"
