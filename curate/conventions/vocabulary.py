"""A closed set of values, and those that are another spelling of one, or hardly ever there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

LEAST_ROWS = 20
_MOST_VALUES, _LONGEST = 500, 60
_CLOSED = 0.9
"""A vocabulary gives at least this share of the rows values that occur five times or more."""
_RARER = 10
"""A slip is at least so many times rarer than what it should be."""
_SLIP_SHARE, _RARE_SHARE, _TAIL_SHARE = 0.01, 0.002, 0.01
_NEGATIONS = ("un", "in", "im", "il", "ir", "non", "dis", "a", "mis", "de", "anti")
_DROPPED = re.compile(r"[\s_.,;:!?\"'“”‘’`()\[\]*-]+")

Kind = Literal["spelling", "slip", "rare"]


@dataclass(frozen=True)
class Oddity:
    """A value that is not as the others are."""

    value: str
    kind: Kind
    """`spelling`: the same but for case, spaces and punctuation; `slip`: nearly the same letters;
    `rare`: another value, seen hardly ever."""
    usual: str
    """The value that it should probably be; empty for `rare`."""
    rows: int
    usual_rows: int


def is_vocabulary(counts: Mapping[str, int]) -> bool:
    """Return whether values are the members of a closed set, and not free text.

    >>> is_vocabulary({"low": 40, "high": 50, "High": 1})
    True
    """
    rows = sum(counts.values())
    if rows < LEAST_ROWS or len(counts) > min(_MOST_VALUES, max(3, rows // 8)):
        return False
    short = sum(count for value, count in counts.items() if len(value) <= _LONGEST)
    often = sum(count for count in counts.values() if count >= 5)
    return short >= 0.95 * rows and often >= _CLOSED * rows


def spelling_class(value: str) -> str:
    """Return what all spellings of one value share.

    Values with digits keep their signs: 1.0 is not 10.

    >>> spelling_class(" Card_Arrival."), spelling_class("-1.5 ")
    ('cardarrival', '-1.5')
    """
    text = unicodedata.normalize("NFKC", value).casefold().strip()
    if any(character.isdigit() for character in text):
        return text.strip("\"'`.") or text
    return _DROPPED.sub("", text) or text


def oddities(counts: Mapping[str, int]) -> list[Oddity]:
    """Return the values of a vocabulary that stand apart, in the order of their rows.

    Args:
        counts: value → rows with it; `is_vocabulary` says whether they are one.
    """
    rows = sum(counts.values())
    usual_of = usual_spellings(counts)
    out = [
        Oddity(value, "spelling", usual, counts[value], counts[usual])
        for value, usual in usual_of.items()
        if value != usual
    ]
    merged: dict[str, int] = {}
    for value, usual in usual_of.items():
        merged[usual] = merged.get(usual, 0) + counts[value]
    slips = _slips(merged, rows)
    out += slips
    known = {one.value for one in slips}
    tail = _tail({value: count for value, count in merged.items() if value not in known}, rows)
    out += [Oddity(value, "rare", "", merged[value], 0) for value in tail]
    return sorted(out, key=lambda one: (-one.rows, one.value))


def usual_spellings(counts: Mapping[str, int]) -> dict[str, str]:
    """Return value → the most frequent spelling of it."""
    classes: dict[str, list[str]] = {}
    for value in counts:
        classes.setdefault(spelling_class(value), []).append(value)
    out = {}
    for spellings in classes.values():
        usual = min(spellings, key=lambda value: (-counts[value], value))
        out.update(dict.fromkeys(spellings, usual))
    return out


def _slips(counts: Mapping[str, int], rows: int) -> list[Oddity]:
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    limit = max(2, int(_SLIP_SHARE * rows))
    out = []
    for value in ordered:
        if counts[value] > limit or any(letter.isdigit() for letter in value):
            continue
        usual = _nearest(value, [one for one in ordered if counts[one] >= _RARER * counts[value]])
        if usual:
            out.append(Oddity(value, "slip", usual, counts[value], counts[usual]))
    return out


def _nearest(value: str, candidates: Sequence[str]) -> str:
    """Return the candidate that a slip of the pen makes into `value`, or nothing."""
    mine = value.casefold()
    allowed = 0 if len(mine) < 4 else 1 if len(mine) < 8 else 2
    best, found = allowed + 1, ""
    for candidate in candidates:
        other = candidate.casefold()
        if abs(len(other) - len(mine)) > allowed or _negated(mine, other):
            continue
        if len(mine) == len(other) and mine[0] != other[0] and mine[1] == other[1]:
            continue  # late and rate are two words
        distance = edit_distance(mine, other, best - 1)
        if 0 < distance < best:
            best, found = distance, candidate
    return found


def _negated(first: str, second: str) -> bool:
    """Legal and illegal are near, and opposites."""
    short, long = sorted((first, second), key=len)
    return any(long == prefix + short for prefix in _NEGATIONS)


def edit_distance(first: str, second: str, most: int) -> int:
    """Return the optimal string alignment distance, or `most` + 1 where it is larger.

    Insertions, deletions, substitutions and swaps of neighbours count 1 each (Damerau 1964).

    >>> edit_distance("card_arival", "card_arrival", 2), edit_distance("abcd", "abdc", 2)
    (1, 1)
    """
    before: list[int] = []
    line = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        now = [i]
        for j, other in enumerate(second, 1):
            cost = min(line[j] + 1, now[-1] + 1, line[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        if min(now) > most and min(line) >= most:  # a swap could still come from `line`
            return most + 1
        before, line = line, now
    return min(line[-1], most + 1)


def _tail(counts: Mapping[str, int], rows: int) -> list[str]:
    """Return values beyond a gap: each ten times rarer than the rarest value before it.

    A vocabulary with a long tail has no gap, and its rare values are told by nobody.
    """
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    limit = max(1, int(_RARE_SHARE * rows))
    for place in range(1, len(ordered)):
        count = counts[ordered[place]]
        tail = ordered[place:]
        if count > limit or len(tail) > place:
            continue
        if sum(counts[value] for value in tail) > max(1, _TAIL_SHARE * rows):
            continue
        if counts[ordered[place - 1]] >= _RARER * count:
            return tail
    return []
