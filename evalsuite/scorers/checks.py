"""What can be asked of an answer's form: counts, texts it must and must not hold, case, JSON.

Each check says in words what is wrong with an answer, or nothing.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from evalsuite.scorers.json_text import NotJson, parse
from evalsuite.scorers.regex import Pattern
from workspace.recipe import Section

Unit = Literal["words", "sentences", "lines", "paragraphs", "bullets", "numbered", "characters"]

_BULLET = re.compile(r"^\s*[-*•]\s+\S")
_NUMBERED = re.compile(r"^\s*\d+[.)]\s+\S")
# Possessive, and only from the first sign of a run: otherwise a run that ends no sentence is tried
# again from each of its signs, and a long one takes seconds.
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]]*+(?=\s|\Z)")


def count(unit: Unit, text: str) -> int:
    """Return how many of `unit` are in `text`.

    Words are what stands between white space and has a letter or digit; sentences end in `.`, `!`
    or `?` before white space or the end, and an unended last one counts; lines are not empty;
    paragraphs are parted by an empty line; bullets begin a line with `-`, `*` or `•`, numbered
    points with `1.` or `1)`.

    >>> count("words", "It is 5 o'clock - at last."), count("sentences", "Is 3.5 enough? Yes")
    (6, 2)
    """
    text = text.strip()
    if unit == "characters":
        return len(text)
    if unit == "words":
        return sum(any(map(str.isalnum, word)) for word in text.split())
    if unit == "sentences":
        ends = list(_SENTENCE_END.finditer(text))
        rest = text[ends[-1].end() :] if ends else text
        return len(ends) + any(map(str.isalnum, rest))
    if unit == "paragraphs":
        return sum(bool(part.strip()) for part in re.split(r"\n[ \t]*\n", text))
    lines = [line for line in text.splitlines() if line.strip()]
    if unit == "lines":
        return len(lines)
    pattern = _BULLET if unit == "bullets" else _NUMBERED
    return sum(bool(pattern.match(line)) for line in lines)


class CountCheck(Section):
    """There are at least, at most or exactly so many."""

    check: Literal["count"] = "count"
    """A number of words, sentences, lines and the like."""
    of: Unit
    """What is counted."""
    at_least: int | None = Field(default=None, ge=0)
    """The fewest."""
    at_most: int | None = Field(default=None, ge=0)
    """The most; the same as `at_least` asks for exactly so many."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("`at_least`, `at_most` or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"`at_most` not below `at_least` ({self.at_least})")
        return self

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        found = count(self.of, output)
        if self.at_least is not None and found < self.at_least:
            return f"{found} {self.of}, at least {self.at_least} asked"
        if self.at_most is not None and found > self.at_most:
            return f"{found} {self.of}, at most {self.at_most} asked"
        return ""


def _occurrences(text: str, output: str, *, ignore_case: bool, whole_words: bool) -> int:
    pattern = re.escape(text.strip())
    if whole_words:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    return len(re.findall(pattern, output, re.IGNORECASE if ignore_case else 0))


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not empty")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
"""A text of more than white space."""


class IncludesCheck(Section):
    """A text stands in the answer."""

    check: Literal["includes"] = "includes"
    """A text that must be there."""
    text: Text
    """It."""
    times: int = Field(default=1, ge=1)
    """At least so often."""
    ignore_case: bool = True
    """Pass over differences of case."""
    whole_words: bool = True
    """`art` is not found in `party`."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        found = _occurrences(
            self.text, output, ignore_case=self.ignore_case, whole_words=self.whole_words
        )
        asked = f", {self.times} times asked" if self.times > 1 else ""
        return "" if found >= self.times else f"{self.text!r} is there {found} times{asked}"


class ExcludesCheck(Section):
    """A text does not stand in the answer."""

    check: Literal["excludes"] = "excludes"
    """A text that must not be there."""
    text: Text
    """It."""
    ignore_case: bool = True
    """Pass over differences of case."""
    whole_words: bool = True
    """False for a letter or a sign: then it may stand nowhere, also within words."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        found = _occurrences(
            self.text, output, ignore_case=self.ignore_case, whole_words=self.whole_words
        )
        return f"{self.text!r} is there" if found else ""


class CaseCheck(Section):
    """Every letter is a capital, or none is."""

    check: Literal["case"] = "case"
    """Capitals or small letters only."""
    case: Literal["upper", "lower"]
    """Which."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        good = output.isupper() if self.case == "upper" else output.islower()
        return "" if good else f"not all letters are {self.case} case"


class StartsWithCheck(Section):
    """The answer begins with a text."""

    check: Literal["starts_with"] = "starts_with"
    """How it must begin."""
    text: Text
    """White space around it and around the answer is passed over, case is not."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        good = output.strip().startswith(self.text.strip())
        return "" if good else f"does not begin with {self.text!r}"


class EndsWithCheck(Section):
    """The answer ends with a text."""

    check: Literal["ends_with"] = "ends_with"
    """How it must end."""
    text: Text
    """White space around it and around the answer is passed over, case is not."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        good = output.strip().endswith(self.text.strip())
        return "" if good else f"does not end with {self.text!r}"


class JsonCheck(Section):
    """The answer is one JSON document and nothing else, but for a code fence around it."""

    check: Literal["json"] = "json"
    """JSON only."""
    keys: list[str] | None = None
    """Exactly these keys, in any order."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        try:
            found = parse(output)
        except NotJson as error:
            return f"not JSON: {error}"
        if self.keys is None:
            return ""
        if not isinstance(found, dict):
            return "not a JSON object"
        wrong = sorted(found.keys() ^ set(self.keys))
        return f"wrong or missing keys: {', '.join(wrong)}" if wrong else ""


class MatchesCheck(Section):
    """A regular expression is found."""

    check: Literal["matches"] = "matches"
    """A pattern, for forms that no other check knows."""
    pattern: Pattern
    """Looked for anywhere unless it says `^` and `$`; `.` spans lines."""

    def failure(self, output: str) -> str:
        """Return what is wrong, or nothing."""
        found = re.search(self.pattern, output.strip(), re.DOTALL)
        return "" if found else f"the pattern {self.pattern!r} is not found"


Check = Annotated[
    CountCheck
    | IncludesCheck
    | ExcludesCheck
    | CaseCheck
    | StartsWithCheck
    | EndsWithCheck
    | JsonCheck
    | MatchesCheck,
    Field(discriminator="check"),
]
