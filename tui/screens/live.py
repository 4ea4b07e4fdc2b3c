"""What a screen must offer to be told what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from tui.poller import Update
from tui.widgets.details import Details
from tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from tui.app import TemperApp
    from tui.snapshot import Snapshot


class LiveScreen(Screen[None]):
    """A screen that shows the workspace as it changes, below the line of modes."""

    follows_log: ClassVar[bool] = False
    """Whether it takes lines of a log, which come to hidden screens too."""
    _heard: Snapshot | None = None

    def expect(self, size: Size) -> None:
        """Lay out for a size before Textual tells it, so that the first layout holds."""
        for edges, cells in (
            (self.app.HORIZONTAL_BREAKPOINTS, size.width),
            (self.app.VERTICAL_BREAKPOINTS, size.height),
        ):
            reached = [name for edge, name in sorted(edges or ()) if edge <= cells]
            self.add_class(*reached[-1:], update=False)

    async def mount_composed_widgets(self, widgets: list[Widget]) -> None:
        """Put the line of modes above what a subclass lays out, and style all at once."""
        app = cast("TemperApp", self.app)
        await super().mount_composed_widgets([Tabs(app.glyphs, app.current_mode), *widgets])

    def show(self, update: Update) -> None:
        """Show what is new; called once a look while the screen is seen, and when it is again."""
        raise NotImplementedError

    def hear(self, update: Update, *, is_seen: bool) -> None:
        """Take what is new: all of it, or while the screen is hidden the lines of the log alone."""
        if is_seen:
            self._heard = update.snapshot
            self.show(update)
        elif self.follows_log and update.log_lines and self._heard is not None:
            self.show(update._replace(snapshot=self._heard))

    def on_screen_resume(self) -> None:
        """Catch up with what the workspace became while another screen was shown."""
        app = cast("TemperApp", self.app)
        if app.poller.looks and self._heard is not app.snapshot:
            self.hear(Update(app.snapshot), is_seen=True)

    def unsaved(self) -> str:
        """Return what would be lost here if the app ended now, in a sentence; "" if nothing."""
        return ""

    def copy_text(self) -> str | None:
        """Return what the copy key copies here: by default the command that is shown.

        None: a thread reads it first, and copies it itself.
        """
        found = self.query(Details)
        return found.first().command if found else ""
