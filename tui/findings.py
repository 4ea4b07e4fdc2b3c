"""One thing that was looked at, and the way out where it is not well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Literal["ok", "warn", "fail"]
    what: str
    found: str
    cure: str = ""
