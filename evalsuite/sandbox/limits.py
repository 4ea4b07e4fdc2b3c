"""How much a program may use."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section

_MIB = 1024 * 1024


class Limits(Section):
    """What one run of a program may use before it is ended."""

    wall_seconds: float = Field(default=10.0, gt=0.0, le=3600.0)
    """From start to end, waiting included."""
    cpu_seconds: int = Field(default=10, ge=1, le=3600)
    """Of computation, for each process."""
    memory_mib: int = Field(default=512, ge=64)
    """Address space of each process; with `processes` it bounds the whole."""
    processes: int = Field(default=4, ge=2, le=256)
    """Processes and threads at a time, the one that runs the tests included."""
    files_mib: int = Field(default=16, ge=1)
    """The largest file, what is printed included; in a namespace all files together."""
    output_characters: int = Field(default=10_000, ge=0)
    """How much of what it prints is kept."""

    @property
    def memory_bytes(self) -> int:
        """Address space of each process."""
        return self.memory_mib * _MIB

    @property
    def file_bytes(self) -> int:
        """The largest file."""
        return self.files_mib * _MIB
