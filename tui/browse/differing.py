"""Two rows beside each other, word by word: a dropped row and the one that it repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from tui.browse.conversation import chat_lines
from tui.browse.wrapping import Line, Part, pieces, wrapped
from workspace.text import plain

if TYPE_CHECKING:
    from curate.report.words import Piece

_TEXT = 4000
"""Characters of each side that are compared."""


def row_with_id(dataset: Path, wanted: str) -> tuple[Mapping[str, Any], str] | None:
    """Return a row of a dataset by its id, and the split it is in or `dropped`; None: no such row.

    Raises:
        DataError: the rows cannot be read.
    """
    import polars as pl

    from tui.browse.index import unreadable
    from tui.browse.opening import SPLITS

    for name in (*SPLITS, "dropped"):
        path = dataset / f"{name}.parquet"
        try:
            if path.is_file():
                lazy = pl.scan_parquet(path, glob=False).filter(pl.col("id") == wanted)
                found = lazy.head(1).collect().to_dicts()
                if found:
                    return found[0], name
        except (OSError, pl.exceptions.PolarsError) as error:
            raise unreadable(path, error) from error
    return None


def text_of(row: Mapping[str, Any]) -> str:
    """Return a row as the conversation that is compared."""
    return "\n".join(text for text, _ in chat_lines(row)).strip()


def repeated_lines(dataset: Path, row: Mapping[str, Any], width: int) -> list[Line]:
    """Return the row that `row` repeats, what differs between them marked; nothing if it does not.

    Raises:
        DataError: the rows cannot be read.
    """
    partner = row.get("duplicate_of")
    if not isinstance(partner, str) or not partner:
        return []
    found = row_with_id(dataset, partner)
    if found is None:
        return wrapped([(f"It repeats {partner}, which is not here any more.", "warn")], width)
    other, split = found
    state = "dropped too" if split == "dropped" else f"kept in {split}"
    head: list[Part] = [(f"It repeats {partner}, {state}.", "warn"), ("", "")]
    names = (f"{partner}  {state}", f"{row.get('id')}  this row")
    return wrapped(head, width) + differences(text_of(other), text_of(row), width, names)


def differences(
    first: str, second: str, width: int, names: tuple[str, str] | None = None
) -> list[Line]:
    """Return two texts, one below the other, with the words that only one of them has marked.

    Args:
        first: a text.
        second: the other.
        width: cells of a line.
        names: what stands above each of them.
    """
    from curate.report.words import compare_words

    compared = compare_words(first, second, _TEXT)
    above = [wrapped([(name, "muted")], width) for name in names or ()] or [[], []]
    if compared.same:
        return [*above[0], *above[1], *wrapped([("Both say the same.", "muted")], width)]
    return [
        *above[0],
        *flowed(_marked(compared.first, "-", "bad"), width),
        (("", ""),),
        *above[1],
        *flowed(_marked(compared.second, "+", "good"), width),
    ]


def _marked(parts: Sequence[Piece], mark: str, role: str) -> Iterator[Part]:
    """Yield pieces with their roles; those that differ stand between marks, colours or not."""
    for piece in parts:
        yield (f"[{mark}{piece.text}{mark}]", role) if piece.differs else (piece.text, "")


def flowed(parts: Iterator[Part], width: int) -> list[Line]:
    """Return texts with roles that follow one another, cut into lines of `width` cells.

    What is cut goes on below where its line began.
    """
    lines: list[list[Part]] = [[]]
    used = indent = 0
    for text, role in parts:
        for number, line in enumerate(text.split("\n")):
            if number:
                lines.append([])
                used = 0
            shown = plain(line).replace("\n", "⏎").replace("\t", " ")
            if not used:
                indent = len(shown) - len(shown.lstrip(" "))
                indent = indent if indent < width // 2 else 0
            for piece in _filling(shown, width - indent):
                if used > indent and used + cell_len(piece) > width:
                    lines.append([(" " * indent, "")] if indent else [])
                    used = indent
                lines[-1].append((piece, role))
                used += cell_len(piece)
    return [tuple(line) or (("", ""),) for line in lines]


def _filling(text: str, width: int) -> Iterator[str]:
    """Yield words with the space behind them, those longer than a line in pieces."""
    begin = 0
    while begin < len(text):
        end = text.find(" ", begin) + 1 or len(text)
        yield from pieces(text[begin:end], max(1, width))
        begin = end
