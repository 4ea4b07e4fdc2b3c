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

__all__ = ["model_path", "suite_path", "suite_paths", "write_general", "write_raw_tickets"]

_HERE = Path(__file__).parent


def model_path() -> Path:
    """The directory of the built-in model."""
    return _HERE / "model"


def suite_paths() -> dict[str, Path]:
    """Name → YAML file of every shipped suite: of the built-in model, and in plain English."""
    from evalsuite.english import SUITES

    found = [*(_HERE / "suites").glob("*.yaml"), *SUITES.glob("*.yaml")]
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def suite_path(name: str) -> Path:
    """The YAML file of a shipped suite, such as `triage`, `retention` or `general`.

    Raises:
        KeyError: no such suite; the message names those that exist.
    """
    paths = suite_paths()
    if name not in paths:
        raise KeyError(f"no built-in suite {name!r}; there are: {', '.join(paths)}")
    return paths[name]


def write_raw_tickets(directory: Path, seed: int = 0) -> Planted:
    """Writes the messy raw tickets into `directory`, their key to `key/planted.json` in it."""
    from evalsuite.builtin.raw_tickets import write_raw_tickets as write

    return write(directory, seed)


def write_general(path: Path, seed: int = 0, count: int = 4000) -> None:
    """Writes `count` replay rows (messages, JSON Lines) of the abilities that may be replayed."""
    from evalsuite.builtin.general import write_general as write

    write(path, seed, count)
