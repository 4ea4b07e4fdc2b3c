"""Textual's driver for terminals, which counts what it writes and measures the round trip."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Key
from textual.message import Message

from tui.link import Link

_WHERE_IS_THE_CURSOR = "\x1b[6n"


class LinkMeasured(Message):
    """The terminal has answered."""


class MeasuringDriver(LinuxDriver):
    """Asks the terminal for its cursor at the start, then now and then while keys are pressed."""

    link: Link
    """Given by whoever makes the class for an app: see `measuring`."""

    def write(self, data: str) -> None:
        """Write, and count."""
        self.link.wrote(len(data) if data.isascii() else len(data.encode("utf-8")))
        super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, then ask."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual gives it none
        self._ask()

    def process_message(self, message: Message) -> None:
        """Take the answer out of what comes from the terminal; runs in the input thread."""
        if isinstance(message, CursorPosition):
            if self.link.answered():
                self.send_message(LinkMeasured())
            return
        super().process_message(message)
        if isinstance(message, Key):
            self._ask()

    def _ask(self) -> None:
        if self.input_tty and self.link.may_ask():
            self.write(_WHERE_IS_THE_CURSOR)
            self.flush()


def measuring(link: Link) -> type[MeasuringDriver]:
    """Return a driver that tells `link` what it measures."""

    class Driver(MeasuringDriver):
        def __init__(self, app: App[Any], **options: Any) -> None:
            self.link = link
            super().__init__(app, **options)

    return Driver
