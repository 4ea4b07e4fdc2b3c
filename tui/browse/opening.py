"""What is opened: the splits of a dataset, its dropped rows, or a file of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workspace.errors import DataError

SPLITS = ("train", "validation", "test")
View = Literal["kept", "dropped"]
Tell = Callable[[str, int, int], None]
"""Told what is done, how many rows of it, and of how many (0: nobody knows)."""


@dataclass(frozen=True)
class Part:
    """One Parquet file of rows."""

    path: Path
    split: str


@dataclass(frozen=True)
class Opened:
    """Something whose rows can be looked at."""

    path: Path
    """What was asked for: the directory of a dataset, or a file."""
    name: str
    parts: tuple[Part, ...]
    is_dataset: bool
    """It has a ledger, so that its rows can be explained, restored and dropped."""
    unusable: int = 0
    """Records of a file that could not be read as rows."""


def cache_directory(path: Path, root: Path) -> Path:
    """Return where indexes of `path` are kept: in the workspace, or in the user's own cache."""
    import os

    if path.resolve().is_relative_to(root.resolve()) or (root / "datasets").is_dir():
        return root / "cache" / "browse"
    own = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(own) / "temper" / "browse"


def open_rows(path: Path, view: View, root: Path, tell: Tell) -> Opened:
    """Find the Parquet files of what is to be looked at; a file of another kind becomes one.

    Args:
        path: the directory of a dataset (or one level above, with `current`), or a file of rows.
        view: the rows of the splits, or those that were dropped.
        root: of the workspace.
        tell: told how far the reading of a file is.

    Raises:
        DataError: nothing is there, or nothing in it can be used.
    """
    found = path / "current" if (path / "current").is_dir() else path
    if found.is_dir():
        found = found.resolve()
        names = ("dropped",) if view == "dropped" else SPLITS
        parts = tuple(
            Part(file, name) for name in names if (file := found / f"{name}.parquet").is_file()
        )
        if not parts:
            raise DataError(
                "this directory holds no dataset" if view == "kept" else "no dropped rows are here",
                where=str(path),
                cure="`temper curate` makes one.",
            )
        inner = found.parent.name if (found.parent / "current").is_symlink() else found.name
        return Opened(found, inner, parts, (found / "ledger.json").is_file())
    if not path.is_file():
        raise DataError(
            "this file is not there", where=str(path), cure="Was it moved? Open it anew."
        )
    from tui.browse.files import converted

    whole, unusable = converted(path.resolve(), cache_directory(path, root), tell)
    return Opened(path.resolve(), path.name, (Part(whole, ""),), False, unusable)
