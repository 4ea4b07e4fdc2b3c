"""Room for the vectors of many rows: memory for a few, a file without a name for many."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workspace.files import telling_disk_errors
from workspace.layout import Workspace

IN_MEMORY_BYTES = 1 << 26


def vectors_directory(workspace: Workspace) -> Path:
    """Return where vectors are kept, and large ones lie while they are needed."""
    return workspace.cache / "vectors"


def room_for(rows: int, dimensions: int, directory: Path) -> NDArray[np.int16]:
    """Return zeros of shape (rows, dimensions); the system can take large ones out of memory.

    Args:
        rows: number of vectors.
        dimensions: of each.
        directory: made if they are large, to hold a file that vanishes with the array.

    Raises:
        DiskFullError: there is no space for them.
    """
    size = rows * dimensions * 2
    if size <= IN_MEMORY_BYTES:
        return np.zeros((rows, dimensions), np.int16)
    with telling_disk_errors(directory):
        for place in (directory.parent, directory):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with telling_disk_errors(directory), tempfile.TemporaryFile(dir=directory) as file:
        # A map of a file without its blocks would end the process when the disk is full.
        os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.int16, mode="r+", shape=(rows, dimensions))
