"""The proofs of a recipe: its checks, what the loss sees of a row, and the rehearsal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.worker import get_current_worker

from tui.actions import bindings
from tui.form.desk import Desk
from tui.form.proofs import inside, read_checks, read_mask, read_rehearsal
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.dialog import Notice
from tui.screens.live import LiveScreen
from tui.temper import TOO_LATE, Outcome, run_temper, typed
from tui.widgets.hints import Hints
from tui.widgets.proofs import ProofRows, Proofs
from tui.widgets.recipe_bars import CommandLine

_DEADLINE_SECONDS = 600.0
_FAR = 1 << 40


class ProofsScreen(LiveScreen):
    """Everything that can be proved before step 1."""

    CSS_PATH = "proofs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("proofs")]

    @dataclass
    class Told(Message):
        """One of the answers is there."""

        change: Callable[[Proofs], Proofs]

    def __init__(
        self, glyphs: Glyphs, desk: Desk, path: Path, overrides: Sequence[str], run: Path | None
    ) -> None:
        super().__init__()
        self._desk, self._path, self._overrides, self._run_path = desk, path, overrides, run
        self._proofs = Proofs()
        self._rows = ProofRows(glyphs, id="proofs")
        self._command_line = CommandLine(glyphs)
        self._hints = Hints(glyphs, "proofs")

    def compose(self) -> ComposeResult:
        """One list, the command below."""
        yield self._rows
        yield self._command_line
        yield self._hints

    def on_mount(self) -> None:
        """Begin to ask."""
        self._command_line.show(self.copy_text(), is_possible=True)
        self._ask()

    def show(self, update: Update) -> None:
        """Nothing here follows the workspace: `r` asks again."""

    def copy_text(self) -> str:
        """Return the command that checks."""
        return typed(self._desk.command("check", self._path, self._overrides))

    def _ask(self) -> None:
        self._proofs = Proofs()
        self._rows.show(self._proofs)

        def work() -> None:
            worker = get_current_worker()
            rehearsal = read_rehearsal(self._run_path)
            self._tell(lambda proofs: replace(proofs, rehearsal=rehearsal))
            for ask in (self._check, self._preview):
                if not worker.is_cancelled:
                    self._tell(ask(lambda: worker.is_cancelled))

        self.run_worker(work, thread=True, exclusive=True, group="proofs", exit_on_error=False)

    def _tell(self, change: Callable[[Proofs], Proofs]) -> None:
        self.post_message(self.Told(change))

    def on_proofs_screen_told(self, message: Told) -> None:
        """Show what is known now."""
        self._proofs = message.change(self._proofs)
        self._rows.show(self._proofs)

    def _run(self, verb: str, is_unwanted: Callable[[], bool], *more: str) -> Outcome:
        arguments = self._desk.command(verb, self._path, self._overrides, *more, "--json")
        return run_temper(
            arguments,
            self._desk.root,
            deadline_seconds=_DEADLINE_SECONDS,
            is_unwanted=is_unwanted,
        )

    def _check(self, is_unwanted: Callable[[], bool]) -> Callable[[Proofs], Proofs]:
        outcome = self._run("check", is_unwanted)
        try:
            found = read_checks(outcome.output, self._desk.root)
        except ValueError:
            why = inside(self._desk.root, _why(outcome))
            return lambda proofs: replace(proofs, check_trouble=why)
        return lambda proofs: replace(proofs, checks=found)

    def _preview(self, is_unwanted: Callable[[], bool]) -> Callable[[Proofs], Proofs]:
        outcome = self._run("preview", is_unwanted, "--rows", "1")
        try:
            found = read_mask(outcome.output)
        except ValueError:
            why = inside(self._desk.root, _why(outcome))
            return lambda proofs: replace(proofs, mask_trouble=why)
        return lambda proofs: replace(proofs, mask=found)

    def action_refresh(self) -> None:
        """Ask again."""
        self._ask()

    def action_back(self) -> None:
        """Go back to the form."""
        self.dismiss(None)

    def action_whole(self) -> None:
        """Show what is wrong, whole."""
        checks = self._proofs.checks or ()
        told = [f"{one.what}: {one.found} {one.cure}" for one in checks if one.level != "ok"]
        self.app.push_screen(Notice("Not in order", "\n\n".join(told) or "Everything is in order."))

    def action_move(self, by: int) -> None:
        """Scroll."""
        self._rows.scroll(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._rows.scroll(by * max(1, self._rows.size.height - 1))

    def action_first(self) -> None:
        """To the top."""
        self._rows.scroll(-_FAR)

    def action_last(self) -> None:
        """To the end."""
        self._rows.scroll(_FAR)


def _why(outcome: Outcome) -> str:
    if outcome.code == TOO_LATE:
        return f"`{outcome.command}` takes more than ten minutes: run it in a terminal."
    return outcome.said or f"`{outcome.command}` ended with exit code {outcome.code}."
