"""Finds of a recogniser that knows neither JSON nor placeholders, made to fit into a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curate.steps.quality.personal import Find
from curate.steps.quality.views import View

LONGEST_PIECE = 20_000
"""Characters; longer texts are cut between lines, sentences or words. A spaCy pipeline needs
about 1 kB of memory for each character that it has in hand."""
PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_[0-9]{1,6}>")
_WITHOUT_STRUCTURE = re.compile(r'[^"\n\r`<>{}\[\]|]+')
_POSSESSIVE = re.compile(r"['’]s$")


@dataclass(frozen=True)
class Named:
    """What a recogniser found."""

    kind: str
    begin: int
    end: int
    score: float


def pieces(view: View) -> Iterator[tuple[int, str]]:
    """Yield what of a text can be read at once, with where it begins."""
    for begin, end in view.said:
        for low, high in _cuts(view.text, begin, end):
            part = view.text[low:high]
            if any(character.isalpha() or character.isdigit() for character in part):
                yield low, part


def _cuts(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while end - begin > LONGEST_PIECE:
        high = begin + LONGEST_PIECE
        least = high - LONGEST_PIECE // 4
        for mark in ("\n", ". ", " "):
            found = text.rfind(mark, least, high)
            if found >= 0:
                high = found + len(mark)
                break
        yield begin, high
        begin = high
    yield begin, end


def fitted(text: str, named: Iterable[Named], taken: Iterable[tuple[int, int]]) -> list[Find]:
    """Return finds that overlap nothing: the surer, then the longer, come first.

    Of a find that overlaps another, the rest stays a find: a name beside an e-mail address goes
    even where a recogniser took both for one name. Quotes, brackets and line breaks are never
    part of a find.

    Args:
        text: what was read.
        named: finds of a recogniser, in any order; they may overlap.
        taken: spans that have been found before; placeholders that the text holds are left alone.
    """
    held = [*taken, *(match.span() for match in PLACEHOLDER.finditer(text))]
    out = []
    for name in sorted(named, key=lambda n: (-n.score, n.begin - n.end, n.begin, n.kind)):
        for begin, end in _free(name.begin, name.end, held):
            for part in _WITHOUT_STRUCTURE.finditer(text, begin, end):
                low, high = _trimmed(text, *part.span())
                if low < high:
                    out.append(Find(name.kind, low, high, _key(text[low:high])))
                    held.append((low, high))
    return out


def _free(begin: int, end: int, held: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what of a span is not held."""
    out = []
    for low, high in sorted(span for span in held if span[0] < end and span[1] > begin):
        if begin < low:
            out.append((begin, low))
        begin = max(begin, high)
    return [*out, (begin, end)] if begin < end else out


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """Cut what is no letter or digit at both ends, and a possessive."""
    while begin < end and not _in_word(text[begin]):
        begin += 1
    possessive = _POSSESSIVE.search(text[begin:end])
    if possessive:
        end = begin + possessive.start()
    while begin < end and not _in_word(text[end - 1]):
        end -= 1
    return begin, end


def _in_word(character: str) -> bool:
    """A letter, a digit, or a mark upon one: an accent, or a vowel of Hindi."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _key(value: str) -> str:
    return " ".join(value.casefold().split())
