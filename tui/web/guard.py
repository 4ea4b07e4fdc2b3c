"""Who may reach the app in a browser: who has the token, by this machine's own address alone.

A page on any site can send requests to loopback, and a name that first led elsewhere can be made
to lead there (DNS rebinding). So every request must name this very address as its Host, must come
from no other Origin, and must bring the token: first in the address that `temper web` prints, then
as a cookie that only this address gets and no script reads.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

TOKEN_BYTES = 32
_HEADERS = {
    # The page of textual-serve asks another site for a font; nothing leaves this machine.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self' ws://127.0.0.1:*; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Asked(NamedTuple):
    """What of a request decides."""

    host: str
    origin: str
    """Empty where the browser sends none."""
    site: str
    """`Sec-Fetch-Site`; empty from old browsers."""
    token: str
    """In the address; empty if there is none."""
    cookie: str
    hosts: int = 1
    """How many Host headers there are."""


@dataclass(frozen=True)
class Guard:
    """Decides on requests to one server."""

    token: str
    port: int

    @classmethod
    def make(cls, port: int) -> Guard:
        """Return a guard with a new random token."""
        return cls(secrets.token_urlsafe(TOKEN_BYTES), port)

    @property
    def cookie_name(self) -> str:
        """The name of the cookie; cookies know no ports, so that servers side by side need it."""
        return f"temper-{self.port}"

    @property
    def host(self) -> str:
        """The only address that this server goes by."""
        return f"127.0.0.1:{self.port}"

    @property
    def headers(self) -> Mapping[str, str]:
        """What every answer carries."""
        return _HEADERS

    def knows(self, given: str) -> bool:
        """Tell whether this is the token, in a time that tells nothing of it."""
        return secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def refusal(self, asked: Asked) -> str:
        """Return why a request is refused; empty if it may pass."""
        if asked.hosts != 1 or asked.host != self.host:
            return "this address is not mine"
        if asked.origin and asked.origin != f"http://{self.host}":
            return "requests of other sites are not answered"
        if asked.site not in ("", "same-origin", "none"):
            return "requests of other sites are not answered"
        if not (self.knows(asked.token) or self.knows(asked.cookie)):
            return "the token is missing or wrong: open the address that temper web printed"
        return ""
