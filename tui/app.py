"""The app: a viewer of a workspace that holds no state and may die at any time.

What it shows comes from the directories through one reader; the jobs are other processes. All
reading happens in one thread, which never touches a widget: it posts one message a look.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.events import Event, Key
from textual.message import Message

from tui import glyphs, themes
from tui.actions import bindings
from tui.away.presence import Presence
from tui.commanding import Commanding
from tui.driver import LinkMeasured, measuring
from tui.keymap import REGISTRY_KEYS, Keymap, keymap_path, read_keymap
from tui.link import Link
from tui.modes import MODES
from tui.opening import Opening
from tui.poller import CALM_SECONDS, PERIOD_SECONDS, Poller, Update
from tui.reader import Reader
from tui.screens.live import LiveScreen
from tui.snapshot import Snapshot
from tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from textual.theme import Theme

    from tui.away.digest import Digest
    from tui.browse.deciding import Decisions

_FIRST_LOOK_SECONDS = 0.1
"""How long the first paint waits for the disk."""


class TemperApp(Opening, Commanding):
    """The screens of `temper`."""

    TITLE = "temper"
    DEFAULT_MODE = MODES[0].name
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

    class WorkspaceChanged(Message):
        """The poller found something new."""

        def __init__(self, update: Update) -> None:
            super().__init__()
            self.update = update

    class CameBack(Message):
        """Somebody is there again, and this came meanwhile."""

        def __init__(self, digest: Digest) -> None:
            super().__init__()
            self.digest = digest

    def __init__(
        self,
        workspace_root: Path,
        *,
        glyph_set: glyphs.Glyphs = glyphs.UNICODE,
        theme: str = themes.DARK.name,
        keymap: Keymap = REGISTRY_KEYS,
        calm: bool = False,
    ) -> None:
        self.glyphs = glyph_set
        self.keymap = keymap
        self.link = Link()
        self.commands_running = 0
        self.under_way = []
        self.is_calm = False
        """Whether little is sent: sixteen colours, a look in two seconds."""
        self._wants_calm = calm
        self._lively_theme = theme
        self._decisions: dict[Path, Decisions] = {}
        self.is_over = False
        self.snapshot = Snapshot(workspace_root)
        # Before the style sheet takes its colours: it would be parsed again for another theme.
        self.set_reactive(App.theme, theme)
        is_web = "TEXTUAL_DRIVER" in os.environ
        super().__init__(driver_class=None if is_web else measuring(self.link))
        self.set_keymap(keymap.bindings())
        self.animation_level = "none"
        self.set_class(not glyph_set.braille, "-ascii")
        self.presence = Presence(workspace_root)
        self.poller = Poller(
            Reader(workspace_root),
            lambda update: self.post_message(self.WorkspaceChanged(update)),
        )

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Textual's themes and those of the app."""
        return {**super().available_themes, **themes.OWN}

    def get_default_screen(self) -> LiveScreen:
        """Return the first screen; for one of a mode Textual would parse its style sheet twice."""
        screen = MODES[0].make(self.glyphs, self.snapshot.root)
        screen.expect(self.size)
        return screen

    def on_load(self) -> None:
        """Look at the workspace: a quick disk is waited for, and the first layout shows it all."""
        self.poller.start()
        self.poller.wait_for_first_look(_FIRST_LOOK_SECONDS)

    def on_mount(self) -> None:
        """Let all screens be shown by their keys."""
        for mode in MODES:
            self.add_mode(mode.name, partial(mode.make, self.glyphs, self.snapshot.root))
        self._step(calm=self._wants_calm)

    @property
    def aside(self) -> str:
        """What stands at the right end of the line of modes: whether it is calm, and the line."""
        told = ("calm" if self.is_calm else "", self.link.told())
        return " ".join(part for part in told if part)

    def on_link_measured(self, _: LinkMeasured) -> None:
        """Show what the line is like, and send less over a slow one."""
        self._step(calm=self._wants_calm or self.link.is_slow)
        for tabs in self.screen.query(Tabs):
            tabs.redraw()

    def _step(self, *, calm: bool) -> None:
        """Send little from now on, or all again."""
        if calm == self.is_calm:
            return
        self.is_calm = calm
        self.poller.period_seconds = CALM_SECONDS if calm else PERIOD_SECONDS
        if calm:
            self._lively_theme = self.theme
            self.theme = "ansi-dark" if self.current_theme.dark else "ansi-light"
        elif self.theme.startswith("ansi-"):
            self.theme = self._lively_theme
        for tabs in self.screen.query(Tabs):
            tabs.redraw()

    def on_unmount(self) -> None:
        """Let the threads end."""
        self.is_over = True
        self.poller.stop()
        self.presence.write()

    async def on_event(self, event: Event) -> None:
        """Note every key, wherever it goes; tell what came since the last one was long ago."""
        if isinstance(event, Key):
            self.presence.pressed()
            self._tell_news()
        await super().on_event(event)

    def _tell_news(self) -> None:
        """Tell what came while nobody was there, if somebody came back."""
        if self.snapshot.pending or not self.poller.looks:
            return
        since, snapshot = self.presence.take(), self.snapshot
        if since is None:
            return
        from tui.away.digest import make_digest

        def work() -> None:
            digest = make_digest(snapshot, since)
            if digest.news:
                self.post_message(self.CameBack(digest))

        self.run_worker(work, thread=True, group="away", exclusive=True, exit_on_error=False)

    def on_temper_app_came_back(self, message: CameBack) -> None:
        """Show the news on the home screen, also while another one is shown."""
        home = self.get_screen_stack(self.DEFAULT_MODE)[0]
        getattr(home, "show_digest", lambda _: None)(message.digest)

    def on_temper_app_workspace_changed(self, message: WorkspaceChanged) -> None:
        """Hand what is new to the screens that are seen; the others are told when they are.

        Textual repaints the top screen wholly when one below it changes, even one that it hides.
        """
        update = message.update
        self.snapshot = update.snapshot
        self.call_after_refresh(self._tell_news)
        is_seen = True
        for screen in reversed(self.screen_stack):
            if isinstance(screen, LiveScreen):
                screen.hear(update, is_seen=is_seen)
            is_seen = is_seen and screen.is_modal

    async def action_quit(self) -> None:
        """Leave; where something would be lost, having asked."""
        lost = self._unsaved()
        if not lost:
            self.exit()
            return
        from tui.screens.dialog import Confirm

        def answered(is_wanted: bool | None) -> None:
            if is_wanted:
                self.exit()

        self.push_screen(Confirm("Leave the app?", "\n".join(lost)), answered)

    def _unsaved(self) -> list[str]:
        """Return what would be lost if the app ended now, a sentence each."""
        screens = [screen for stack in self._screen_stacks.values() for screen in stack]
        told = [screen.unsaved() for screen in screens if isinstance(screen, LiveScreen)]
        waiting = sum(decisions.waiting for decisions in self._decisions.values())
        if waiting:
            told.append(f"Decisions about {waiting:,} rows are still to be written: wait a moment.")
        return [one for one in told if one]

    def decisions_of(self, dataset: Path) -> Decisions:
        """Return what is decided about a dataset's rows: the same for every screen."""
        from tui.browse.deciding import Decisions, short_name

        path = dataset.resolve()
        if path not in self._decisions:
            name = short_name(path, self.snapshot.root)
            self._decisions[path] = Decisions(name, self.run_temper)
        return self._decisions[path]

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
    calm: bool = False,
) -> int:
    """Show the workspace until the user leaves; return the exit code.

    Args:
        workspace_root: the directory that holds `runs/`, `jobs/` …
        ascii_only: draw with ASCII characters; otherwise as the terminal and locale allow.
        mouse: take the mouse. By default not over SSH, where a dropped line would leave the
            terminal printing mouse reports, and where its own selection is the way to copy.
        theme: a theme's name; by default by the terminal's colours.
        calm: send little; by itself the app does so only where it measures a slow line.

    Raises:
        UsageError: the file with keys of one's own cannot be used.
    """
    from rich.console import Console

    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    app = TemperApp(
        workspace_root.resolve(),
        glyph_set=glyphs.ASCII if ascii_only else glyphs.choose(),
        theme=theme or themes.choose(Console().color_system, os.environ),
        keymap=read_keymap(keymap_path()),
        calm=calm,
    )
    app.run(mouse="SSH_CONNECTION" not in os.environ if mouse is None else mouse)
    return 4 if app.return_code else 0
