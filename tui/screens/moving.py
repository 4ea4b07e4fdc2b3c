"""A screen whose keys move one of its panes, and which copies text."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.widgets.picking import FAR, Picking
from tui.widgets.reading import Reading
from workspace.text import plain

if TYPE_CHECKING:
    from tui.app import TemperApp


class MovingScreen(LiveScreen):
    """Moves what `moved` returns."""

    @property
    def moved(self) -> Picking | Reading:
        """The pane that the keys move."""
        raise NotImplementedError

    @property
    def temper(self) -> TemperApp:
        """The app, by its own type."""
        return cast("TemperApp", self.app)

    def show(self, update: Update) -> None:
        """Show what is new; by default nothing of it is on this screen."""

    def action_move(self, by: int) -> None:
        """Move by lines."""
        self.moved.move(by)

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self.moved.move_page(by)

    def action_first(self) -> None:
        """Go to the first line."""
        self.moved.move(-FAR)

    def action_last(self) -> None:
        """Go to the last line."""
        self.moved.move(FAR)

    def action_back(self) -> None:
        """Go back to the screen below."""
        self.dismiss(None)

    def copy_text(self) -> str:
        """Return what the copy key copies here."""
        raise NotImplementedError

    def tell(self, text: str) -> None:
        """Say something in a toast."""
        self.notify(plain(text, limit=300), markup=False)
