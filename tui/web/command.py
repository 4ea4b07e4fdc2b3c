"""`temper web`: the app in a browser on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from workspace.context import note
from workspace.errors import UsageError
from workspace.layout import Workspace


def web(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one.")
    ] = 0,
) -> None:
    """The app in a browser on this machine, behind a random token. Ctrl-C ends it; jobs go on.

    From another machine: ssh -L PORT:127.0.0.1:PORT, with the same PORT on both sides.
    """
    from tui.web.guard import Guard

    try:
        from tui.web.serve import GuardedServer, free_port
    except ImportError as error:
        raise UsageError(
            "the app in a browser needs textual-serve",
            cause=f"{error}.",
            cure="pip install 'welltempered[web]'",
        ) from error
    server = GuardedServer(Workspace.find().root, Guard.make(port or free_port()))
    note("Whoever has this address can start and stop jobs as you. Ctrl-C ends it; jobs go on.")
    print(server.address, flush=True)
    try:
        server.serve()
    except OSError as error:
        raise UsageError(
            f"port {server.guard.port} cannot be used", cause=f"{error}.", cure="Choose another."
        ) from error
