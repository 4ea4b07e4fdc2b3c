"""The part of the app that leads from one screen to another: by name, by key and by palette."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.app_state import AppState
from tui.snapshot import unstamped
from tui.widgets.hints import Hints
from workspace.text import plain

if TYPE_CHECKING:
    from tui.actions import Scope
    from tui.comparing.comparison import Kind
    from tui.palette import Entry


class Opening(AppState):
    """Screens are imported when they are first shown: the first paint needs few of them."""

    async def action_mode(self, name: str) -> None:
        """Show one of the screens that stand side by side, as it was left."""
        await self.switch_mode(name)

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
