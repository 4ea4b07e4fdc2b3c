"""A box in which a text is written anew."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import TextArea

from tui.actions import bindings
from tui.screens.dialog import Dialog, dialog_text
from workspace.text import plain

MOST_BYTES = 100_000
"""Of a text that can be edited here: it is one argument of a command; Linux takes 128 KiB."""


def edit_trouble(text: str) -> str:
    """Return why a text cannot be edited in a box; "" if it can."""
    if len(text.encode()) > MOST_BYTES:
        return f"It has more than {MOST_BYTES:,} bytes: mend it in its source."
    lines = text.replace("\t", " ").split("\n")
    if any(plain(line, limit=len(line) + 1) != line for line in lines):
        return "It has characters that no box can show: mend it in its source."
    return ""


class EditText(Dialog[str]):
    """Answers with the text as it is when it is saved."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("edit-text")]

    def __init__(self, question: str, text: str) -> None:
        super().__init__()
        self._question, self._given = question, text

    def compose(self) -> ComposeResult:
        """Put the question over the text."""
        with Container(id="box"):
            yield dialog_text(self._question, "question")
            area = TextArea(self._given, compact=True, soft_wrap=True)
            area.cursor_blink = False
            yield area
            yield dialog_text("ctrl+s  take it      esc  leave it as it was", "keys")

    def on_mount(self) -> None:
        """Begin at the end of the text."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)

    def action_save(self) -> None:
        """Answer with the text; say why one cannot be taken, and leave it in the box."""
        text = self.query_one(TextArea).text
        trouble = edit_trouble(text)
        if trouble:
            self.notify(trouble, severity="warning", markup=False)
        else:
            self.dismiss(text)
