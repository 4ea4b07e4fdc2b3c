"""Personal values replaced by typed placeholders that are consistent within a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from curate.steps.quality.cells import counted
from curate.steps.quality.personal import find_personal
from curate.steps.quality.spans import PLACEHOLDER, Named, fitted
from curate.steps.quality.views import view

NOUNS = {
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("phone number", "phone numbers"),
    "card": ("card number", "card numbers"),
    "iban": ("IBAN", "IBANs"),
    "ip": ("IP address", "IP addresses"),
    "key": ("key", "keys"),
    "person": ("person", "people"),
    "location": ("place", "places"),
    "organization": ("organisation", "organisations"),
    "nrp": ("nationality, religion or party", "nationalities, religions or parties"),
    "date_time": ("date or time", "dates or times"),
}
"""Of the kinds that have a name; others are called as Presidio calls them."""


@dataclass
class Masker:
    """Masks the texts of one row, in their order."""

    kinds: Sequence[str]
    named: Mapping[str, Sequence[Named]] = field(default_factory=dict)
    """Text → what a recogniser found in it."""
    finds: Counter[str] = field(default_factory=Counter)
    """Values found, by kind; a value found twice counts twice."""
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """Kind and value → placeholder."""
    originals: dict[str, str] = field(default_factory=dict)
    """Placeholder → the value as it was first written."""
    taken: set[str] = field(default_factory=set)
    """Placeholders that the row held before."""

    def reserve(self, text: str) -> str:
        """Note the placeholders that a text has already, so that none gets a second meaning."""
        self.taken.update(found.group() for found in PLACEHOLDER.finditer(text))
        return text

    def mask(self, text: str) -> str:
        """Return the text with placeholders."""
        return self._masked(text, self.named.get(text, ()))

    def mask_mark(self, text: str) -> str:
        """Return a label or a definition with placeholders: it is no language to recognise."""
        return self._masked(text, ())

    def _masked(self, text: str, named: Sequence[Named]) -> str:
        seen = view(text)
        finds = find_personal(seen.text, self.kinds)
        finds += fitted(seen.text, named, [(find.begin, find.end) for find in finds])
        if not finds:
            return text
        parts, end = [], 0
        for find in sorted(finds, key=lambda find: find.begin):
            value = seen.text[find.begin : find.end]
            begin = seen.at[find.begin]
            parts += [text[end:begin], self._name(find.kind, find.key, value)]
            end = seen.at[find.end]
            self.finds[find.kind] += 1
        return "".join([*parts, text[end:]])

    def _name(self, kind: str, key: str, value: str) -> str:
        if (kind, key) not in self.names:
            number = 1 + sum(1 for other, _ in self.names if other == kind)
            while (name := f"<{kind.upper()}_{number}>") in self.taken:
                number += 1
            self.taken.add(name)
            self.names[kind, key] = name
            self.originals[name] = value
        return self.names[kind, key]


def told(finds: Counter[str]) -> str:
    """Return how many of each kind: `2 e-mail addresses, 1 key`."""
    return ", ".join(
        counted(number, *NOUNS.get(kind, (kind.upper(), kind.upper())))
        for kind, number in sorted(finds.items())
    )
