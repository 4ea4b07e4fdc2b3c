"""Personal values replaced by typed placeholders that are consistent within a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from curate.steps.quality.cells import counted
from curate.steps.quality.personal import find_personal

_TAKEN = re.compile(r"<(EMAIL|PHONE|CARD|IBAN|IP|KEY)_([0-9]{1,6})>")
NOUNS = {
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("phone number", "phone numbers"),
    "card": ("card number", "card numbers"),
    "iban": ("IBAN", "IBANs"),
    "ip": ("IP address", "IP addresses"),
    "key": ("key", "keys"),
}


@dataclass
class Masker:
    """Masks the texts of one row, in their order."""

    kinds: Sequence[str]
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
        self.taken.update(found.group() for found in _TAKEN.finditer(text))
        return text

    def mask(self, text: str) -> str:
        """Return the text with placeholders."""
        finds = find_personal(text, self.kinds)
        if not finds:
            return text
        parts, end = [], 0
        for find in finds:
            value = text[find.begin : find.end]
            parts += [text[end : find.begin], self._name(find.kind, find.key, value)]
            end = find.end
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


def masked(text: str, kinds: Sequence[str]) -> str:
    """Return one text by itself with placeholders.

    >>> masked("write to bob@mail.org or BOB@mail.org", ["email"])
    'write to <EMAIL_1> or <EMAIL_1>'
    """
    masker = Masker(kinds)
    masker.reserve(text)
    return masker.mask(text)


def told(finds: Counter[str]) -> str:
    """Return how many of each kind: `2 e-mail addresses, 1 key`."""
    return ", ".join(counted(number, *NOUNS[kind]) for kind, number in sorted(finds.items()))
