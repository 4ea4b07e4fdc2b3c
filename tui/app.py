"""The app: a viewer of a workspace that holds no state and may die at any time.

What it shows comes from the directories through one reader; the jobs are other processes. All
reading happens in one thread, which never touches a widget: it posts one message a look.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.events import Event, Key
from textual.message import Message

from tui import glyphs, themes
from tui.actions import Scope, bindings
from tui.away.presence import Presence
from tui.driver import LinkMeasured, measuring
from tui.keymap import REGISTRY_KEYS, Keymap, keymap_path, read_keymap
from tui.link import Link
from tui.modes import MODES
from tui.poller import CALM_SECONDS, PERIOD_SECONDS, Poller, Update
from tui.reader import Reader
from tui.screens.live import LiveScreen
from tui.snapshot import Snapshot, unstamped
from tui.widgets.hints import Hints
from tui.widgets.tabs import Tabs
from workspace.text import plain

if TYPE_CHECKING:
    from textual.theme import Theme

    from tui.away.digest import Digest
    from tui.browse.deciding import Decisions
    from tui.clipboard import Receipt
    from tui.comparing.comparison import Kind
    from tui.palette import Entry
    from tui.temper import Outcome


class TemperApp(App[None]):
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

    @dataclass
    class WorkspaceChanged(Message):
        """The poller found something new."""

        update: Update

    @dataclass
    class CameBack(Message):
        """Somebody is there again, and this came meanwhile."""

        digest: Digest

    @dataclass
    class CommandEnded(Message):
        """A `temper` command that a screen asked for has ended."""

        outcome: Outcome
        then: Callable[[Outcome], object]

    @dataclass
    class Copied(Message):
        """A text was taken to a clipboard, or is to be given to the terminal's."""

        text: str
        receipt: Receipt

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
        """Commands whose outcome is still to come; one whose screen is gone is not waited for."""
        self.steps_begun: set[tuple[str, ...]] = set()
        """Arguments of the proposed steps whose command has not ended yet."""
        self.is_calm = False
        """Whether little is sent: sixteen colours, a look in two seconds."""
        self._wants_calm = calm
        self._lively_theme = theme
        self._decisions: dict[Path, Decisions] = {}
        self._is_over = False
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
        """Begin to look at the workspace, while the first screen is made."""
        self.poller.start()

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
        self._is_over = True
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
        self._tell_news()
        is_seen = True
        for screen in reversed(self.screen_stack):
            if isinstance(screen, LiveScreen):
                screen.hear(update, is_seen=is_seen)
            is_seen = is_seen and screen.is_modal

    async def action_mode(self, name: str) -> None:
        """Show one of the screens that stand side by side, as it was left."""
        await self.switch_mode(name)

    def run_temper(
        self, arguments: Sequence[str], then: Callable[[Outcome], object] | None = None
    ) -> None:
        """Run a `temper` command without holding the screen.

        What takes long is to be started with `--detach`: it is then a job that outlives the app.
        What only answers (`--json`) is killed when its screen or the app ends. Any other command
        then goes on by itself, and nothing waits for it.

        Args:
            arguments: of `temper`.
            then: called with the outcome in the app's own thread; by default the outcome is told
                in a toast, or in a box where the command failed.
        """
        from tui.temper import run_temper

        ended = partial(self.CommandEnded, then=then or self.tell)
        root = self.snapshot.root

        is_answer = "--json" in arguments

        asked_on = next(screen for screen in reversed(self.screen_stack) if not screen.is_modal)

        def is_unwanted() -> bool:
            return is_answer and (self._is_over or not asked_on.is_running)

        def work() -> None:
            outcome = run_temper(arguments, root, is_unwanted=is_unwanted)
            if is_unwanted():
                self.commands_running -= 1
            else:
                with suppress(RuntimeError):  # the app has ended meanwhile
                    self.post_message(ended(outcome))

        self.commands_running += 1
        if is_answer:
            self.run_worker(work, thread=True, group="commands", exit_on_error=False)
        else:
            Thread(target=copy_context().run, args=(work,), daemon=True).start()

    def on_temper_app_command_ended(self, message: CommandEnded) -> None:
        """Hand the outcome to who asked for it, and look at what the command left."""
        self.commands_running -= 1
        self.poller.look_now()
        message.then(message.outcome)

    def tell(self, outcome: Outcome) -> None:
        """Tell how a command ended, in a box where it failed."""
        if outcome.code:
            from tui.screens.dialog import Notice

            title = f"{outcome.command}  (exit code {outcome.code})"
            self.push_screen(Notice(title, outcome.said or outcome.output))
        else:
            title = "started" if "--detach" in outcome.arguments else "done"
            self.notify(plain(outcome.command, limit=200), title=title, markup=False)

    async def open_recipe(self, path: Path) -> None:
        """Show a recipe as a form."""
        from tui.screens.train import TrainScreen  # its widgets are not needed for the first paint

        await self._to_mode("train")
        if isinstance(self.screen, TrainScreen):
            self.screen.leave_for(path)

    def open_run(self, run_id: str) -> None:
        """Show one run on a screen of its own."""
        from tui.screens.run import RunScreen  # its widgets are not needed for the first paint

        row = next((row for row in self.snapshot.runs if row.id == run_id), None)
        if row is not None:
            log = row.job / "log.txt" if row.job is not None else None
            screen = RunScreen(self.glyphs, self.snapshot, row)
            self.push_screen(screen, partial(self._close_run, log))
            self.poller.follow(log)

    def open_eval(self, path: Path) -> None:
        """Show the evaluation in `path` in the mode of evaluations."""
        self.call_next(self._open_eval, path)

    async def _open_eval(self, path: Path) -> None:
        from tui.screens.evaluation import EvaluationScreen

        await self._to_mode("eval")
        await self.push_screen(EvaluationScreen(self.glyphs, self.snapshot.root, path))

    async def open_dataset(self, path: Path) -> None:
        """Show the rows of a dataset, or of any file of rows, on the data screen.

        Args:
            path: the directory of a dataset, or a file.
        """
        from tui.screens.data import DataScreen

        await self._to_mode("data")
        if isinstance(self.screen, DataScreen):
            self.screen.open_rows(path)

    def _close_run(self, log: Path | None, _: object) -> None:
        """Follow the log of the run no longer, unless another one is followed by now."""
        if self.poller.follows == log:
            self.poller.follow(None)

    async def open_chat(self, run_id: str, against: str = "base") -> None:
        """Talk to a run, beside its base or another model."""
        from tui.screens.chat import ChatScreen

        await self._to_mode("chat")
        if isinstance(self.screen, ChatScreen):
            self.screen.ask_for_pair(against, unstamped(run_id))

    async def open_compare(self, left: str, right: str, kind: Kind = "runs") -> None:
        """Compare two things of one kind, named as `temper compare` takes them."""
        from tui.screens.compare import CompareScreen

        await self._to_mode("compare")
        if isinstance(self.screen, CompareScreen):
            names = (unstamped(left), unstamped(right)) if kind == "runs" else (left, right)
            self.screen.open_pair(kind, *names)

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

    def action_help(self) -> None:
        """Show or hide the help."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            self.push_screen(HelpScreen(self.glyphs, self.scope))

    @property
    def scope(self) -> Scope:
        """Whose keys work on the screen that is shown: those in its footer."""
        hints = self.screen.query(Hints)
        return hints.first().scope if hints else "app"

    def action_palette(self) -> None:
        """Offer whatever can be done or opened here."""
        from tui.palette import of_actions, of_runs
        from tui.screens.palette import Palette

        entries = of_actions(self.scope, self.keymap, self._is_enabled)
        entries += of_runs(self.snapshot.runs)
        self.push_screen(Palette(self.glyphs, entries, self.snapshot.root), self._take)

    def _is_enabled(self, call: str) -> bool:
        owner, _, action = call.partition(".")
        node = self if owner == "app" else self.screen
        name, _, given = action.partition("(")
        return bool(node.check_action(name, tuple(given.rstrip(")").split(",")) if given else ()))

    async def _take(self, entry: Entry | None) -> None:
        """Do what was chosen in the palette."""
        if entry is None:
            return
        if entry.kind == "action":
            await self.run_action(entry.value, self.screen)
        elif entry.kind == "run":
            await self._to_mode("home")
            self.open_run(entry.value)
        else:
            await self._open_named(entry.value)

    async def _open_named(self, dataset: str) -> None:
        from workspace.errors import TemperError
        from workspace.layout import Workspace

        try:
            path = Workspace(self.snapshot.root).dataset(dataset)
        except TemperError as error:
            self.notify(plain(f"{error.title}. {error.cause}", limit=400), markup=False)
        else:
            await self.open_dataset(path)

    async def _to_mode(self, name: str) -> None:
        """Show the first screen of a mode, without those that lie above it."""
        await self.action_mode(name)
        while len(self.screen_stack) > 1:
            getattr(self.screen, "hand_back", self.pop_screen)()

    def action_copy(self) -> None:
        """Copy what the screen offers."""
        screen = self.screen
        text = screen.copy_text() if isinstance(screen, LiveScreen) else ""
        if text:
            self.copy_to_clipboard(text)
        elif text is not None:
            self.notify("There is nothing to copy here.", markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text by the route that reaches the person, and tell which it was."""
        from tui.clipboard import carry, inert

        shown, is_terminal = inert(text), not self.is_web

        def work() -> None:
            self.post_message(self.Copied(shown, carry(shown, is_terminal=is_terminal)))

        self.run_worker(work, thread=True, group="clipboard", exit_on_error=False)

    def on_temper_app_copied(self, message: Copied) -> None:
        """Give the text to the terminal where that is the route, and show the receipt."""
        if message.receipt.route == "osc52":
            super().copy_to_clipboard(message.text)
        is_lost = message.receipt.route == "nowhere"
        self.notify(
            plain(message.receipt.said, limit=400),
            severity="error" if is_lost else "information",
            markup=False,
        )

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
