"""The app in a browser: who is let in, and that it is the app."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from tui.web.guard import Asked, Guard

GUARD = Guard("right", 4711)
OWN = "127.0.0.1:4711"


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (Asked(OWN, "", "none", "right", ""), True),
        (Asked(OWN, f"http://{OWN}", "same-origin", "", "right"), True),
        (Asked(OWN, "", "", "right", "of another server"), True),
        (Asked(OWN, "", "", "", ""), False),
        (Asked(OWN, "", "", "wrong", ""), False),
        (Asked(OWN, "", "", "", "rıght"), False),
        (Asked("127.0.0.1:4712", "", "", "right", ""), False),
        (Asked("rebound.example:4711", "", "", "right", "right"), False),
        (Asked("localhost:4711", "", "", "right", ""), False),
        (Asked("", "", "", "right", ""), False),
        (Asked(OWN, "", "", "right", "", hosts=2), False),
        (Asked(OWN, "http://127.0.0.1:8000", "", "", "right"), False),
        (Asked(OWN, "null", "", "", "right"), False),
        (Asked(OWN, f"https://{OWN}", "", "", "right"), False),
        (Asked(OWN, "", "cross-site", "right", "right"), False),
        (Asked(OWN, "", "same-site", "right", "right"), False),
    ],
)
def test_only_who_has_the_token_and_asks_from_here_is_let_in(asked, passes):
    assert (GUARD.refusal(asked) == "") is passes


def test_each_server_has_a_token_of_its_own():
    tokens = {Guard.make(1).token for _ in range(50)}
    assert len(tokens) == 50 and min(map(len, tokens)) >= 43


@dataclass
class Served:
    """A running `temper web`."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def ask(self, path="/", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


@pytest.fixture
def served(made):
    pytest.importorskip("textual_serve")
    made.run("live", state="running", steps=20)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tui", "web"],
        cwd=made.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    port, token = address.removeprefix("http://127.0.0.1:").split("/?token=")
    found = Served(process, int(port), token)
    for _ in range(200):
        try:
            found.ask()
            break
        except ConnectionRefusedError:
            assert process.poll() is None
            time.sleep(0.1)
    yield found
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.mark.slow
def test_the_server_refuses_strangers_and_serves_the_app_to_who_has_the_token(served):
    token = served.token
    cookie = f"temper-{served.port}={token}"
    refused = [
        served.ask(),
        served.ask("/?token=wrong"),
        served.ask("/ws"),
        served.ask("/static/js/textual.js"),
        served.ask("/download/x"),
        served.ask("/no-such-page"),
        served.ask("/", Cookie=f"temper-{served.port}=wrong"),
        served.ask(f"/?token={token}", Host="evil.example"),
        served.ask(f"/?token={token}", Host=f"localhost:{served.port}"),
        served.ask("/ws", Cookie=cookie, Origin="http://evil.example"),
        served.ask("/", Cookie=cookie, Sec_Fetch_Site="cross-site"),
    ]
    assert [status for status, _, _ in refused] == [403] * len(refused)
    assert all(token.encode() not in body for _, _, body in refused)

    status, headers, _ = served.ask(f"/?token={token}")
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    status, headers, body = served.ask("/", Cookie=cookie)
    assert status == 200 and b"/ws" in body and token.encode() not in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]

    assert b"live-ab12" in asyncio.run(_drawn(served.port, cookie))
    served.process.send_signal(signal.SIGINT)
    out, said = served.process.communicate(timeout=60)
    assert served.process.returncode == 0, said
    assert token not in out + said


async def _drawn(port: int, cookie: str) -> bytes:
    import aiohttp

    drawn = b""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://127.0.0.1:{port}/ws?width=100&height=30",
            headers={"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"},
        ) as socket,
    ):
        async with asyncio.timeout(120):
            while b"live-ab12" not in drawn:
                message = await socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    drawn += message.data
                elif message.type is not aiohttp.WSMsgType.TEXT:
                    break
    return drawn
