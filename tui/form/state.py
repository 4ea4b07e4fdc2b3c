"""All that the screen of a recipe shows at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tui.form.estimate import Estimate
from tui.form.fields import Field
from tui.form.parent import Change
from tui.form.reading import Fault, Reading, faults_by_key

_OF_RECIPE = "recipe"
"""The reason that `temper plan` gives for what the recipe says."""
Origin = Literal["set", "line", "plan", "default", "unknown"]


@dataclass(frozen=True)
class RecipeState:
    """A recipe as understood, what it would take, and what it changes."""

    reading: Reading | None = None
    estimates: tuple[Estimate, ...] = ()
    is_stale: bool = False
    """Whether the estimates are of an earlier text."""
    trouble: str = ""
    """Why there is no newer estimate."""
    parent: str = ""
    """The newest run of this recipe."""
    changes: tuple[Change, ...] | None = None
    """What differs from it; None where it cannot be told."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """Dotted key → what is wrong there."""

    @property
    def reasons(self) -> Mapping[str, tuple[str, str]]:
        """Key → the value that the plan decided for it, and why.

        What it has from the recipe is left out: a key that was taken out of the text since would
        show its former value as the plan's.
        """
        found = (self.estimates[0].reasons or {}) if len(self.estimates) == 1 else {}
        return {key: told for key, told in found.items() if told[1] != _OF_RECIPE}

    def fault_of(self, key: Sequence[str | int]) -> Fault | None:
        """Return what is wrong with exactly this key."""
        return self.faults.get(dotted(key))

    def faults_in(self, key: Sequence[str | int]) -> int:
        """Return how many things are wrong in a block, not with itself."""
        return sum(other.startswith(f"{dotted(key)}.") for other in self.faults)

    def value_of(self, one: Field) -> str:
        """Return the value in effect, the plan's where the recipe leaves it to that."""
        decided = self.reasons.get(dotted(one.key))
        is_left = not one.is_given and one.value in (None, "auto")
        return decided[0] if decided and is_left and not one.children else one.shown

    def origin_of(self, one: Field) -> tuple[Origin, str]:
        """Return where a value comes from, and that in a word or two."""
        reading = self.reading
        if one.is_unknown:
            return "unknown", "unknown key"
        if reading is not None and one.key in reading.edited and not one.children:
            return "set", "--set"
        if one.is_given:
            lines = (reading.lines or {}) if reading is not None else {}
            # `method: sft` says the kind on the block's own line.
            line = lines.get(one.key) or (lines.get(one.key[:-1]) if one.is_kind else None)
            return "line", f"line {line}" if line else "recipe"
        is_left = one.value in (None, "auto")
        if is_left and dotted(one.key) in self.reasons and not one.children:
            return "plan", "earlier plan" if self.is_stale else "plan"
        return "default", "default"


def dotted(key: Sequence[str | int]) -> str:
    """Return a key as it is written with dots."""
    return ".".join(str(part) for part in key)


def faults_of(reading: Reading | None) -> Mapping[str, Fault]:
    """Return dotted key → what is wrong there."""
    return faults_by_key(reading.faults) if reading is not None else {}
