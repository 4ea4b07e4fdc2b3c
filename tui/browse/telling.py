"""What `temper` commands say of one row, as lines: its story, and its tokens with their loss."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.temper import Outcome

Text = tuple[str, str]
TRAINED, NOT_TRAINED = "+ ", "| "
"""What stands before each line of a text that carries loss, and of one that does not."""


def story_command(row: str, dataset: str) -> list[str]:
    """Return the arguments of the command that says what became of a row."""
    return ["curate", "explain", row, "--dataset", dataset, "--json"]


def tokens_command(row: str, recipe: Sequence[str]) -> list[str]:
    """Return the arguments of the command that says how a row is trained on by a recipe."""
    return ["preview", *recipe, "--id", row, "--json"]


def _document(outcome: Outcome) -> Mapping[str, Any] | None:
    try:
        found = json.loads(outcome.output) if not outcome.code else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _failed(outcome: Outcome) -> list[Text]:
    said = outcome.said.strip() or outcome.output.strip() or f"exit code {outcome.code}"
    return [(line, "bad") for line in said.split("\n")]


def story_lines(outcome: Outcome) -> list[Text]:
    """Return the story of a row as lines: a name, then what is known of it."""
    found = _document(outcome)
    if found is None:
        return _failed(outcome)
    lines: list[Text] = []
    for key, value in found.items():
        if value in (None, "", [], {}):
            continue
        if key == "verdict":
            lines += [(str(value), "good" if str(value).startswith("kept") else "warn"), ("", "")]
            continue
        lines.append((key, "accent"))
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines += [(f"  {line}", "") for line in shown.replace("⏎", "\n").split("\n")]
    return lines


def token_lines(outcome: Outcome) -> list[Text]:
    """Return a row as the trainer sees it: what carries loss, what does not, where it is cut."""
    found = _document(outcome)
    try:
        rows = found["rows"] if found is not None else []
        return [line for row in rows for line in _token_row(row)] or _failed(outcome)
    except (KeyError, TypeError):
        return [("This version of `temper preview` says something else.", "bad")]


def _token_row(row: Mapping[str, Any]) -> Iterator[Text]:
    yield f"{row['tokens']:,} tokens, {row['trained']:,} of them with loss", "strong"
    yield "with loss: coloured, after +     without: dimmed, after |", "muted"
    yield "", ""
    sequence = None
    for one in row["segments"]:
        if one["sequence"] != sequence and sequence is not None:
            yield f"---- sequence {one['sequence'] + 1} ----", "accent"
        sequence = one["sequence"]
        mark, role = (TRAINED, "good") if one["trained"] else (NOT_TRAINED, "muted")
        lines = one["text"].split("\n")
        if len(lines) > 1 and not lines[-1]:  # else an empty line stood where there is none
            lines[-2:] = [f"{lines[-2]}⏎"]
        for line in lines:
            yield f"{mark}{line}", role
    cut = row.get("cut_tokens") or 0
    if cut:
        yield f"==== truncated here: {cut:,} tokens more are not trained on ====", "bad"
    yield from _packing(row.get("packed"))


def _packing(packed: Any) -> Iterator[Text]:
    if not packed:
        return
    yield "", ""
    total = sum(one["tokens"] for one in packed["rows"])
    told = f"packed with {len(packed['rows']) - 1} others into {total:,} tokens, in step"
    yield f"{told} {packed['step']:,}", "strong"
    begin = 0
    for one in packed["rows"]:
        end = begin + one["tokens"]
        is_own = one["row_id"] == packed["row_id"]
        role = "good" if is_own else "muted"
        yield f"{'>' if is_own else ' '} {begin:>7,} to {end:>7,}  {one['row_id']}", role
        begin = end
