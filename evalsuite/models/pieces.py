"""Tokens of a text, and which of them lie in spans of its characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Pieces(NamedTuple):
    """Tokens of a text, with their (start, end) character positions in it."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


def token_spans(
    pieces: Pieces, spans: Sequence[tuple[int, int]]
) -> tuple[list[bool], tuple[tuple[int, int], ...]]:
    """Return which tokens touch a span of characters, and the (start, end) tokens of each span.

    Args:
        pieces: of the text.
        spans: (start, end) characters, in order.
    """
    mask = [False] * len(pieces.ids)
    turns = []
    token = 0
    offsets = pieces.offsets
    for start, end in spans:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        first = token
        while token < len(offsets) and offsets[token][0] < end:
            mask[token] = True
            token += 1
        turns.append((first, token))
    return mask, tuple(turns)
