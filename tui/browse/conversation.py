"""One whole row, read from its file, and as lines that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tui.browse.index import unreadable

if TYPE_CHECKING:
    from tui.browse.table import Table

Text = tuple[str, str]
"""A line of text, as it is in the data, and its role on the screen."""
_TURNS = ("messages", "prompt", "completion", "chosen", "rejected")
_PLAIN = ("answer", "text", "raw")
_HEADS = {"chosen": "good", "rejected": "bad", "assistant": "good", "user": "accent"}


def whole_row(table: Table, number: int) -> dict[str, Any]:
    """Return everything that a row holds; bytes of images by their size only.

    Raises:
        DataError: its file is gone or cannot be read.
    """
    import polars as pl

    part, place = table.place(number)
    path = table.opened.parts[part].path
    try:
        found = pl.scan_parquet(path, glob=False).slice(place, 1).collect().to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(path, error) from error
    if not found:
        raise unreadable(path, ValueError("it has fewer rows than when it was opened"))
    return {key: _shown(value) for key, value in found[0].items()}


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if isinstance(value, Mapping):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return value


def chat_lines(row: Mapping[str, Any]) -> Iterator[Text]:
    """Yield a row as a conversation: who speaks, then what is said."""
    for column in _TURNS:
        turns = row.get(column)
        if not isinstance(turns, list):
            continue
        if column not in ("messages", "prompt"):
            yield column.upper(), _HEADS.get(column, "strong")
        for turn in turns:
            yield from _turn(turn)
    for column in _PLAIN:
        if isinstance(row.get(column), str):
            yield column, "accent"
            yield from ((line, "") for line in row[column].split("\n"))
            yield "", ""
    if isinstance(row.get("label"), bool):
        yield ("rated good", "good") if row["label"] else ("rated bad", "bad")
    if row.get("tools"):
        yield "tools", "accent"
        yield from ((line, "muted") for line in _indented(row["tools"]))


def _turn(turn: Any) -> Iterator[Text]:
    if not isinstance(turn, Mapping):
        yield str(turn), ""
        return
    role = str(turn.get("role") or "?")
    name = f" ({turn['name']})" if turn.get("name") else ""
    yield f"{role}{name}", _HEADS.get(role, "warn")
    content = turn.get("content")
    said = content if isinstance(content, str) else "" if content is None else json.dumps(content)
    for line in said.split("\n") if said else ():
        yield f"  {line}", ""
    for call in turn.get("tool_calls") or ():
        function = (call or {}).get("function") or {}
        yield f"  calls {function.get('name')}({function.get('arguments')})", "curve"
    yield "", ""


def _indented(text: Any) -> Sequence[str]:
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return str(text).split("\n")
    return json.dumps(value, indent=2, ensure_ascii=False).split("\n")


def raw_lines(row: Mapping[str, Any]) -> Iterator[Text]:
    """Yield a row as JSON."""
    for line in json.dumps(row, indent=2, ensure_ascii=False, default=str).split("\n"):
        yield line, ""
