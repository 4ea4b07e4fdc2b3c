"""What to do first, where there is nothing to show yet."""

from __future__ import annotations

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, fit
from tui.widgets.snapshot_rows import SnapshotRows

_FIRST = (
    ("temper demo", "see the whole loop in minutes: what is forgotten, and the cure"),
    ("temper init DIR", "begin a workspace with a commented recipe"),
)
_NEXT = (
    ("temper check", "what can be known before anything is trained"),
    ("temper train", "train on a dataset that is here"),
)
_COMMAND = 24


class Welcome(SnapshotRows):
    """An empty workspace, in words."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="welcome")

    def lines(self, width: int, height: int) -> list[Line]:
        """Return a sentence and the commands to begin with."""
        if self._snapshot is None:
            return []
        has_data = self._snapshot.dataset_count > 0
        more = self.glyphs.ellipsis
        title = "A dataset is here, and no run yet." if has_data else "There is no run here yet."
        lines: list[Line] = [(), ((fit(f"  {title}", width, more), "strong"),), ()]
        for command, words in (*(_NEXT if has_data else ()), *_FIRST):
            lines.append(
                (
                    (
                        fit(f"  {self.glyphs.prompt} {command}", min(width, _COMMAND + 4), more),
                        "accent",
                    ),
                    (fit(words, max(0, width - _COMMAND - 4), more), ""),
                )
            )
        last = "  Runs appear here as soon as they begin."
        return [*lines, (), ((fit(last, width, more), "muted"),)]
