"""Parts of a whole as a recipe writes them: `0.05` or `5%`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def read_percent(value: object) -> object:
    """Read `5%` as 0.05; anything else is for pydantic to judge."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


Share = Annotated[float, BeforeValidator(read_percent), Field(ge=0.0, le=1.0)]
"""A part of a whole: `0.05` or `5%`."""
