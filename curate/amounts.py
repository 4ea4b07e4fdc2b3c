"""Amounts as a recipe writes them: a share (0.05 or 5%), or a number of rows or tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _fraction(value: object) -> object:
    """Read `5%` as 0.05; anything else is for pydantic to judge."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


def _amount(value: object) -> object:
    """Read `5%` as 0.05; a share of everything or more is no number of rows."""
    share = _fraction(value)
    if isinstance(value, str) and isinstance(share, float) and share >= 1:
        raise ValueError("a share below 100%, or a number of rows")
    return share


Share = Annotated[float, BeforeValidator(_fraction), Field(ge=0.0, le=1.0)]
Amount = Annotated[float, BeforeValidator(_amount), Field(ge=0.0, allow_inf_nan=False)]
"""Below 1 a share, from 1 a number."""
