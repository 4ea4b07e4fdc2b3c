"""OpenAI's interface over HTTP, on loopback, by the standard library.

A page in a browser can send requests to loopback too, and by DNS rebinding even read the answers.
So the Host header must be a loopback name with our port, an Origin header must be our own, and
every request carries the key.
"""

from __future__ import annotations

import hmac
import json
import select
import socket
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from train.serve.answering import Answering
from train.serve.asked import Asked, Refused, read_asked
from train.serve.worker import Piece, Ticket, Worker

MOST_BODY_BYTES = 4 * 1024**2
MOST_CONNECTIONS = 128
IDLE_SECONDS = 30.0
"""A client that neither sends nor reads for so long is let go."""
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_ENDPOINTS = {"/v1/chat/completions": "chat", "/v1/completions": "completion"}
_POLL_SECONDS = 0.2


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, worker: Worker, key: str) -> None:
        """Bind; port 0 takes any that is free.

        Raises:
            OSError: the port is taken.
        """
        self.worker, self.key = worker, key
        self.created = int(time.time())
        self.stopping = threading.Event()
        self.answering = Answering()
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, unless there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "welltempered"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: Server
    _said: ClassVar[str] = "application/json"

    def do_GET(self) -> None:
        """List the models."""
        self._guarded(self._get)

    def do_POST(self) -> None:
        """Answer."""
        self._guarded(self._post)

    def do_OPTIONS(self) -> None:
        """Refuse: no page of another origin may ask."""
        self._guarded(lambda: self._nowhere())

    def _guarded(self, work: Any) -> None:
        try:
            self._admit()
            work()
        except Refused as refused:
            self.close_connection = True  # what is left of the body must not be the next request
            self._send(refused.status, refused.body())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _admit(self) -> None:
        port = self.server.port
        allowed = {f"{host}:{port}" for host in _HOSTS}
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in allowed:
            raise Refused("this Host is not served here", status=403, kind="permission_error")
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{one}" for one in allowed}:
            raise Refused("this Origin may not ask here", status=403, kind="permission_error")
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), self.server.key.encode()):
            raise Refused(
                "the key is missing or wrong: Authorization: Bearer KEY",
                status=401,
                kind="authentication_error",
                code="invalid_api_key",
            )

    def _nowhere(self) -> None:
        known = ", ".join(("/v1/models", *_ENDPOINTS))
        raise Refused(f"there is nothing here; there is {known}", status=404, code="not_found")

    def _get(self) -> None:
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # a body, which is not read, must not be the next request
        path = self.path.partition("?")[0]
        models = [self._model(name) for name in self.server.worker.voices.names]
        if path == "/v1/models":
            self._send(200, {"object": "list", "data": models})
            return
        found = [one for one in models if path == f"/v1/models/{one['id']}"]
        if not found:
            self._nowhere()
        self._send(200, found[0])

    def _model(self, name: str) -> dict[str, Any]:
        created = self.server.created
        return {"id": name, "object": "model", "created": created, "owned_by": "welltempered"}

    def _post(self) -> None:
        endpoint = _ENDPOINTS.get(self.path.partition("?")[0])
        if endpoint is None:
            self._nowhere()
        asked = read_asked(self._body(), "chat" if endpoint == "chat" else "completion")
        with self.server.answering:
            ticket = self.server.worker.submit(asked)
            try:
                if asked.stream:
                    self._stream(ticket)
                else:
                    self._whole(ticket)
            finally:
                ticket.cancelled.set()

    def _body(self) -> Any:
        if self.headers.get("Transfer-Encoding") is not None:
            raise Refused("send a Content-Length, not chunks", status=411)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused("send a Content-Length", status=411)
        if int(length) > MOST_BODY_BYTES:
            raise Refused(f"a request has at most {MOST_BODY_BYTES:,} bytes", status=413)
        data = self.rfile.read(int(length))
        if len(data) < int(length):
            raise ConnectionError("the client went away")
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise Refused("the body is not JSON") from None

    def _pieces(self, ticket: Ticket) -> Any:
        """Yield pieces as they come; end when the client has gone.

        Who reads a stream is missed when a piece is written to it; who waits for the whole answer
        is looked for after each piece.

        Raises:
            Refused: the request cannot be answered.
            ConnectionError: the client went away.
        """
        import queue

        while True:
            try:
                piece = ticket.pieces.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._is_gone():
                    raise ConnectionError("the client went away") from None
                continue
            if isinstance(piece, Refused):
                raise piece
            if not ticket.asked.stream and self._is_gone():
                raise ConnectionError("the client went away")
            yield piece
            if piece.finish is not None:
                return

    def _is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _whole(self, ticket: Ticket) -> None:
        pieces = list(self._pieces(ticket))
        text = "".join(piece.text for piece in pieces)
        document = _envelope(ticket.asked, streamed=False)
        document["choices"] = [_choice(ticket.asked, text, pieces[-1].finish)]
        document["usage"] = _usage(pieces[-1])
        self._send(200, document)

    def _stream(self, ticket: Ticket) -> None:
        pieces = self._pieces(ticket)
        piece = next(pieces)  # what is refused is refused before the first byte
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        head = _envelope(ticket.asked, streamed=True)
        is_first = True
        try:
            while True:
                choice = _delta(ticket.asked, piece, is_first=is_first)
                self._event({**head, "choices": [choice]})
                is_first = False
                if piece.finish is not None:
                    break
                piece = next(pieces)
        except Refused as refused:  # it failed half-way: the status is sent already
            self._event(refused.body())
        else:
            if ticket.asked.usage_in_stream:
                self._event({**head, "choices": [], "usage": _usage(piece)})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, document: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(document).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", self._said)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged: a request line or header may hold what is nobody's business."""


def _envelope(asked: Asked, *, streamed: bool) -> dict[str, Any]:
    chat = asked.endpoint == "chat"
    kind = "chat.completion" if chat else "text_completion"
    return {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex}",
        "object": f"{kind}.chunk" if chat and streamed else kind,
        "created": int(time.time()),
        "model": asked.model,
    }


def _choice(asked: Asked, text: str, finish: str | None) -> dict[str, Any]:
    common: dict[str, Any] = {"index": 0, "finish_reason": finish, "logprobs": None}
    if asked.endpoint == "chat":
        return {**common, "message": {"role": "assistant", "content": text, "refusal": None}}
    return {**common, "text": text}


def _delta(asked: Asked, piece: Piece, *, is_first: bool) -> dict[str, Any]:
    common: dict[str, Any] = {"index": 0, "finish_reason": piece.finish, "logprobs": None}
    if asked.endpoint == "chat":
        role = {"role": "assistant"} if is_first else {}
        return {**common, "delta": {**role, "content": piece.text}}
    return {**common, "text": piece.text}


def _usage(piece: Piece) -> dict[str, int]:
    return {
        "prompt_tokens": piece.prompt_tokens,
        "completion_tokens": piece.output_tokens,
        "total_tokens": piece.prompt_tokens + piece.output_tokens,
    }
