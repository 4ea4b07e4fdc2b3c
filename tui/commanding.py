"""The part of the app that runs `temper` commands and takes texts to a clipboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from textual.message import Message

from tui.app_state import AppState
from tui.screens.live import LiveScreen
from workspace.text import plain

if TYPE_CHECKING:
    from tui.clipboard import Receipt
    from tui.temper import Outcome


class Commanding(AppState):
    """Nothing here holds the screen: the work is done in threads, which post what they found."""

    class CommandEnded(Message):
        """A `temper` command that a screen asked for has ended."""

        def __init__(self, outcome: Outcome, then: Callable[[Outcome], object]) -> None:
            super().__init__()
            self.outcome = outcome
            self.then = then

    class Copied(Message):
        """A text was taken to a clipboard, or is to be given to the terminal's."""

        def __init__(self, text: str, receipt: Receipt) -> None:
            super().__init__()
            self.text = text
            self.receipt = receipt

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
        root, asked = self.snapshot.root, tuple(arguments)

        is_answer = "--json" in arguments

        asked_on = next(screen for screen in reversed(self.screen_stack) if not screen.is_modal)

        def is_unwanted() -> bool:
            return is_answer and (self.is_over or not asked_on.is_running)

        def work() -> None:
            outcome = run_temper(arguments, root, is_unwanted=is_unwanted)
            if is_unwanted():
                self.commands_running -= 1
                self.under_way.remove(asked)
            else:
                with suppress(RuntimeError):  # the app has ended meanwhile
                    self.post_message(ended(outcome))

        self.under_way.append(asked)
        self.commands_running += 1
        if is_answer:
            self.run_worker(work, thread=True, group="commands", exit_on_error=False)
        else:
            Thread(target=copy_context().run, args=(work,), daemon=True).start()

    def on_commanding_command_ended(self, message: CommandEnded) -> None:
        """Hand the outcome to who asked for it, and look at what the command left."""
        self.commands_running -= 1
        self.under_way.remove(message.outcome.arguments)
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

    def on_commanding_copied(self, message: Copied) -> None:
        """Give the text to the terminal where that is the route, and show the receipt."""
        if message.receipt.route == "osc52":
            super().copy_to_clipboard(message.text)
        is_lost = message.receipt.route == "nowhere"
        self.notify(
            plain(message.receipt.said, limit=400),
            severity="error" if is_lost else "information",
            markup=False,
        )
