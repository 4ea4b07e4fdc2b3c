"""From a source of the recipe to its files: paths, folders, datasets of the hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from curate.formats.files import SourceFile, find_files
from curate.recipe import Source
from workspace.errors import DataError


def find_source(source: Source, base: Path, tell: Callable[[str], None]) -> list[SourceFile]:
    """Return the files of a source, in the order in which they are read.

    Args:
        source: of the recipe.
        base: what relative paths are relative to.
        tell: told what is being downloaded.

    Raises:
        DataError: nothing is there, several splits or configurations are there and none is named,
            or the hub refuses; with the way out.
    """
    if source.hub is not None:
        from curate.formats.hub import hub_files

        return hub_files(source, base, tell)
    folder = base / Path(source.path).expanduser()
    if source.path and folder.is_dir():
        from curate.formats.folders import folder_files

        return folder_files(folder, source, base)
    if source.split is not None or source.config is not None:
        given = "split" if source.split is not None else "config"
        raise DataError(
            f"files have no `{given}`",
            where=source.path,
            cause="It is for a folder of a dataset, or a dataset of the hub.",
            cure=f"Take `{given}` out, and name the files of the split you want.",
        )
    return find_files(source.path, base, source.format)
