"""The output is a JSON object whose fields are those of the gold object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from evalsuite.scorers.json_text import NotJson, parse, same
from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


class JsonScorer(Section):
    """Right if the fields compared are equal; without `keys`, if the whole document is."""

    kind: Literal["json"] = "json"
    """The output is a JSON document with the gold's values."""
    keys: list[str] | None = Field(default=None, min_length=1)
    """Fields to compare; others are passed over. Without it the documents must be equal."""
    partial: bool = False
    """Give the share of right fields instead of all or nothing."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        try:
            document = parse(gold)
        except NotJson as error:
            return f"a gold answer that is not JSON ({error})"
        if self.keys is None and not self.partial:
            return None
        if not isinstance(document, dict) or not document:
            return "a gold answer that is not an object with fields"
        missing = [key for key in self.keys or () if key not in document]
        return f"a gold answer without {', '.join(missing)}" if missing else None

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with `item.gold`."""
        try:
            found = parse(output)
        except NotJson as error:
            return wrong(f"not JSON: {error}")
        gold = parse(item.gold)
        if self.keys is None and not self.partial:
            return RIGHT if same(found, gold) else wrong("another document")
        if not isinstance(found, dict):
            return wrong("not an object")
        return self._fields(found, gold)

    def _fields(self, found: dict[str, Any], gold: dict[str, Any]) -> Score:
        keys = self.keys or sorted(gold.keys() | found.keys())
        bad = [
            key for key in keys if key not in found or key not in gold
            or not same(found[key], gold[key])
        ]  # fmt: skip
        if not bad:
            return RIGHT
        value = 1 - len(bad) / len(keys) if self.partial else 0.0
        return Score(value, f"wrong or missing: {', '.join(bad)}")
