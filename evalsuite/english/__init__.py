"""Retention suites in plain English for any chat model: made by seeded programs, no download.

`build` writes them, always the same bytes; each other module makes the items of one ability.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SUITES"]

SUITES = Path(__file__).with_name("suites")
"""The directory with the suites' YAML and items."""
