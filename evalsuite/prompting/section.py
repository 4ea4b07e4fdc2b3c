"""`evaluate.prompts` of a recipe: ways of asking the base that stand in place of tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workspace.recipe import Section

Shown = Literal["none", "few-shot", "retrieved"]


class UserPrompt(Section):
    """A prompt of your own, in a file."""

    file: str = Field(min_length=1)
    """Relative to the recipe. With `{{ question }}` in it, it is written in place of the question;
    without, it is the system turn."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._ -]{0,40}$")
    """What it is called in reports. Left out: the file's name without its ending."""
    examples: Shown = "none"
    """Put the examples of `few-shot` or of `retrieved` before the question as well."""


class PromptSection(Section):
    """What `temper eval --prompts` tries on the base before, or beside, a tuned model."""

    dataset: str | None = None
    """Name or path of the dataset whose training rows are the examples. Left out: the one that
    `train` learns from; where there is none yet, the `few_shot` rows of the suite."""
    examples: int = Field(default=5, ge=1, le=64)
    """How many solved examples are shown: more cost tokens with every request."""
    seed: int = 1234
    """Which examples `few-shot` shows, and which half of the items chooses the best prompt."""
    user: list[str | UserPrompt] = Field(default_factory=list)
    """Prompts of your own: files, or `{file: careful.md, examples: retrieved}`."""
    enough: float = Field(default=0.9, gt=0.0, le=1.0)
    """The score on the target that would make tuning needless."""
