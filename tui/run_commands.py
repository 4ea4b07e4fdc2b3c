"""What can be done with a run, as `temper` commands: the app runs nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from tui.snapshot import RunRow

FORMS = ("adapter", "merged", "gguf", "ollama")
"""What a run is exported to in a directory; `hub` asks for more, on the command line."""


@dataclass(frozen=True)
class RunCommand:
    """One thing that can be done now."""

    title: str
    arguments: tuple[str, ...]
    """Of `temper`. Of an export, form and directory are asked for first."""


def stop_command(row: RunRow) -> RunCommand | None:
    """Return how to stop a run, if it is running or waits."""
    if not row.is_active or row.job is None:
        return None
    return RunCommand("stop", ("stop", row.job.name))


def commands_of(row: RunRow) -> list[RunCommand]:
    """Return what can be done with a run as it is, the most likely first."""
    if row.state == "broken" or row.is_active:
        return []
    if row.state != "finished":
        return [RunCommand("resume", ("resume", row.label, "--detach"))]
    return [
        RunCommand("evaluate", ("eval", row.label, "--detach")),
        RunCommand("dial", ("dial", row.label, "--detach")),
        RunCommand("export", ("export", row.label)),
    ]
