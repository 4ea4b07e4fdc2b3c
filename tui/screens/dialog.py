"""Small questions over a screen: a line of text, one of several, yes or no, and a notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.actions import bindings
from workspace.text import plain

Result = TypeVar("Result")


def dialog_text(text: str, name: str) -> Static:
    """Return a text from anywhere, made plain and never read as markup."""
    lines = "\n".join(plain(line, limit=4000) for line in text.splitlines())
    return Static(Content(lines), markup=False, classes=name)


class Dialog(ModalScreen[Result | None]):
    """A box over a screen; Escape leaves it with None."""

    CSS_PATH = "dialog.tcss"

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class PlainInput(Input):
    """A line in which nothing can be written to the terminal but text."""

    def validate_value(self, value: str) -> str:
        """Make what is put into the line plain, whoever puts it there."""
        return plain(value, limit=8 * len(value))


class Ask(Dialog[str]):
    """Asks for a line of text."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("ask")]

    def __init__(
        self,
        question: str,
        value: str = "",
        hint: str = "",
        check: Callable[[str], str] | None = None,
    ) -> None:
        """Make the question.

        Args:
            question: what is asked.
            value: what stands in the line; the first letter that is typed replaces it.
            hint: shown in an empty line.
            check: says what is wrong with an answer, which is then asked for again; empty where
                it will do.
        """
        super().__init__()
        self._question, self._value, self._hint, self._check = question, value, hint, check

    def compose(self) -> ComposeResult:
        """Put the question over the line."""
        with Container(id="box"):
            yield dialog_text(self._question, "question")
            line = PlainInput(self._value, placeholder=plain(self._hint))
            line.cursor_blink = False
            yield line
            yield dialog_text("", "lost")
            yield dialog_text("enter  take it      esc  leave", "keys")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Answer with the line, or say what is wrong with it."""
        trouble = self._check(message.value) if self._check is not None else ""
        if not trouble:
            self.dismiss(message.value)
            return
        shown = self.query_one(".lost", Static)
        shown.update(Content(plain(trouble, limit=400)))
        shown.add_class("-said")


class Choose(Dialog[int]):
    """Asks for one of several; the answer is its place."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("choose")]

    def __init__(self, question: str, options: Sequence[str], selected: int = 0) -> None:
        super().__init__()
        self._question, self._options, self._selected = question, options, selected

    def compose(self) -> ComposeResult:
        """Put the question over the list."""
        with Container(id="box"):
            yield dialog_text(self._question, "question")
            shown = [Option(Content(plain(option, limit=400))) for option in self._options]
            yield OptionList(*shown, markup=False)
            yield dialog_text("j k  move      enter  take it      esc  leave", "keys")

    def on_mount(self) -> None:
        """Begin at the selected one."""
        if self._options:
            self.query_one(OptionList).highlighted = self._selected

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Answer with its place."""
        self.dismiss(message.option_index)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        found = self.query_one(OptionList)
        found.action_cursor_down() if by > 0 else found.action_cursor_up()


class Confirm(Dialog[bool]):
    """Asks before something is lost: `y` does it, everything else does not."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("confirm")]

    def __init__(self, question: str, lost: str) -> None:
        super().__init__()
        self._question, self._lost = question, lost

    def compose(self) -> ComposeResult:
        """Say what is lost."""
        with Container(id="box"):
            yield dialog_text(self._question, "question")
            yield dialog_text(self._lost, "lost")
            yield dialog_text("y  do it      n  leave it", "keys")

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)


class Notice(Dialog[None]):
    """Shows a text that is longer than a toast: why a command failed, say."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("notice")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._shown = title, text

    def compose(self) -> ComposeResult:
        """Put the text into a box that scrolls."""
        with Container(id="box"):
            yield dialog_text(self._title, "question")
            with VerticalScroll():
                yield dialog_text(self._shown, "text")
            yield dialog_text("esc  leave", "keys")
