"""Rows that look like another and say something else: each must stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from curate.calibration.words import NAME, NUMBER, QUOTED, Material, other

Pair = tuple[str, str]
"""Prompt and answer; a text has no answer."""
Sibling = Callable[[Pair, Pair, Material, Random], Pair | None]

_LEAST_SLOTS = 2
_LEAST_SHARE = 0.1
"""A row is a filled template where so many of its words are values."""
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|do|does|did|will|would|should|has|have|must)\b(?! not|n't)", re.I
)
_NOT = re.compile(
    r"\b(is|are|was|were|can|could|do|does|did|will|would|should|has|have|must) not\b"
)
_OPERATOR = re.compile(r"(?<=[\w)] )[-+*/<>](?= [\w(])|(?<=\w)[+*<>](?=\w)")
_TURNED = {"+": "-", "-": "+", "*": "/", "/": "*", "<": ">", ">": "<"}


def other_numbers(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the same words with other numbers."""
    given: dict[str, str] = {}

    def new(match: re.Match[str]) -> str:
        old = match.group()
        if old not in given:
            low = 10 ** (len(old) - 1) if len(old) > 1 else 0
            digit = rng.randrange(low, 10 ** len(old)) if len(old) < 10 else int(old[::-1])
            given[old] = str(digit if digit != int(old) else digit + 1)
        return given[old]

    if not NUMBER.search(row[0]):
        return None
    return NUMBER.sub(new, row[0]), NUMBER.sub(new, row[1])


def other_names(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the same template with other names and quoted values, if the row has enough."""
    slots = dict.fromkeys(QUOTED.findall(row[0]) + NAME.findall(row[0]))
    given: dict[str, str] = {}
    for slot in slots:
        new = other(material.quotes if slot[0] in '"“' else material.names, slot, rng)
        if new is not None:
            given[slot] = new
    changed = sum(len(slot.split()) for slot in given)
    if len(given) < _LEAST_SLOTS or changed < _LEAST_SHARE * len(row[0].split()):
        return None
    pattern = re.compile("|".join(re.escape(slot) for slot in sorted(given, key=len, reverse=True)))
    return tuple(pattern.sub(lambda match: given[match.group()], text) for text in row)  # type: ignore[return-value]


def other_body(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the first half of the row, then the second half of another one and its answer."""
    mine, theirs = row[0].split(" "), stranger[0].split(" ")
    if len(mine) < 4 or len(theirs) < 4:
        return None
    return " ".join(mine[: len(mine) // 2] + theirs[len(theirs) // 2 :]), stranger[1]


def other_answer(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the same prompt with the answer of another row."""
    if not row[1] or not stranger[1] or row[1].casefold() == stranger[1].casefold():
        return None
    return row[0], stranger[1]


def negated(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the row with a `not` put in, or taken out (English)."""
    if _NOT.search(row[0]):
        return _NOT.sub(r"\1", row[0], count=1), row[1]
    if not _AUXILIARY.search(row[0]):
        return None
    return _AUXILIARY.sub(r"\1 not", row[0], count=1), row[1]


def other_operator(row: Pair, stranger: Pair, material: Material, rng: Random) -> Pair | None:
    """Return the row with the first operator turned into its opposite."""
    found = _OPERATOR.search(row[0])
    if found is None:
        return None
    new = _TURNED[found.group()]
    # Between spaces: a minus that stood between words would be a hyphen.
    return f"{row[0][: found.start()]} {new} {row[0][found.end() :]}", row[1]


SIBLINGS: dict[str, Sibling] = {
    "other numbers": other_numbers,
    "other names and values": other_names,
    "same beginning, other body": other_body,
    "same prompt, other answer": other_answer,
    "negation flipped": negated,
    "operator flipped": other_operator,
}
"""Class of sibling → how it is made of a row; None where the row has nothing to change."""
