"""The app: a viewer of a workspace that holds no state and may die at any time.

What it shows comes from the directories through one reader; the jobs are other processes. All
reading happens in one thread, which never touches a widget: it posts one message a look.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from tui import glyphs, themes
from tui.actions import bindings
from tui.poller import Poller, Update
from tui.reader import Reader
from tui.screens.home import HomeScreen
from tui.screens.live import LiveScreen
from tui.snapshot import Snapshot


class TemperApp(App[None]):
    """The screens of `temper`."""

    TITLE = "temper"
    # The sheet of the first screen is named here: Textual loads those of pushed screens only.
    CSS_PATH: ClassVar[list[str | PurePath]] = ["global.tcss", "screens/home.tcss"]
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app")]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  (Textual declares it so)
        (0, "-narrow"),
        (128, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (16, "-medium"),
        (34, "-tall"),
    ]

    @dataclass
    class WorkspaceChanged(Message):
        """The poller found something new."""

        update: Update

    def __init__(
        self,
        workspace_root: Path,
        *,
        glyph_set: glyphs.Glyphs = glyphs.UNICODE,
        theme: str = themes.DARK.name,
    ) -> None:
        self.glyphs = glyph_set
        self.snapshot = Snapshot(workspace_root)
        super().__init__()
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        self.theme = theme
        self.animation_level = "none"
        self.set_class(not glyph_set.braille, "-ascii")
        self.poller = Poller(
            Reader(workspace_root),
            lambda update: self.post_message(self.WorkspaceChanged(update)),
        )

    def get_default_screen(self) -> Screen[None]:
        """Begin with the home screen."""
        return HomeScreen(self.glyphs, self.snapshot.root)

    def on_mount(self) -> None:
        """Begin to look at the workspace."""
        self.poller.start()

    def on_unmount(self) -> None:
        """Let the reading thread end."""
        self.poller.stop()

    def on_temper_app_workspace_changed(self, message: WorkspaceChanged) -> None:
        """Hand what is new to every screen, also those below the top one."""
        self.snapshot = message.update.snapshot
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.show(message.update)

    def open_run(self, run_id: str) -> None:
        """Show one run on a screen of its own."""
        from tui.screens.run import RunScreen  # its widgets are not needed for the first paint

        row = next((row for row in self.snapshot.runs if row.id == run_id), None)
        if row is not None:
            self.push_screen(RunScreen(self.glyphs, self.snapshot, row), self._close_run)
            self.poller.follow(row.job / "log.txt" if row.job is not None else None)

    def _close_run(self, _: object) -> None:
        self.poller.follow(None)

    def action_help(self) -> None:
        """Show or hide the help."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            self.push_screen(HelpScreen(self.glyphs))

    def action_refresh(self) -> None:
        """Look at the disk now."""
        self.poller.look_now()

    def action_theme(self) -> None:
        """Go to the next theme."""
        place = themes.NAMES.index(self.theme) if self.theme in themes.NAMES else -1
        self.theme = themes.NAMES[(place + 1) % len(themes.NAMES)]


def run_app(
    workspace_root: Path,
    *,
    ascii_only: bool = False,
    mouse: bool | None = None,
    theme: str | None = None,
) -> int:
    """Show the workspace until the user leaves; return the exit code.

    Args:
        workspace_root: the directory that holds `runs/`, `jobs/` …
        ascii_only: draw with ASCII characters; otherwise as the terminal and locale allow.
        mouse: take the mouse. By default not over SSH, where a dropped line would leave the
            terminal printing mouse reports, and where its own selection is the way to copy.
        theme: a theme's name; by default by the terminal's colours.
    """
    from rich.console import Console

    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    app = TemperApp(
        workspace_root.resolve(),
        glyph_set=glyphs.ASCII if ascii_only else glyphs.choose(),
        theme=theme or themes.choose(Console().color_system, os.environ),
    )
    app.run(mouse="SSH_CONNECTION" not in os.environ if mouse is None else mouse)
    return 4 if app.return_code else 0
