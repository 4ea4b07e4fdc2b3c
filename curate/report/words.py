"""Two texts beside each other, with the words in which they differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from curate.report.excerpt import more

# A word, a sign of a script that has no spaces, white space, or one other character.
_WORDS = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    r"|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\s+|[^\w\s]"
)
_LEAD = 80
"""Characters shown before the first difference of long texts."""


@dataclass(frozen=True)
class Piece:
    """Some text, and whether only this side has it."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """Two texts in pieces."""

    first: tuple[Piece, ...]
    second: tuple[Piece, ...]

    @property
    def texts(self) -> tuple[str, str]:
        """Both sides as they are shown."""
        return "".join(p.text for p in self.first), "".join(p.text for p in self.second)

    @property
    def same(self) -> bool:
        """Whether what is shown of both is equal."""
        return not any(piece.differs for piece in (*self.first, *self.second))


def compare_words(first: str, second: str, limit: int = 600) -> Comparison:
    """Compare two texts word by word, from a little before their first difference on.

    Args:
        first: one text.
        second: the other.
        limit: characters shown of each.

    >>> compare_words("pay by card", "pay by cash").second
    (Piece(text='pay by ', differs=False), Piece(text='cash', differs=True))
    """
    begin = _first_difference(first, second)
    begin = 0 if max(len(first), len(second)) <= limit else max(0, begin - _LEAD)
    while 0 < begin < len(first) and first[begin - 1].isalnum():
        begin -= 1
    ours, theirs = (_WORDS.findall(_window(text, begin, limit)) for text in (first, second))
    left: list[Piece] = []
    right: list[Piece] = []
    matcher = SequenceMatcher(a=ours, b=theirs, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        _add(left, "".join(ours[a:b]), tag != "equal")
        _add(right, "".join(theirs[c:d]), tag != "equal")
    return Comparison(
        _whole(left, first, begin, limit),
        _whole(right, second, begin, limit),
    )


def _window(text: str, begin: int, limit: int) -> str:
    return text[begin : begin + limit]


def _first_difference(first: str, second: str) -> int:
    shorter = min(len(first), len(second))
    low, high = 0, shorter
    while low < high:  # the longest common beginning, without a step in Python for each character
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _add(pieces: list[Piece], text: str, differs: bool) -> None:
    """Add some text; a lone space between two differences is part of them."""
    if not text:
        return
    if not differs and text.isspace() and pieces and pieces[-1].differs and "\n" not in text:
        pieces.append(Piece(text, False))
        return
    if differs and len(pieces) > 1 and pieces[-2].differs and pieces[-1].text.isspace():
        space = pieces.pop()
        before = pieces.pop()
        text = before.text + space.text + text
    elif pieces and pieces[-1].differs == differs:
        text = pieces.pop().text + text
    pieces.append(Piece(text, differs))


def _whole(pieces: list[Piece], text: str, begin: int, limit: int) -> tuple[Piece, ...]:
    """Say what of the text is not shown."""
    left = len(text) - begin - limit
    front = [Piece(f"({begin:,} equal characters) … ", False)] if begin else []
    back = [Piece(f" … ({more(text, left)})", False)] if left > 0 else []
    return (*front, *pieces, *back)
