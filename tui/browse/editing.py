"""A text of a row that is being written anew, as the pairs show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from curate.judging import NearPair


class Edit(NamedTuple):
    """A text of a row."""

    row: str
    name: str
    """As `curate.edits` calls it."""
    text: str

    def command(self, dataset: str) -> list[str]:
        """Return what `temper` is called with to have it written down."""
        # What follows the two dashes is no option, whatever it begins with.
        return ["curate", "edit", "--dataset", dataset, "--", self.row, self.name, self.text]


def with_text(pair: NearPair, edit: Edit, text: str) -> NearPair:
    """Return a pair as it is shown once a text of one of its rows is another."""
    if edit.row == pair.row:
        return replace(pair, row_text=pair.row_text.replace(edit.text, text, 1))
    return replace(pair, partner_text=pair.partner_text.replace(edit.text, text, 1))
