"""A hub model comes as a job of its own, before anything that needs it, and can be interrupted."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

COMMIT = "c" * 40
SHARDS = {f"model-{number}.safetensors": os.urandom(12 * 2**20) for number in (1, 2)}
FILES = {"config.json": b'{"model_type": "llama"}', **SHARDS}


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one model of two shards, of which it can hold back the second."""

    protocol_version = "HTTP/1.1"
    served: ClassVar[list[tuple[str, int]]] = []
    """(name, bytes sent) of each shard that was asked for."""
    slow: ClassVar[str | None] = None
    """The shard that crawls."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/some/model/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": name}
                for name, data in FILES.items()
            ]
            self.answer(json.dumps(tree).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/models/some/model"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            document = {"id": "some/model", "sha": COMMIT, "siblings": siblings}
            self.answer(json.dumps(document).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/some/model/resolve/"):
            name = path.rsplit("/", 1)[-1]
            etag = f'"{hashlib.sha1(FILES[name]).hexdigest()}"'
            self.answer(
                FILES[name],
                {"ETag": etag, "X-Repo-Commit": COMMIT},
                name if name in SHARDS else "",
            )
        else:
            self.send_error(404)

    def answer(self, body: bytes, headers: dict[str, str], shard: str = "") -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.send(body, shard)

    def send(self, body: bytes, shard: str) -> None:
        sent = 0
        try:
            for begin in range(0, len(body), 2**20):
                piece = body[begin : begin + 2**20]
                self.wfile.write(piece)
                sent += len(piece)
                time.sleep(0.35 if shard and shard == self.slow else 0)
        except OSError:
            pass  # the other side went away
        finally:
            if shard:
                self.served.append((shard, sent))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.served, Hub.slow = [], None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    directory = tmp_path / "w"
    directory.mkdir()
    (directory / "temper.yaml").write_text("name: x\nmodel: {path: some/model, revision: v1}\n")
    return directory


@contextmanager
def check(workspace: Path, hub: str) -> Iterator[subprocess.Popen[str]]:
    """`temper check` of a recipe that names the model: the lightest command that needs it."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "tui", "check"],
        cwd=workspace,
        env={**keep, "HF_ENDPOINT": hub, "HF_HOME": str(cache(workspace))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def jobs(workspace: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in workspace.glob("jobs/*/job.json")]
    return sorted(found, key=lambda job: str(job["started"]))


def test_the_download_is_a_job_with_its_commit_and_happens_once(workspace: Path, hub: str) -> None:
    with check(workspace, hub) as child:
        _, told = child.communicate(timeout=120)
    assert "downloading some/model: 24/24 MiB" in told
    (job,) = jobs(workspace)
    assert (job["kind"], job["state"]) == ("download", "finished")
    assert job["result"].endswith(f"snapshots/{COMMIT}")
    assert_whole(job)
    events = (workspace / "jobs" / job["id"] / "events.jsonl").read_text().splitlines()
    assert json.loads(events[0])["commit"] == COMMIT
    with check(workspace, hub) as child:
        child.communicate(timeout=120)
    assert len(jobs(workspace)) == 1 and len(Hub.served) == len(SHARDS)


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=pytest.mark.slow) for how in (signal.SIGKILL, signal.SIGTERM)]
)
def test_after_an_interruption_only_the_files_that_are_missing_come(
    workspace: Path, hub: str, how: signal.Signals
) -> None:
    first, second = SHARDS
    Hub.slow = second
    with check(workspace, hub) as child:
        deadline = time.monotonic() + 60
        while not list(cache(workspace).rglob(first)) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(how)
        _, told = child.communicate(timeout=60)
    if how == signal.SIGTERM:
        assert child.returncode == 143 and "continues with the others" in told
        assert jobs(workspace)[0]["state"] == "stopped"
    assert not list(cache(workspace).rglob(second))
    Hub.slow = None
    with check(workspace, hub) as child:
        child.communicate(timeout=120)
    assert [name for name, _ in Hub.served].count(first) == 1
    assert_whole(jobs(workspace)[-1])


def cache(workspace: Path) -> Path:
    return workspace.parent / "hf"


def assert_whole(job: dict[str, Any]) -> None:
    for name, data in SHARDS.items():
        assert (Path(job["result"]) / name).read_bytes() == data


def test_a_full_disk_is_told_before_a_byte_comes(
    workspace: Path, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.models import download
    from workspace.errors import ModelError

    usage = type("Usage", (), {"free": 2**20})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    pending = download.Pending("some/model", COMMIT, tuple(SHARDS), 24 * 2**20)
    with pytest.raises(ModelError, match="no space left") as caught:
        download._check_space(pending)
    assert "HF_HOME" in caught.value.cure
