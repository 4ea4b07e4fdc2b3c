"""A dataclass of arrays and plain values, to files and back."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_VALUES = "values.json"


def save_arrays(directory: Path, value: Any) -> None:
    """Write the fields of a dataclass: arrays as `.npy`, all others into one JSON file.

    Raises:
        TypeError: a field is neither an array nor plain.
    """
    plain = {}
    for field in fields(value):
        held = getattr(value, field.name)
        if isinstance(held, np.ndarray):
            np.save(directory / f"{field.name}.npy", held, allow_pickle=False)
        else:
            plain[field.name] = held
    (directory / _VALUES).write_text(json.dumps(plain), encoding="utf-8")


def load_arrays(directory: Path, kind: type[T]) -> T:
    """Return what `save_arrays` wrote.

    Raises:
        OSError, ValueError, TypeError: these are not the files of such a dataclass.
    """
    values: dict[str, Any] = json.loads((directory / _VALUES).read_bytes())
    for name, held in values.items():
        if isinstance(held, list):  # the dataclasses are frozen, and so are their sequences
            values[name] = tuple(held)
    for file in directory.glob("*.npy"):
        values[file.stem] = np.load(file, allow_pickle=False)
    made: T = kind(**values)
    return made
