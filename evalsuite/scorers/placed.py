"""Scorers that name a file or folder: relative to the suite, or to the recipe for a reward."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import PrivateAttr

from workspace.recipe import Section


class Placed(Section):
    """A scorer that needs to know where its paths begin."""

    _base_dir: Path = PrivateAttr(default_factory=Path)

    def at(self, base_dir: Path) -> Self:
        """Return the scorer with the directory that its paths are relative to."""
        placed = self.model_copy()
        placed._base_dir = base_dir.absolute()
        return placed

    @property
    def digest(self) -> str:
        """SHA-256 of what it names: with other contents it is another scorer.

        Raises:
            UsageError: it is not there.
        """
        raise NotImplementedError
