"""While you were away: a few lines over the panes, until one key puts them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.figures import moment
from tui.glyphs import ROLES, Glyphs
from tui.widgets.rows import Line, Rows, fit

if TYPE_CHECKING:
    from tui.away.digest import Digest


class DigestRows(Rows):
    """The lines of a digest; nothing without one."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="digest")
        self._digest: Digest | None = None

    def show(self, digest: Digest | None) -> None:
        """Show another digest, as high as it is, or nothing."""
        self._digest = digest
        self.styles.height = len(digest.news) + 1 if digest is not None else 0
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return a heading and a line for each piece of news."""
        if self._digest is None:
            return []
        more = self.glyphs.ellipsis
        title = f" While you were away, since {moment(self._digest.since)}"
        away = "esc puts it away "
        room = max(0, width - len(away))
        lines: list[Line] = [((fit(title, room, more), "strong"), (away, "muted"))]
        for news in self._digest.news:
            state = {"alarm": "broken", "step": "running"}.get(news.state, news.state)
            mark = self.glyphs.marks.get(state, " ")
            words = fit(news.words, max(0, width - 4), more)
            lines.append(((f"  {mark} ", ROLES.get(state, "")), (words, "")))
        return lines
