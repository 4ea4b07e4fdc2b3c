"""The `evaluate.served` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.asking.budget import Budget
from workspace.recipe import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class ServedSection(Section):
    """Models behind addresses that `temper eval --served` compares; items are sent there."""

    base: EndpointConfig
    """What the tuned models are held against."""
    tuned: dict[Name, EndpointConfig] = Field(min_length=1)
    """Tuned models by the name that results give them."""
    budget: Budget = Budget()
    """What may be spent on each model."""

    @model_validator(mode="after")
    def _are_others(self) -> Self:
        if "base" in self.tuned:
            raise ValueError("another name than `base` for a tuned model")
        one = (self.base.base_url, self.base.model)
        for name, other in self.tuned.items():
            if (other.base_url, other.model) == one:
                raise ValueError(f"another model or address for {name} than for `base`")
        return self
