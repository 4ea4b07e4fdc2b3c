"""What the keys do on a screen that shows two answers side by side."""

from __future__ import annotations

from tui.widgets.answers import Answers


class ScrollsAnswers:
    """Mixed into a screen whose keys scroll the answer that is looked at."""

    _panes: tuple[Answers, Answers]
    _current: int

    def action_move(self, by: int) -> None:
        """Scroll the answer."""
        self._panes[self._current].scroll(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._panes[self._current].scroll_page(by)

    def action_first(self) -> None:
        """Go to the first line."""
        self._panes[self._current].scroll_far(-1)

    def action_last(self) -> None:
        """Go to the end; an answer that still grows is followed."""
        self._panes[self._current].scroll_far(1)
