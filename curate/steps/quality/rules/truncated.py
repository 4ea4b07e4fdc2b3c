"""Answers that end in the middle.

A missing full stop alone is no proof: labels, titles, lists, verse and casual writing have none. An
answer is cut where it ends on a word or sign that cannot end anything, inside brackets or a code
block, or in the middle of a line of prose whose other sentences all have their stops.
"""

from __future__ import annotations

import re
from typing import ClassVar

import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.quality.configs import Truncated
from curate.steps.quality.rules.base import Quiet, found

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)(.*)$", re.M)
_LIST = re.compile(r"^\s*(?:[-*+•●▪#>|]|\d{1,3}[.)]|[A-Za-z][.)]|\(\w{1,3}\))\s")
_PARTING = re.compile(
    r"(?i)\b(?:regards|sincerely|love|cheers|yours|truly|thanks|thank you|best|respectfully|wishes"
    r"|faithfully|cordially)\W*$"
)
_CANNOT_END = re.compile(
    r"(?i)(?:an?|the|and|or|but|nor|of|with|for|from|by|into|onto|than|because|although|while"
    r"|whereas|their|its|your|my|our|his|if|as|at|which|whose|is|are|was|were|be|been|has|have|had"
    r"|will|would|could|should|can|may|might|must|very|every|each|between|among|upon|during)"
)
_STOPS = re.compile(r"[.!?][\"”’')\]]*(?:\s|$)")
_OPEN_END = re.compile(r"[A-Za-z0-9,]")
_NO_PROSE = re.compile(r"[={}<>;\\|]|^\s+(?:return|if|for|while)\b")
_LONG_LINE = 8
"""Words of a line that is prose, not a title or an entry."""
_PROSE = 3
"""A text this many times `min_words` long shows how its writer ends a sentence."""
_LOOKED_AT = 20_000


class TruncatedRule(Quiet):
    """Looks at the end of the last taught turn."""

    name: ClassVar[str] = "truncated"

    def __init__(self, config: Truncated) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose answer is cut."""
        last = pl.col("last")
        open_end = last.str.contains(r"[A-Za-z0-9,]\s*$")
        fenced = last.str.contains(r"(?m)^ {0,3}(?:```|~~~)")
        some = block.filter(open_end | fenced).select(ROW, "last")
        rows, details = [], []
        for row, text in some.iter_rows():
            why = cut(text, self.config.min_words)
            if why:
                rows.append(row)
                details.append(why)
        return found(rows, Reason.TRUNCATED, details)


def cut(text: str, min_words: int = 20) -> str:
    """Return how the text is seen to be cut, or nothing.

    >>> cut("Here it is:\\n```python\\nx = 1")
    'a code block is not closed'
    >>> cut("Paris")
    ''
    """
    if _open_fence(text):
        return "a code block is not closed"
    text = text.rstrip()
    count = len(text[-_LOOKED_AT:].split())
    line = text[text.rfind("\n") + 1 :][-2_000:]
    words = line.split()
    if count < min_words or len(words) < _LONG_LINE or not _OPEN_END.search(text[-1:]):
        return ""
    if _LIST.match(line) or _NO_PROSE.search(line) or "/" in words[-1]:
        return ""
    if text[-1] == ",":
        return "" if _PARTING.search(line) else "ends with a comma"
    last = words[-1].lower().strip("\"'“‘([{")
    if _CANNOT_END.fullmatch(last):
        return f"ends with the word {last!r}"
    if _open_bracket(line):
        return "a bracket is not closed"
    if count < _PROSE * min_words:
        return ""
    return "ends in the middle of a sentence" if _all_but_last_stop(text, line) else ""


def _open_fence(text: str) -> bool:
    """Return whether a code block that was begun is never closed (CommonMark 4.5)."""
    fence = ""
    for found_fence in _FENCE.finditer(text):
        marks, rest = found_fence.groups()
        if not fence:
            fence = marks if "`" not in rest or marks[0] == "~" else ""
        elif marks[0] == fence[0] and len(marks) >= len(fence) and not rest.strip():
            fence = ""
    return bool(fence)


def _open_bracket(line: str) -> bool:
    """Return whether the line ends in a remark that its bracket was opened for."""
    begin = line.rfind("(")
    return begin > line.rfind(")") and bool(re.match(r"\((?:[a-z']+,? ){2}", line[begin:]))


def _all_but_last_stop(text: str, line: str) -> bool:
    """Return whether prose with stops everywhere else has none at its end."""
    if len(_STOPS.findall(text[-_LOOKED_AT:])) < 4 or not text[-1].islower():
        return False
    if not _STOPS.search(line):
        return False
    lines = [other for other in text[-_LOOKED_AT:].split("\n") if len(other.split()) >= _LONG_LINE]
    return all(other.rstrip()[-1] in ".!?…:;\"”»’')" for other in lines[:-1])
