"""What is looked for in a log: words that a line must all have, `!word` for not, `/re/`.

A word without a capital letter is found in any case. Quotes keep words together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TERM = re.compile(r'(!?)(?:/((?:\\.|[^/\\])+)/|"([^"]*)"|(\S+))')


class BadQuery(Exception):
    """Why something cannot be looked for, in one sentence."""


@dataclass(frozen=True)
class Query:
    """Which lines are wanted."""

    text: str
    """As it was typed."""
    tests: tuple[Callable[[str], bool], ...] = ()
    needed: tuple[tuple[bytes, bool], ...] = ()
    """Words that every wanted line has, and whether any case will do: to pass over blocks fast."""

    def matches(self, line: str) -> bool:
        """Whether a line is wanted."""
        return all(test(line) for test in self.tests)

    def may_be_in(self, block: bytes) -> bool:
        """Whether a block of the file can have a wanted line at all."""
        lower = block.lower() if any(any_case for _, any_case in self.needed) else b""
        return all(word in (lower if any_case else block) for word, any_case in self.needed)


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        BadQuery: a regular expression is none.

    >>> [parse("loss !nan").matches(line) for line in ("loss 1", "Loss nan", "rate")]
    [True, False, False]
    >>> parse("/step [0-9]+$/").matches("at step 12")
    True
    """
    tests: list[Callable[[str], bool]] = []
    needed: list[tuple[bytes, bool]] = []
    for found in _TERM.finditer(text):
        negated, pattern, quoted, word = found.groups()
        if pattern is not None:
            test = _by_pattern(pattern)
        else:
            plain_word = quoted if quoted is not None else word
            if not plain_word:
                continue
            test = _by_word(plain_word)
            if not negated and plain_word.isascii():
                needed.append((plain_word.encode(), plain_word == plain_word.lower()))
        tests.append(_inverted(test) if negated else test)
    return Query(text.strip(), tuple(tests), tuple(needed))


def _by_pattern(pattern: str) -> Callable[[str], bool]:
    try:
        compiled = re.compile(pattern, 0 if pattern != pattern.lower() else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadQuery(f"/{pattern}/ is no regular expression: {error}.") from error
    return lambda line: compiled.search(line) is not None


def _by_word(word: str) -> Callable[[str], bool]:
    if word == word.lower():
        return lambda line: word in line.lower()
    return lambda line: word in line


def _inverted(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda line: not test(line)
