"""Amounts as a recipe writes them: a share (0.05 or 5%), or a number of rows or tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from workspace.shares import read_percent


def _amount(value: object) -> object:
    """Read `5%` as 0.05; a share of everything or more is no number of rows."""
    share = read_percent(value)
    if isinstance(value, str) and isinstance(share, float) and share >= 1:
        raise ValueError("a share below 100%, or a number of rows")
    return share


Amount = Annotated[float, BeforeValidator(_amount), Field(ge=0.0, allow_inf_nan=False)]
"""Below 1 a share, from 1 a number."""
