"""The server, asked by OpenAI's own client and by clients that mean no good."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import openai
import pytest

from evalsuite.engine.generate import generate
from evalsuite.engine.requests import GenerateRequest
from evalsuite.engine.voices import Voices, open_voices
from evalsuite.models.load import Placement
from train.serve import worker as worker_module
from train.serve.asked import Refused, read_asked
from train.serve.run import Serving, serve_run
from train.serve.server import MOST_BODY_BYTES, Handler, Server
from train.serve.worker import Worker

from .stops import Stops

KEY = "local-" + "0123456789" * 4
ASK = [{"role": "user", "content": "train: card refund"}]


@dataclass
class Running:
    server: Server
    voices: Voices
    clients: list[openai.OpenAI] = field(default_factory=list)
    """To be closed at the end."""

    @property
    def port(self) -> int:
        return self.server.port

    def client(self, key: str = KEY) -> openai.OpenAI:
        made = openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=key, max_retries=0, timeout=60
        )
        self.clients.append(made)
        return made

    def raw(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Authorization": f"Bearer {KEY}", **headers}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, given)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found


@pytest.fixture(scope="module")
def running(trained: Any) -> Iterator[Running]:
    shipment = trained.open()
    place = Placement("cpu", "float32", "")
    with open_voices(shipment.subject, "toy", shipment.base, place) as voices:
        worker = Worker(voices)
        server = Server(0, worker, KEY)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        made = Running(server, voices)
        yield made
        for client in made.clients:
            client.close()
        server.shutdown()
        worker.close()
        server.server_close()


def test_base_and_tuned_are_models_and_answer_as_in_evaluation(running: Running) -> None:
    client = running.client()
    assert [model.id for model in client.models.list()] == ["base", "toy"]
    assert client.models.retrieve("toy").owned_by == "welltempered"
    prompt = tuple(running.voices.prompt(ASK))
    answers = {}
    for name in ("base", "toy"):
        engine, within = running.voices.engines[name]
        with within():
            known = generate(engine, [GenerateRequest(prompt, 20, (2,))])[0]
        found = client.chat.completions.create(model=name, messages=ASK, max_tokens=20)
        text = running.voices.tokenizer.decode(known.output)
        assert found.choices[0].message.content == text
        assert found.choices[0].finish_reason == ("stop" if known.stopped else "length")
        assert found.usage.completion_tokens == len(known.output)
        assert found.usage.prompt_tokens == len(prompt)
        answers[name] = text
    assert answers["base"] != answers["toy"]


def test_a_stream_is_the_same_answer_in_pieces(running: Running) -> None:
    client = running.client()
    whole = client.chat.completions.create(model="base", messages=ASK, max_tokens=20)
    stream = client.chat.completions.create(
        model="base", messages=ASK, max_tokens=20, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    events = list(stream)
    pieces = [event.choices[0].delta.content for event in events if event.choices]
    assert "".join(pieces) == whole.choices[0].message.content and len(pieces) > 5
    assert events[0].choices[0].delta.role == "assistant"
    assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert events[-1].usage.total_tokens == whole.usage.total_tokens


def test_completions_of_text_and_of_token_ids(running: Running) -> None:
    client = running.client()
    ids = running.voices.tokenizer.encode("card refund")
    text = client.completions.create(model="base", prompt="card refund", max_tokens=8)
    same = client.completions.create(model="base", prompt=[ids], max_tokens=8)
    assert text.choices[0].text == same.choices[0].text
    assert text.usage.completion_tokens == 8 and text.choices[0].finish_reason == "length"
    pieces = client.completions.create(model="base", prompt=ids, max_tokens=8, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == text.choices[0].text


def test_seeds_and_stop_texts_are_obeyed(running: Running) -> None:
    def ask(**options: Any) -> str:
        found = running.client().chat.completions.create(
            model="base", messages=ASK, max_tokens=16, **options
        )
        return str(found.choices[0].message.content)

    assert ask(temperature=1.5, seed=7) == ask(temperature=1.5, seed=7)
    whole = ask()
    middle = whole[len(whole) // 2]
    assert ask(stop=middle) == whole[: whole.index(middle)]


# ---- refusals


def test_refusals_have_openais_shape(running: Running) -> None:
    with pytest.raises(openai.AuthenticationError):
        running.client("wrong-key").models.list()
    client = running.client()
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4", messages=ASK)
    assert missing.value.code == "model_not_found" and "base, toy" in str(missing.value)
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(
            model="toy", messages=[{"role": "user", "content": "card " * 500}]
        )
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as many:
        client.chat.completions.create(model="toy", messages=ASK, n=3)
    assert many.value.param == "n"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": ASK}, "model"),
        ({"model": "toy", "messages": []}, "messages"),
        ({"model": "toy", "messages": [{"role": "owner", "content": "x"}]}, "messages"),
        ({"model": "toy", "messages": [{"role": "user", "content": None}]}, "messages"),
        ({"model": "toy", "messages": ASK, "temperature": "hot"}, "temperature"),
        ({"model": "toy", "messages": ASK, "max_tokens": 0}, "max_tokens"),
        ({"model": "toy", "messages": ASK, "tools": [{}]}, "tools"),
        ({"model": "toy", "messages": ASK, "response_format": {"type": "json"}}, "response_format"),
        ({"model": "toy", "messages": ASK, "stop": ["a"] * 9}, "stop"),
        ({"model": "toy", "messages": ASK, "temprature": 1}, "temprature"),
        ([], None),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(running: Running, body: Any, param: str) -> None:
    status, found = running.raw("POST", "/v1/chat/completions", body)
    assert status == 400 and found["error"]["param"] == param
    assert found["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer " + KEY[:-1]}, 401),
        ({"Authorization": "Bearer \xe4"}, 401),
    ],
)
def test_pages_of_other_origins_and_wrong_keys_are_refused(
    running: Running, headers: dict[str, str], status: int
) -> None:
    assert running.raw("GET", "/v1/models", **headers)[0] == status
    same = f"http://127.0.0.1:{running.port}"
    assert running.raw("GET", "/v1/models", Origin=same)[0] == 200


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (
            "POST /v1/completions HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: {huge}\r\n\r\n",
            413,
        ),
        ("POST /v1/completions HTTP/1.1\r\nHost: {host}\r\n{key}\r\n", 411),
        (
            "POST /v1/completions HTTP/1.1\r\nHost: {host}\r\n{key}"
            "Transfer-Encoding: chunked\r\n\r\n",
            411,
        ),
        ("POST /v1/completions HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: 2\r\n\r\n[[", 400),
        ("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nHost: evil\r\n{key}\r\n", 403),
        ("GET /etc/passwd HTTP/1.1\r\nHost: {host}\r\n{key}\r\n", 404),
    ],
)
def test_sizes_and_forms_are_bounded(running: Running, request_text: str, status: int) -> None:
    text = request_text.format(
        host=f"127.0.0.1:{running.port}",
        key=f"Authorization: Bearer {KEY}\r\n",
        huge=MOST_BODY_BYTES + 1,
    )
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(text.encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]


# ---- many at once


def test_requests_at_once_are_all_answered_alike(running: Running) -> None:
    answers: list[str] = []

    def ask() -> None:
        found = running.client().chat.completions.create(model="toy", messages=ASK, max_tokens=12)
        answers.append(str(found.choices[0].message.content))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8 and len(set(answers)) == 1


def raw_stream(port: int) -> socket.socket:
    """Ask for a stream of a long answer, and read nothing of it."""
    return raw_request(port, {"model": "base", "messages": ASK, "stream": True, "max_tokens": 90})


def raw_request(port: int, asked: dict[str, Any]) -> socket.socket:
    """Ask and read nothing of the answer."""
    body = json.dumps(asked).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(head.encode() + body)
    return connection


def test_slow_clients_and_those_that_leave_do_not_hold_up_others(running: Running) -> None:
    slow = [raw_stream(running.port) for _ in range(3)]
    gone = [raw_stream(running.port) for _ in range(3)]
    for connection in gone:
        connection.close()
    started = time.monotonic()
    found = running.client().chat.completions.create(model="toy", messages=ASK, max_tokens=4)
    assert found.usage.completion_tokens <= 4 and time.monotonic() - started < 30
    for connection in slow:
        text = b""
        while b"[DONE]" not in text:
            text += connection.recv(65536)
        connection.close()


def test_who_left_before_the_whole_answer_cancels_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = []
    written: list[int] = []
    submit = Worker.submit

    def seen(self: Worker, asked: Any) -> Any:
        tickets.append(submit(self, asked))
        return tickets[-1]

    def tokens(*arguments: Any, **options: Any) -> Iterator[int]:
        letter = running.voices.tokenizer.encode("a")[-1]
        for count in range(400):  # a piece comes sooner than a wait for one would end
            time.sleep(0.02)
            written.append(count)
            yield letter

    monkeypatch.setattr(Worker, "submit", seen)
    monkeypatch.setattr(Voices, "say", tokens)
    connection = raw_request(running.port, {"model": "base", "messages": ASK})
    while len(written) < 3:
        time.sleep(0.01)
    connection.close()
    assert tickets[0].cancelled.wait(4)
    time.sleep(0.1)
    assert len(written) < 300


def test_a_get_with_a_body_does_not_smuggle_a_second_request(running: Running) -> None:
    head = f"Host: 127.0.0.1:{running.port}\r\nAuthorization: Bearer {KEY}\r\n"
    inner = f"GET /v1/models/toy HTTP/1.1\r\n{head}\r\n"
    for size in (f"Content-Length: {len(inner)}", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            outer = f"GET /v1/models HTTP/1.1\r\n{head}{size}\r\n\r\n{inner}"
            connection.sendall(outer.encode())
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").read()
        assert answer.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in answer


def test_more_than_can_wait_are_told_so(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MOST_WAITING", 0)
    status, found = running.raw("POST", "/v1/completions", {"model": "toy", "prompt": "x"})
    assert status == 429 and found["error"]["type"] == "rate_limit_error"


def test_a_request_that_breaks_the_model_ends_alone(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Voices, "say", broken)
    status, found = running.raw("POST", "/v1/completions", {"model": "toy", "prompt": "x"})
    assert status == 500 and "secret detail" not in json.dumps(found)
    monkeypatch.undo()
    assert running.raw("POST", "/v1/completions", {"model": "toy", "prompt": "x"})[0] == 200


# ---- the end


def test_a_request_that_comes_as_the_server_ends_is_answered_or_refused(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(queue.Queue[Any]):
        def put(self, item: Any, *arguments: Any, **options: Any) -> None:
            if item is not None:
                putting.set()
                time.sleep(0.5)
            super().put(item, *arguments, **options)

    putting, tickets = threading.Event(), []
    monkeypatch.setattr(worker_module.queue, "Queue", Slow)
    worker = Worker(running.voices)
    monkeypatch.undo()
    asked = read_asked({"model": "base", "messages": ASK, "max_tokens": 1}, "chat")
    asking = threading.Thread(target=lambda: tickets.append(worker.submit(asked)))
    asking.start()
    assert putting.wait(5)
    worker.close(20)
    asking.join(5)
    assert tickets[0].pieces.get(timeout=5) is not None
    with pytest.raises(Refused, match="stopping"):
        worker.submit(asked)


def test_the_end_waits_for_an_answer_on_its_way(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job: Any = Stops()
    sent: list[int] = []
    held: list[socket.socket] = []
    send = Handler._send

    def slowly(self: Handler, status: int, document: dict[str, Any]) -> None:
        job.asked.set()
        time.sleep(1)
        send(self, status, document)
        sent.append(status)

    def ready(serving: Serving) -> None:
        port = int(serving.address.split(":")[2].split("/")[0])
        held.append(raw_request(port, {"model": "base", "messages": ASK, "max_tokens": 1}))

    monkeypatch.setattr(Handler, "_send", slowly)
    serve_run(trained.open(), port=0, key=KEY, dtype="float32", job=job, ready=ready)
    assert sent == [200]
    held[0].close()
