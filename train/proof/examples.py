"""A few of the rows that were proved, as texts that are trained and texts that are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from train.rows import TokenRow, TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

_EXAMPLES = 6


def spread(rows: Sequence[TokenRow]) -> list[TokenRow]:
    """Return a few rows with the sources in turn, so that each kind of row is shown."""
    by_source: dict[tuple[str, str], list[TokenRow]] = {}
    for row in rows:
        by_source.setdefault((row.role, row.source), []).append(row)
    out: list[TokenRow] = []
    depth = 0
    while len(out) < min(_EXAMPLES, len(rows)):
        for group in by_source.values():
            if depth < len(group) and len(out) < _EXAMPLES:
                out.append(group[depth])
        depth += 1
    return out


def segments(one: TokenSequence, tokenizer: ChatTokenizer) -> list[tuple[str, bool]]:
    """Return a sequence's text in stretches with equal mask."""
    out: list[tuple[str, bool]] = []
    start = 0
    mask = one.loss_mask.tolist()
    for index in range(1, len(mask) + 1):
        if index == len(mask) or mask[index] != mask[start]:
            ids = one.input_ids[start:index].tolist()
            out.append((_shortened(tokenizer.decode(ids, special=True), tokenizer), mask[start]))
            start = index
    return out


def _shortened(text: str, tokenizer: ChatTokenizer) -> str:
    """Return a text with the tokens of an image as one and their number."""
    if tokenizer.vision is None:
        return text
    token = tokenizer.vision.token
    return re.sub(
        f"(?:{re.escape(token)}){{2,}}",
        lambda found: f"{token}×{len(found[0]) // len(token)}",
        text,
    )


def example(row: TokenRow, tokenizer: ChatTokenizer) -> dict[str, Any]:
    """Return a row as plain data, its text in stretches with equal mask.

    The stretches of several sequences follow one another; each names its `sequence`.
    """
    return {
        "row_id": row.row_id,
        "role": row.role,
        "place": row.row.place,
        "tokens": row.tokens,
        "trained": row.trained,
        "segments": [
            {"sequence": number, "text": text, "trained": is_trained}
            for number, one in enumerate(row.sequences)
            for text, is_trained in segments(one, tokenizer)
        ],
    }
