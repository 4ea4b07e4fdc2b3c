"""The settings of a judge of answers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from evalsuite.asking.backends.configs import BackendConfig
from evalsuite.asking.budget import Budget
from workspace.recipe import Section


class JudgeConfig(Section):
    """Who judges, by what, and what it may cost."""

    backend: BackendConfig
    """An OpenAI-compatible endpoint (`base_url`, `model`, `api_key: env:NAME`) or a model on this
    machine (`path`). What is judged is shown to it, with its question."""
    rubric: str = Field(min_length=1)
    """What is graded, in your words, and what the grades mean."""
    scale: tuple[int, int] = (1, 5)
    """The lowest and the highest grade; whole numbers."""
    show_answer: bool = True
    """Show it the row's own answer as a right one."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest verdict."""
    repairs: int = Field(default=2, ge=0, le=10)
    """How often a reply that is no grade is sent back with what is wrong with it."""
    budget: Budget
    """What may be spent: `requests`, `tokens` or `money`. At its end the run stops; more of it,
    and `temper resume` goes on."""
    seed: int = 0
    """Sent with each request."""

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("a scale of a lower and a higher grade, such as [1, 5]")
        budget = self.budget
        if budget.money is None and budget.tokens is None and budget.requests is None:
            raise ValueError("a budget of requests, tokens or money: every completion is judged")
        if budget.money is not None and self.backend.price is None:
            raise ValueError("a `price` for the backend, which budget.money needs")
        return self
