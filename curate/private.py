"""Files for their owner alone: what a step set aside, kept out of every dataset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from workspace.errors import UsageError
from workspace.files import atomic_path

if TYPE_CHECKING:
    from curate.steps.base import Private, StepContext


def private_path(wanted: str | None, context: StepContext) -> Path | None:
    """Return where a private file goes.

    Raises:
        UsageError: it would lie among the datasets, which are meant to be given away.
    """
    if wanted is None:
        return None
    path = context.base_dir / Path(wanted).expanduser()
    refuse_within(path, context.workspace.datasets)
    return path


def refuse_within(path: Path, directory: Path) -> None:
    """Refuse a private file below a directory of data.

    Raises:
        UsageError: it lies there, or is a directory or link.
    """
    if path.is_symlink() or path.is_dir():
        raise UsageError(
            "the map of personal data needs a file of its own",
            where=str(path),
            cure="Give the name of a new file.",
        )
    if path.resolve().is_relative_to(directory.resolve()):
        raise UsageError(
            "the map of personal data must not lie among the data",
            where=str(path),
            cause=f"{directory} is what would be given away.",
            cure="Give a path outside it.",
        )


def write_private(files: Iterable[Private]) -> None:
    """Write each file with mode 0600; what was there before is replaced."""
    for private in files:
        with atomic_path(private.path, private=True) as temporary:
            private.rows.write_ndjson(temporary)
