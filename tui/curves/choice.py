"""What a person chose to see of the curves: steps, scale, averaging, and the cursor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.curves.plot import Window
from tui.curves.smoothing import WINDOWS

_LEAST_STEPS = 4.0


@dataclass(frozen=True)
class Choice:
    """One for all panes of a screen: the same steps lie above each other."""

    window: Window | None = None
    """The steps shown; None for all of them, to the planned end."""
    smooth: int = 0
    """Points over which curves are averaged; 0 is not at all."""
    cursor: int | None = None
    """The step under the cursor; None while nobody has moved it."""

    def shown(self, last_step: int) -> Window:
        """Return the steps shown of a run that goes to `last_step`."""
        return self.window or Window(0, max(1, last_step))

    def zoomed(self, factor: float, last_step: int) -> Choice:
        """Return it with `factor` times as many steps, around the cursor where it is shown."""
        whole = Window(0, max(1, last_step))
        now = self.shown(last_step)
        at = self.cursor if self.cursor is not None else (now.first + now.last) / 2
        at = at if now.first <= at <= now.last else (now.first + now.last) / 2
        width = max(min(_LEAST_STEPS, whole.width), now.width * factor)
        if width >= whole.width:
            return replace(self, window=None)
        first = at - width * (at - now.first) / now.width
        return replace(self, window=_within(first, width, whole))

    def panned(self, share: float, last_step: int) -> Choice:
        """Return it moved by a share of what is shown."""
        if self.window is None:
            return self
        now, whole = self.window, Window(0, max(1, last_step))
        return replace(self, window=_within(now.first + share * now.width, now.width, whole))

    def moved(self, step: int, last_step: int) -> Choice:
        """Return it with the cursor on another step, which is brought into view."""
        at = min(max(0, step), max(1, last_step))
        now = replace(self, cursor=at)
        if self.window is None or self.window.first <= at <= self.window.last:
            return now
        shown = self.window
        beyond = at - shown.last if at > shown.last else at - shown.first
        whole = Window(0, max(1, last_step))
        return replace(now, window=_within(shown.first + beyond, shown.width, whole))

    def smoother(self) -> Choice:
        """Return it with the next averaging."""
        place = WINDOWS.index(self.smooth)
        return replace(self, smooth=WINDOWS[(place + 1) % len(WINDOWS)])


def _within(first: float, width: float, whole: Window) -> Window:
    """Return a window of this width that does not go beyond the whole."""
    first = max(whole.first, min(first, whole.last - width))
    return Window(first, first + width)
