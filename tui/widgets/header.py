"""The top line: where we are, and how much of everything there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.cells import cell_len

from tui.figures import count
from tui.glyphs import Glyphs
from tui.snapshot import Snapshot
from tui.widgets.rows import Line, fit
from tui.widgets.snapshot_rows import SnapshotRows
from workspace.text import plain

_NAME = " temper "


class Header(SnapshotRows):
    """The name, the workspace and its counts."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="header")

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line; the path gives way to the counts, the counts to the name."""
        if self._snapshot is None:
            return [((_NAME, "strong"), ("reading", "muted"))]
        if self._snapshot.trouble:
            trouble = fit(self._snapshot.trouble, width - len(_NAME), self.glyphs.ellipsis)
            return [((_NAME, "strong"), (trouble, "bad"))]
        counts = f" {self.glyphs.dot} ".join(self._counts(self._snapshot)) + " "
        if len(_NAME) + cell_len(counts) > width:
            counts = f"{len(self._snapshot.runs)} runs "
        room = max(0, width - len(_NAME) - cell_len(counts))
        path = plain(_from_home(self._snapshot.root))
        if cell_len(path) > room - 1:
            path = self.glyphs.ellipsis + path[-(room - 2) :] if room > 12 else ""
        return [
            (
                (_NAME, "strong"),
                (fit(path, room, self.glyphs.ellipsis), "muted"),
                (counts, ""),
            )
        ]

    def _counts(self, snapshot: Snapshot) -> list[str]:
        running = sum(row.state == "running" for row in snapshot.runs)
        mark = self.glyphs.marks["running"]
        active = [f"{mark} {running} running"] if running else []
        for kind, number in sorted(Counter(snapshot.other_jobs).items()):
            active.append(f"{mark} {kind}" + (f" x{number}" if number > 1 else ""))
        return [
            *active,
            f"{count(snapshot.dataset_count)} dataset{'s' * (snapshot.dataset_count != 1)}",
            f"{count(len(snapshot.runs))} run{'s' * (len(snapshot.runs) != 1)}",
            f"{count(snapshot.eval_count)} eval{'s' * (snapshot.eval_count != 1)}",
        ]


def _from_home(path: Path) -> str:
    """Return a path as shells show it: `~/demo` for one below the home directory."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if home in path.parents else str(path)
