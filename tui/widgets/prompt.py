"""The line in which a question is written: Enter sends it, pasted lines stay lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import TextArea

from workspace.text import plain


class Prompt(TextArea):
    """A text area that sends on Enter; ctrl+j begins a new line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j", "newline", "new line", show=False),
    ]

    @dataclass
    class Sent(Message):
        """A question was written to its end."""

        text: str

    def __init__(self) -> None:
        super().__init__(compact=True, show_line_numbers=False, soft_wrap=True, id="prompt")
        self.cursor_blink = False
        self.highlight_cursor_line = False

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    async def _on_key(self, event: Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent(self.text))
            return
        await super()._on_key(event)

    async def _on_paste(self, event: Paste) -> None:
        event.text = plain(event.text.replace("\r\n", "\n").replace("\r", "\n"))
        await super()._on_paste(event)
