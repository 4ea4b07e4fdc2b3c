"""What ships with welltempered, so that the whole loop runs without a download.

A small chat model with ten abilities that a program can check, a messy raw set of support tickets
to tune it on, and the suites that measure both. Made by this package's own scripts:
`build_suites` and `build_model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.builtin.raw_tickets import Planted

__all__ = ["model_path", "suite_path", "write_general", "write_raw_tickets"]

_HERE = Path(__file__).parent


def model_path() -> Path:
    """The directory of the built-in model."""
    return _HERE / "model"


def suite_path(name: str) -> Path:
    """The YAML file of a shipped suite: `triage` or `retention`.

    Raises:
        KeyError: no such suite; the message names those that exist.
    """
    path = _HERE / "suites" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise KeyError(f"no built-in suite {name!r}; there are: {known}")
    return path


def write_raw_tickets(directory: Path, seed: int = 0) -> Planted:
    """Writes the messy raw tickets into `directory`, their key to `key/planted.json` in it."""
    from evalsuite.builtin.raw_tickets import write_raw_tickets as write

    return write(directory, seed)


def write_general(path: Path, seed: int = 0, count: int = 4000) -> None:
    """Writes `count` replay rows (messages, JSON Lines) of the abilities that may be replayed."""
    from evalsuite.builtin.general import write_general as write

    write(path, seed, count)
