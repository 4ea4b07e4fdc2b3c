"""What a person can do with a run from its screen: each is a `temper` command."""

from __future__ import annotations

from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tui.run_commands import FORMS, commands_of, stop_command
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow
from tui.temper import typed
from tui.widgets.details import next_command

if TYPE_CHECKING:
    from tui.app import TemperApp


class RunCommanding(LiveScreen):
    """A screen of one run, with the keys that do something with it."""

    row: RunRow
    """The run as it was last seen."""

    @property
    def temper(self) -> TemperApp:
        """The app."""
        return cast("TemperApp", self.app)

    def action_stop(self) -> None:
        """Ask, then have the run save and stop."""
        from tui.screens.dialog import Confirm

        command = stop_command(self.row)
        if command is None:
            self.notify("It is not running.", timeout=2)
            return
        lost = "It saves a checkpoint first; `temper resume` goes on from there."

        def answered(yes: bool | None) -> None:
            if yes:
                self.temper.run_temper(command.arguments)

        question = f"Stop it?  {typed(command.arguments)}"
        self.app.push_screen(Confirm(question, lost), answered)

    def action_do(self) -> None:
        """Choose what to do with the run; the choices are the commands."""
        from tui.screens.dialog import Choose

        commands = commands_of(self.row)
        if not commands:
            told = "x stops it" if self.row.is_active else "its files cannot be read"
            self.notify(f"Nothing else can be done with it now: {told}.", timeout=3)
            return
        options = [f"{one.title:<8}  {typed(one.arguments)}" for one in commands]

        def answered(place: int | None) -> None:
            if place is None:
                return
            if commands[place].title == "export":
                self._export(commands[place].arguments)
            else:
                self.temper.run_temper(commands[place].arguments)

        self.app.push_screen(Choose("What to do with it?", options), answered)

    def _export(self, arguments: tuple[str, ...]) -> None:
        """Ask for the form and the directory of an export, then run it."""
        from tui.screens.dialog import Ask, Choose

        def form_chosen(place: int | None) -> None:
            if place is None:
                return
            form = FORMS[place]

            def directory_given(directory: str | None) -> None:
                if directory and directory.strip():
                    given = (*arguments, directory.strip(), "--to", form)
                    self.notify(f"{typed(given)}", markup=False)
                    self.temper.run_temper(given)

            question = f"Into which new directory? (as {form})"
            suggested = f"exports/{self.row.label}-{form}"
            self.app.push_screen(Ask(question, suggested), directory_given)

        self.app.push_screen(Choose("Export it as what?", FORMS), form_chosen)

    def copy_text(self) -> str:
        """Return the command that the facts show as the next one."""
        return next_command(self.row)

    async def action_verdict(self) -> None:
        """Show the evaluation that judged it."""
        if self.row.verdict is None:
            self.notify("It was not evaluated yet: a evaluates it.", timeout=3)
        else:
            await self._open("open_eval", self.row.verdict.evaluation)

    async def action_chat(self) -> None:
        """Talk to the run."""
        if self.row.state == "finished":
            await self._open("open_chat", self.row.id)
        else:
            self.notify("It can be talked to when it has finished.", timeout=3)

    async def _open(self, name: str, what: Path | str) -> None:
        """Show another screen."""
        opened = getattr(self.app, name)(what)
        if isawaitable(opened):
            await opened
