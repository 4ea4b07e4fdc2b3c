"""`temper`: opens the app or, where anything else is asked, runs a command.

The app opens without the machinery of the commands, which takes longer to import than its own.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TypedDict

from workspace.cli import no_foreign_exit_codes, run


class Switches(TypedDict, total=False):
    """What the options of the app that take no value say, as `open_app` takes it."""

    ascii_only: bool
    calm: bool
    mouse: bool


_SWITCHES: dict[str, Switches] = {
    "--ascii": {"ascii_only": True},
    "--calm": {"calm": True},
    "--mouse": {"mouse": True},
    "--no-mouse": {"mouse": False},
}
"""As `tui.command_line.root` declares them."""


def main() -> int:
    """Run the command line and return its exit code."""
    return run(_start)


def _start() -> None:
    switches = app_switches(sys.argv[1:])
    if switches is not None and has_screen():
        with no_foreign_exit_codes():
            sys.exit(open_app(**switches))
    from tui.command_line import app, only_named

    only_named(app, sys.argv[1:])(standalone_mode=True)


def app_switches(arguments: Sequence[str]) -> Switches | None:
    """Return what `open_app` takes if nothing but switches of the app is given, else None.

    >>> app_switches([]), app_switches(["--calm"]), app_switches(["plan"])
    ({}, {'calm': True}, None)
    """
    switches: Switches = {}
    for argument in arguments:
        if argument not in _SWITCHES:
            return None
        switches.update(_SWITCHES[argument])
    return switches


def has_screen() -> bool:
    """Return whether there is a terminal to draw on, or a browser that `temper web` serves."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stdout.isatty())


def open_app(
    *,
    ascii_only: bool = False,
    mouse: bool | None = None,
    theme: str | None = None,
    calm: bool = False,
) -> int:
    """Show the workspace here or above until the user leaves; return the exit code.

    The arguments are those of `tui.app.run_app`.
    """
    # What modules are made of is no garbage: it is not sought in them now, nor ever again.
    gc.disable()
    from tui.app import run_app
    from workspace.layout import Workspace

    gc.freeze()
    gc.enable()
    root = Workspace.find().root
    return run_app(root, ascii_only=ascii_only, mouse=mouse, theme=theme, calm=calm)
