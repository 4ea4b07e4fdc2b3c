"""textual-serve behind the guard. It starts a process of the app for each page that is open."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from textual_serve.server import Server

from tui.web.guard import Asked, Guard

_HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind((_HOST, 0))
        return int(found.getsockname()[1])


class GuardedServer(Server):
    """Serves the app of one workspace on loopback to who has the token."""

    def __init__(self, root: Path, guard: Guard, *options: str) -> None:
        """Serve `root`; the options are those of `temper` for the app."""
        inside = shlex.join([sys.executable, "-P", "-m", "tui", *options])
        super().__init__(
            f"cd {shlex.quote(str(root))} && exec {inside}",
            host=_HOST,
            port=guard.port,
            title="temper",
        )
        self.guard = guard

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{_HOST}:{self.guard.port}/?token={self.guard.token}"

    async def _make_app(self) -> web.Application:
        # The only place where the server's routes can be put behind something.
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.guard.headers)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        guard = self.guard
        asked = Asked(
            host=request.headers.get("Host", ""),
            origin=request.headers.get("Origin", ""),
            site=request.headers.get("Sec-Fetch-Site", ""),
            token=request.query.get("token", ""),
            cookie=request.cookies.get(guard.cookie_name, ""),
            hosts=len(request.headers.getall("Host", ())),
        )
        if why := guard.refusal(asked):
            return web.Response(status=403, text=f"{why}\n")
        if guard.knows(asked.cookie) and not asked.token:
            return await handler(request)
        # The token leaves the address bar, the history and what a page could tell others.
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            guard.cookie_name, guard.token, httponly=True, samesite="Strict", path="/"
        )
        return answer

    def initialize_logging(self) -> None:
        """Keep what is asked, the token with it, out of every log."""

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: the command has told the address."""
