"""The last number of the output is the gold number."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

# A minus after a word character or a closing bracket is a hyphen or a subtraction, not a sign.
_NUMBER = re.compile(
    r"(?:(?<![\w)\]])[-+−])?[$€£¥]?\s?"
    r"(?:\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d+|(?<!\d)\.\d+)?"
    r"(?:(?<=\d)[eE][-+]?\d+)?"
)
_MARK = "####"


def last_number(text: str) -> Decimal | None:
    """Return the number after the last `####` if there is one, else the last number; or None.

    Thousands separators, a currency sign and a Unicode minus are understood.

    >>> last_number("She pays $1,234.50 in all.")
    Decimal('1234.50')
    >>> last_number("8 * 9 = 72 #### 72")
    Decimal('72')
    """
    _, mark, tail = text.rpartition(_MARK)
    places = [tail, text] if mark else [text]
    for place in places:
        numbers = [match.group() for match in _NUMBER.finditer(place) if _has_digit(match.group())]
        if numbers:
            return _decimal(numbers[0] if mark and place is tail else numbers[-1])
    return None


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(re.sub(r"[^\d.eE+-]", "", text.replace("−", "-")))
    except InvalidOperation:
        return None


class NumericScorer(Section):
    """Right if the last numbers of output and gold are equal."""

    kind: Literal["numeric"] = "numeric"
    """The last number is the gold number."""
    tolerance: float = Field(default=0.0, ge=0.0)
    """Largest absolute difference that still counts as equal."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if last_number(gold) is not None else "a gold answer without a number"

    def score(self, output: str, item: Item) -> Score:
        """Compare the numbers of `output` and `item.gold`."""
        found, gold = last_number(output), last_number(item.gold)
        if found is None:
            return wrong("no number in the output")
        if gold is None:
            return wrong("no number in the gold answer")
        if found == gold:
            return RIGHT
        try:
            if self.tolerance and abs(found - gold) <= Decimal(str(self.tolerance)):
                return RIGHT
        except ArithmeticError:  # 1e9999999 is a Decimal, but its differences are out of range
            return wrong(f"{found} is too large to compare with {gold}")
        return wrong(f"{found} is not {gold}")
