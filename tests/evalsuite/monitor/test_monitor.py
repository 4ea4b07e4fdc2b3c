"""`temper monitor`: a served model, blessed once, looked at again and again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

import evalsuite.cli
from workspace.cli import run
from workspace.context import Context

ITEMS = 80
SUITE = """\
schema_version: 1
name: kept
purpose: retention
margin: 0.1
min_items: 60
tasks:
  - {name: echo, kind: generation, data: rows.jsonl, prompt: "say {{ q }}", gold: "{{ q }}",
     scorer: exact}
  - {name: choose, kind: choice, data: rows.jsonl, prompt: "{{ q }}", choices: "{{ o }}",
     gold: "a"}
"""


class Served:
    """A model that answers rightly but for a share of the questions."""

    def __init__(self) -> None:
        self.wrong = 0.0
        self.status = 200
        self.asked = 0
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                said = json.loads(self.rfile.read(size))["messages"][-1]["content"]
                served.asked += 1
                self.reply(served.answer(said.removeprefix("say ")))

            def reply(self, answer: str) -> None:
                body: dict[str, Any] = {
                    "id": "x", "object": "chat.completion", "created": 0, "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop",
                                 "message": {"role": "assistant", "content": answer}}],
                    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
                }  # fmt: skip
                data = json.dumps(body).encode()
                self.send_response(served.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, word: str) -> str:
        number = int(word[1:])
        return "<script>alert(1)</script>\x1b[31m" if number < self.wrong * ITEMS else word


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    with served.server as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def workspace(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "suites").mkdir()
    rows = "".join(
        json.dumps({"id": f"r{n}", "q": f"w{n}", "o": ["a", "b"]}) + "\n" for n in range(ITEMS)
    )
    (tmp_path / "suites" / "rows.jsonl").write_text(rows)
    (tmp_path / "suites" / "kept.yaml").write_text(SUITE)
    url = f"http://127.0.0.1:{served.server.server_port}/v1"
    (tmp_path / "temper.yaml").write_text(
        "name: tiny\nevaluate:\n  suites: [kept]\n  monitor:\n"
        f"    backend: {{base_url: '{url}', model: m, retries: 0, patience_seconds: 1}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def temper(*arguments: str) -> int:
    from evalsuite.recipe import EvalSection

    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root(ctx: typer.Context) -> None:
        ctx.obj = Context(lambda: {"evaluate": EvalSection}, ("temper", *arguments))

    evalsuite.cli.register(app)
    return run(lambda: app(list(arguments)))


def test_drift_is_an_alarm_and_no_drift_is_none(
    workspace: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("monitor", "--bless", "live") == 0
    record = workspace / "baselines" / "live.json"
    assert json.loads(record.read_text())["looks"] == 0
    capsys.readouterr()
    assert temper("monitor", "--against", "live") == 0
    assert "look 1: Passed: the one ability kept." in capsys.readouterr().out
    assert served.asked == 2 * ITEMS  # no answer is kept from look to look
    served.wrong = 0.4
    assert temper("monitor", "--against", "live", "--json", "--set", "evaluate.few_shot=true") == 1
    document = json.loads(capsys.readouterr().out)
    (ability,) = document["comparisons"][0]["verdict"]["abilities"]
    assert (ability["verdict"], ability["difference"]) == ("fail", pytest.approx(-0.4))
    assert ability["fail_alpha"] == pytest.approx(0.05 / 6)
    assert any("choose: not put" in note for note in document["notes"])
    assert "few_shot: a look asks without examples" in document["notes"]
    assert json.loads(record.read_text())["looks"] == 2
    report = (workspace / "evals" / document["id"] / "report.html").read_text()
    assert "<script>alert" not in report and "\x1b" not in report
    assert temper("history", "served") == 0
    assert "echo" in capsys.readouterr().out


@pytest.mark.slow
def test_a_small_loss_is_no_alarm_at_a_late_look(workspace: Path, served: Served) -> None:
    """12 of 80 lost reaches the margin at once; at the hundredth look it is not certain enough."""
    assert temper("monitor", "--bless", "live") == 0
    served.wrong = 0.15
    assert temper("monitor", "--against", "live") == 1
    record = workspace / "baselines" / "live.json"
    document = json.loads(record.read_text())
    record.write_text(json.dumps(document | {"looks": 99}))
    assert temper("monitor", "--against", "live") == 3
    assert temper("monitor", "--against", "live", "--inconclusive", "pass") == 0


def test_what_cannot_be_looked_at_is_said_before_anything_is_sent(
    workspace: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("monitor") == 2
    assert temper("monitor", "--against", "live", "--bless", "live") == 2
    assert temper("monitor", "--against", "live") == 2
    assert "no baseline called 'live'" in capsys.readouterr().err
    assert temper("monitor", "--bless", "live", "--set", "evaluate.monitor=null") == 2
    assert "the recipe names no served model" in capsys.readouterr().err
    assert served.asked == 0


def test_what_a_look_cannot_be_held_against_is_said_as_it_is(
    workspace: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("monitor", "--bless", "live") == 0
    (place,) = (workspace / "evals").glob("[!.]*")
    capsys.readouterr()
    assert temper("monitor", "--against", place.name) == 2  # looks are counted for a name
    told = " ".join(capsys.readouterr().err.split())
    assert "there is no baseline called" in told and "Blessed are: live." in told
    document = json.loads((place / "results.json").read_text())
    document["environment"]["device"] = "served"
    (place / "results.json").write_text(json.dumps(document))
    assert temper("bless", place.name, "live") == 0
    assert temper("monitor", "--against", "live") == 2
    assert "by `temper eval --served`" in " ".join(capsys.readouterr().err.split())
    assert served.asked == ITEMS


def test_a_server_that_fails_is_no_verdict(workspace: Path, served: Served) -> None:
    assert temper("monitor", "--bless", "live") == 0
    served.status = 500
    assert temper("monitor", "--against", "live") == 4
    assert json.loads((workspace / "baselines" / "live.json").read_text())["looks"] == 0


def test_a_look_with_a_failed_request_is_not_blessed(
    workspace: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    reply, failed = served.answer, "w7"

    def answer(word: str) -> str:
        served.status = 400 if word == failed else 200
        return reply(word)

    served.answer = answer  # type: ignore[method-assign]
    one = "evaluate.monitor.backend.concurrency=1"
    assert temper("monitor", "--bless", "live", "--set", one) == 4
    told = capsys.readouterr().err
    assert "cannot be blessed" in told and "1 of 80 items" in told
    assert not (workspace / "baselines" / "live.json").exists()
