"""Pushing to a hub: private, in one commit, with a token that is written nowhere."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from train.export.hub import HubExporter

TOKEN = "hf_" + "Secret0123456789abcdefgh"


class Hub(http.server.ThreadingHTTPServer):
    """A hub that keeps what it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, bool] = {}
        """Name → whether it is private."""
        self.files: dict[str, bytes] = {}
        self.commits = 0
        self.tokens: set[str] = set()


def _is_private(asked: dict[str, Any]) -> bool:
    """Read what releases of the hub's library before and after 2 send."""
    return bool(asked.get("private")) or asked.get("visibility") == "private"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self._seen()
        parts = self.path.partition("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4])
        if self.path.startswith("/api/models/") and name in self.server.repositories:
            private = self.server.repositories[name]
            if "/tree/" in self.path:
                files = self.server.files.items()
                self._send(
                    200,
                    [
                        {"type": "file", "path": path, "size": len(data), "oid": "c" * 40}
                        for path, data in files
                    ],
                )
                return
            held = [{"rfilename": path} for path in self.server.files]
            self._send(200, {"id": name, "private": private, "sha": "a" * 40, "siblings": held})
        else:
            self._send(404, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._seen()
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/repos/create"):
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            known = name in self.server.repositories
            self.server.repositories.setdefault(name, _is_private(asked))
            self._send(409 if known else 200, {"url": f"{self._home()}/{name}", "error": "exists"})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
                elif entry["key"] == "deletedFile":
                    del self.server.files[entry["value"]["path"]]
            self.server.commits += 1
            oid = "b" * 40
            self._send(
                200,
                {
                    "commitUrl": f"{self._home()}/me/triage/commit/{oid}",
                    "commitOid": oid,
                    "success": True,
                },
            )
        else:
            self._send(200, {})

    def _home(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _seen(self) -> None:
        self.server.tokens.add(self.headers.get("Authorization", ""))

    def _send(self, code: int, document: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def export(yard: Any, hub: Hub, *arguments: str, **environment: str) -> Any:
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "tui", "export", yard.run.name, *arguments, "--to", "hub"],
        cwd=yard.root,
        env={
            **keep,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "OMP_NUM_THREADS": "1",
            "HF_HOME": str(yard.root / "hf"),
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_what_an_earlier_push_of_another_form_left_is_removed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from huggingface_hub import HfApi

    from train.export import hub as module
    from train.export.base import Options

    api = HfApi(endpoint=f"http://127.0.0.1:{hub.server_address[1]}", token=TOKEN)
    monkeypatch.setattr(module, "_api", lambda: api)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # it is on loopback
    hub.repositories["me/triage"] = True
    hub.files = dict.fromkeys(
        ("config.json", "model-1-of-2.safetensors", "model.safetensors.index.json", "notes.txt"),
        b"old",
    )
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_text("{}")
    shipment: Any = SimpleNamespace(run=tmp_path)

    HubExporter().deliver(shipment, Options(out="me/triage"), tmp_path)

    assert hub.files == {
        "adapter_config.json": b"{}",
        "adapter_model.safetensors": b"{}",
        "notes.txt": b"old",
    }
    assert hub.commits == 1


@pytest.mark.slow
def test_an_adapter_is_pushed_privately_in_one_commit(yard: Any, hub: Hub) -> None:
    done = export(yard, hub, "me/triage", "--override", "a trial", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert hub.repositories == {"me/triage": True} and hub.commits == 1
    assert {"adapter_model.safetensors", "README.md", "parity.json"} <= set(hub.files)
    assert f"Bearer {TOKEN}" in hub.tokens
    everything = b"".join(hub.files.values())
    assert TOKEN.encode() not in everything and str(yard.root).encode() not in everything
    assert str(yard.open().base.path).encode() not in everything
    assert b'from_pretrained("me/triage")' in hub.files["README.md"]
    assert TOKEN not in done.stdout + done.stderr
    for file in yard.root.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file
    assert not list((yard.root / "cache").rglob("*.safetensors"))


@pytest.mark.slow
def test_what_the_hub_would_refuse_is_refused_before_weights_load(yard: Any, hub: Hub) -> None:
    why = ("--override", "x")
    no_token = export(yard, hub, "me/triage", *why)
    assert no_token.returncode == 2 and "HF_TOKEN" in no_token.stderr
    wrong = export(yard, hub, "triage", *why, HF_TOKEN=TOKEN)
    assert wrong.returncode == 2 and "owner/name" in wrong.stderr
    hub.repositories["me/open"] = False
    public = export(yard, hub, "me/open", *why, HF_TOKEN=TOKEN)
    assert public.returncode == 2 and "everybody may read it" in public.stderr
    gate = export(yard, hub, "me/triage", HF_TOKEN=TOKEN)
    assert gate.returncode == 3 and "was not evaluated" in gate.stderr
    assert hub.commits == 0 and "me/triage" not in hub.repositories
