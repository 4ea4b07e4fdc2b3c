"""The output is of a length between bounds."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

# Possessive, and only from the first sign of a run: otherwise a run that ends no sentence is tried
# again from each of its signs, and a long one takes seconds.
_SENTENCE_END = re.compile(
    r"(?<![.!?…。！？])[.!?…。！？]++[\"'”’»)\]]*+(?=\s|\Z)|[。！？]|\n\s*\n"
)


def count(text: str, unit: str) -> int:
    """Return the length of a text without white space at its ends.

    Args:
        text: any text.
        unit: `characters` (code points after NFC, so that é is one), `words` (separated by white
            space, with a letter or digit in them) or `sentences` (ended by . ! ? … or an empty
            line, so that an abbreviation before a space ends one too).

    >>> count(" One, two — three. ", "words"), count("Yes. It is 3.5!", "sentences")
    (3, 2)
    """
    text = text.strip()
    if unit == "characters":
        return len(unicodedata.normalize("NFC", text))
    if unit == "words":
        return sum(any(map(str.isalnum, word)) for word in text.split())
    return sum(any(map(str.isalnum, part)) for part in _SENTENCE_END.split(text))


class LengthScorer(Section):
    """Right if the output has as many characters, words or sentences as asked for."""

    compares: ClassVar[bool] = False
    kind: Literal["length"] = "length"
    """The output's length lies between bounds; needs no gold answer."""
    unit: Literal["characters", "words", "sentences"] = "words"
    """What is counted."""
    least: int = Field(default=1, ge=0)
    """Fewest that are right; 1 refuses empty answers."""
    most: int | None = Field(default=None, ge=0)
    """Most that are right; left out: no limit."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"a `most` of at least `least` ({self.least}), found {self.most}")
        if self.most is None and self.least == 0:
            raise ValueError("a bound, `least` or `most`: every answer has some length")
        return self

    def refusal(self, gold: str) -> str | None:
        """Return None: the gold answer is not looked at."""
        return None

    def score(self, output: str, item: Item) -> Score:
        """Count what `output` has."""
        found = count(output, self.unit)
        if found < self.least:
            return wrong(f"{found} {self.unit}, fewer than {self.least}")
        if self.most is not None and found > self.most:
            return wrong(f"{found} {self.unit}, more than {self.most}")
        return RIGHT
