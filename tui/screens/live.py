"""What a screen must offer to be told what is new."""

from __future__ import annotations

from textual.screen import Screen

from tui.poller import Update


class LiveScreen(Screen[None]):
    """A screen that shows the workspace as it changes."""

    def show(self, update: Update) -> None:
        """Show what is new; called once a look, also while another screen is above."""
        raise NotImplementedError
