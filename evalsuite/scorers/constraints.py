"""The output keeps to what was asked of its form, check by check."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field, TypeAdapter, ValidationError

from evalsuite.scorers.checks import Check
from evalsuite.scorers.score import RIGHT, Score
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_CHECKS: TypeAdapter[list[Check]] = TypeAdapter(list[Check])


class ConstraintsScorer(Section):
    """Right if every check holds; an empty output keeps none."""

    kind: Literal["constraints"] = "constraints"
    """The output keeps to checks of its form: counts, texts, case, JSON."""
    checks: list[Check] | None = Field(default=None, min_length=1)
    """Checks of every item. Left out, each item's gold is a JSON list of its own checks, such as
    `[{"check": "count", "of": "words", "at_most": 20}]`."""
    partial: bool = False
    """Give the share of checks that hold instead of all or nothing."""

    @property
    def compares(self) -> bool:
        """Whether the gold answer is looked at."""
        return self.checks is None

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        if self.checks is not None:
            return None
        try:
            return None if read_checks(gold) else "a gold answer without a check"
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return f"a gold answer that is no list of checks ({place or 'it'}: {first['msg']})"

    def score(self, output: str, item: Item) -> Score:
        """Hold `output` against each check."""
        checks = self.checks if self.checks is not None else read_checks(item.gold)
        if not output.strip():
            return Score(0.0, "an empty output")
        failures = [failure for check in checks if (failure := check.failure(output))]
        if not failures:
            return RIGHT
        value = 1 - len(failures) / len(checks) if self.partial else 0.0
        return Score(value, "; ".join(failures))


@lru_cache(maxsize=4096)
def read_checks(gold: str) -> list[Check]:
    """Return the checks that a gold answer lists.

    Raises:
        ValidationError: it is not a JSON list of checks.
    """
    return _CHECKS.validate_json(gold)
