"""A small server on loopback that answers as OpenAI's API does, and counts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Body = dict[str, Any]


@dataclass
class Server:
    """What it says, and what it was asked."""

    url: str = ""
    answer: Callable[[Body], str] = lambda body: "a"
    tells_likelihoods: bool = False
    """Whether it knows `prompt_logprobs`, as vLLM does."""
    status: Callable[[int], int] = lambda nth: 200
    """Status of the nth request, from 0."""
    asked: list[Body] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    """How often each request was answered, by its idempotency key."""
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, body: Body) -> Body:
        """Return a chat completion."""
        message = {"role": "assistant", "content": self.answer(body)}
        usage = {"prompt_tokens": 7, "completion_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        found: Body = {"id": "x", "choices": [choice], "usage": usage}
        if self.tells_likelihoods and "prompt_logprobs" in body:
            found["prompt_logprobs"] = self.likelihoods(body)
        return found

    def likelihoods(self, body: Body) -> list[Body | None]:
        """One token a character: the more letters, the less likely."""
        text = "user " + body["messages"][-1]["content"]
        tuned = 2.0 if body["model"] == "tuned" else 1.0
        told: list[Body | None] = [
            {str(ord(c)): {"logprob": -tuned if c.isalpha() else -0.1, "decoded_token": c}}
            for c in text
        ]
        return [None, *told]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with server.lock:
                status = server.status(len(server.asked))
                server.asked.append(body)
                server.headers.append({k.lower(): v for k, v in self.headers.items()})
                server.paid[self.headers["idempotency-key"]] += status == 200
            told = server.reply(body) if status == 200 else {"error": {"message": "no"}}
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    found = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    found.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield found
    listening.shutdown()
    listening.server_close()
    thread.join()
