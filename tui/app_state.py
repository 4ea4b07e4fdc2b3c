"""What the parts of the app share: the workspace as last seen, and the threads around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

if TYPE_CHECKING:
    from tui.glyphs import Glyphs
    from tui.keymap import Keymap
    from tui.poller import Poller
    from tui.snapshot import Snapshot


class AppState(App[None]):
    """The attributes; the app itself sets them."""

    glyphs: Glyphs
    keymap: Keymap
    snapshot: Snapshot
    poller: Poller
    commands_running: int
    """Commands whose outcome is still to come; one whose screen is gone is not waited for."""
    under_way: list[tuple[str, ...]]
    """Arguments of the commands that have not ended yet."""
    is_over: bool
    """Whether the app has ended."""
