"""A small OpenAI-compatible server on loopback that misbehaves as it is told, and counts."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from workspace.layout import Workspace

Body = dict[str, Any]
Answer = Callable[[Body], str | tuple[str, str]]
"""Gives the text of a reply, or the text and why it ends there (`stop`, `length`)."""


@dataclass
class Script:
    """What the server does with each request, and what it saw."""

    answer: Answer = lambda body: "an answer"
    """The text of a good reply."""
    trouble: Callable[[int, int, Body], str] = lambda nth, tries, body: ""
    """Given how many requests came before, how often this one came before, and its body: `` (all
    is well), `429`, `500`, `503`, `401`, `400`, `half`, `stall`, `empty`, `null`, `drop`,
    `redirect` or `nonsense`."""
    retry_after: str = "0.05"
    always_wait: bool = False
    """Whether it asks to wait after other errors too."""
    seconds: float = 0.0
    """How long a good reply takes."""
    usage: tuple[Any, Any] = (10, 5)
    requests: list[Body] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)
    """How often each idempotency key came, refused or not."""
    paid: Counter[str] = field(default_factory=Counter)
    """How often each key was answered in full."""
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    most_under_way: int = 0


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            key = self.headers.get("idempotency-key", "")
            with script.lock:
                nth, tries = len(script.requests), script.keys[key]
                script.requests.append(body)
                script.keys[key] += 1
                script.headers.append({name.lower(): value for name, value in self.headers.items()})
                script.under_way += 1
                script.most_under_way = max(script.most_under_way, script.under_way)
            try:
                self._do(script.trouble(nth, tries, body), body, key)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with script.lock:
                    script.under_way -= 1

        def _do(self, trouble: str, body: Body, key: str) -> None:
            usage = {"prompt_tokens": script.usage[0], "completion_tokens": script.usage[1]}
            if trouble.isdigit():
                # As some servers do, it repeats the key it was given.
                told = f"scripted {trouble} for {self.headers.get('authorization')}"
                self._send(int(trouble), {"error": {"message": told}})
            elif trouble == "redirect":
                self._send(307, {}, {"location": "http://127.0.0.1:9/elsewhere"})
            elif trouble == "half":
                self._send(200, None, text='{"id": "x", "choices": [{"message": {"cont')
            elif trouble == "nonsense":
                self._send(200, None, text="<html>busy</html>")
            elif trouble == "stall":
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b'{"id"')
                self.wfile.flush()
                script.closing.wait(20)
                self.close_connection = True
            elif trouble == "drop":
                self.close_connection = True
                self.connection.close()
            elif trouble == "empty":
                self._send(200, {"choices": [], "usage": usage})
            elif trouble == "null":
                choice = {"message": {"role": "assistant", "content": None}}
                self._send(200, {"choices": [choice], "usage": usage})
            else:
                time.sleep(script.seconds)
                said = script.answer(body)
                text, finish = said if isinstance(said, tuple) else (said, "stop")
                message = {"role": "assistant", "content": text}
                choice = {"index": 0, "message": message, "finish_reason": finish}
                with script.lock:
                    script.paid[key] += 1
                self._send(200, {"id": "x", "choices": [choice], "usage": usage})

        def _send(
            self,
            status: int,
            document: Any,
            headers: dict[str, str] | None = None,
            text: str | None = None,
        ) -> None:
            data = (text if text is not None else json.dumps(document)).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if (status in (429, 503) or script.always_wait) and script.retry_after:
                self.send_header("retry-after", script.retry_after)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    return Handler


@dataclass
class Served:
    """A running server."""

    url: str
    script: Script

    def backend(self, **settings: Any) -> dict[str, Any]:
        """Return the `backend` of a recipe that asks it, quick to lose patience."""
        return {
            "base_url": self.url,
            "model": "scripted",
            "stall_seconds": 1.5,
            "timeout_seconds": 15,
            **settings,
        }


@pytest.fixture
def served() -> Iterator[Served]:
    """A server with a script of its own."""
    script = Script()

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Quiet(("127.0.0.1", 0), _handler(script)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{server.server_port}/v1", script)
        finally:
            script.closing.set()
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off in hundredths of a second."""
    from evalsuite.asking import desk

    monkeypatch.setattr(desk, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(desk, "_LONGEST_WAIT", 0.1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


_WORDS = """
amber basil cedar delta ember fjord grape hazel ivory jasper kiwi lemon maple nutmeg olive pearl
quartz raven saffron tulip umber violet willow xenon yarrow zinnia acorn birch coral dahlia elder
fern ginger heather iris juniper kelp lilac mango nettle
"""
WORDS = _WORDS.split()


def question_rows(count: int) -> list[dict[str, Any]]:
    """Rows with questions that have little in common."""
    rows = []
    for number in range(count):
        first, second, third = (
            WORDS[(number * step + number // 40) % len(WORDS)] for step in (1, 7, 11)
        )
        question = f"Where would {first} and {second} be kept when {third} is near item {number}?"
        rows.append(
            {
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": f"In drawer {number}."},
                ],
                "label": "rare" if number % 10 == 0 else "common",
            }
        )
    return rows


Augment = Callable[..., Any]


@pytest.fixture
def augment(tmp_path: Path) -> Augment:
    """Curate rows into a dataset, then run an `augment` section given as a dictionary."""
    from curate.curating import run_curate
    from curate.recipe import CurateSection
    from curate.synth.augmenting import run_augment
    from curate.synth.recipe import AugmentSection
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection
    from workspace.recipe import load_recipe

    sections = {
        "curate": CurateSection,
        "model": ModelSection,
        "augment": AugmentSection,
        "evaluate": EvalSection,
    }

    def run(
        section: dict[str, Any],
        *,
        rows: list[dict[str, Any]] | None = None,
        curated: dict[str, Any] | None = None,
        evaluate: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        raw = tmp_path / "rows.jsonl"
        if not raw.exists():
            lines = [json.dumps(row) for row in rows or question_rows(40)]
            raw.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        recipe = tmp_path / "temper.yaml"
        curate = {"sources": ["rows.jsonl"], **(curated or {})}
        document = {"name": "made", "curate": curate, "augment": section}
        if evaluate is not None:
            document["evaluate"] = evaluate
        recipe.write_text(json.dumps(document), encoding="utf-8")
        loaded = load_recipe(recipe, sections)
        if not (tmp_path / "datasets" / "made").exists() and not section.get("sources"):
            run_curate(loaded, Workspace(tmp_path))
        return run_augment(loaded, Workspace(tmp_path), **options)

    return run


@pytest.fixture
def reworded() -> Answer:
    """An answer to paraphrase prompts: other words for the same numbered item."""
    return _reworded


def _reworded(body: Body) -> str:
    text = body["messages"][-1]["content"]
    number = text.split("item ")[1].split("?")[0]
    sample = body["seed"] % 1_000_000
    return json.dumps(
        {"question": f"Tell me the storage place of {_name(sample)} thing {number}, please"}
    )


def _name(number: int) -> str:
    return " ".join(WORDS[(number // 40**place) % 40] for place in range(3))
