"""A model by directory or by hub name, each refusal with its way out."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evalsuite.models import ModelSection, resolve_model
from workspace.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"a pickle that must not be fetched",
}


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download needs."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if "gated" in path:
            self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif path in (
            "/api/models/some/model",
            "/api/models/some/model/revision/main",
            "/api/models/some/model/revision/v1",
            f"/api/models/some/model/revision/{COMMIT}",
        ):
            siblings = [{"rfilename": name} for name in FILES]
            document = {"id": "some/model", "sha": COMMIT, "siblings": siblings}
            self.answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
        elif path.startswith(f"/api/models/some/model/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": name}
                for name, data in FILES.items()
            ]
            self.answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})
        elif path.startswith(f"/some/model/resolve/{COMMIT}/"):
            name = path.rsplit("/", 1)[-1]
            data = FILES.get(name)
            if data is None:
                self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            etag = hashlib.sha1(data).hexdigest()
            self.answer(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        elif "/revision/" in path and "some/model" in path:
            self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            self.answer(401, b"{}", {"X-Error-Code": "RepoNotFound"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def local_hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


RESOLVE = """
import sys
from pathlib import Path
from evalsuite.models import ModelSection, resolve_model
from workspace.errors import TemperError
try:
    found = resolve_model(ModelSection(path=sys.argv[1], revision=sys.argv[2] or None), Path("."))
    print(found.revision, sorted(path.name for path in found.path.iterdir()))
except TemperError as error:
    print(error)
"""


def resolve_in_child(home: Path, name: str, revision: str = "", **environment: str) -> str:
    """The hub's settings are read when its library is imported, so each case is a process."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    result = subprocess.run(
        [sys.executable, "-P", "-c", RESOLVE, name, revision],
        env={**keep, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return result.stdout.strip() or result.stderr


def test_a_hub_model_is_fetched_once_pinned_to_its_commit_and_without_pickles(
    tmp_path: Path,
) -> None:
    with local_hub() as endpoint:
        found = resolve_in_child(tmp_path, "some/model", HF_ENDPOINT=endpoint)
        named = resolve_in_child(tmp_path, "some/model", "v1", HF_ENDPOINT=endpoint)
    expected = f"{COMMIT} ['config.json', 'model.safetensors', 'tokenizer.json']"
    assert found == named == expected
    assert resolve_in_child(tmp_path, "some/model", HF_HUB_OFFLINE="1") == expected


@pytest.mark.slow
def test_each_refusal_of_the_hub_says_the_way_out(tmp_path: Path) -> None:
    with local_hub() as endpoint:
        gated = resolve_in_child(tmp_path, "some/gated", HF_ENDPOINT=endpoint)
        missing = resolve_in_child(tmp_path, "no/such", HF_ENDPOINT=endpoint)
        revision = resolve_in_child(tmp_path, "some/model", "v9", HF_ENDPOINT=endpoint)
    assert "is gated" in gated and "Accept its terms" in gated
    assert "no such hub model" in missing and "HF_TOKEN" in missing
    assert "no such revision" in revision and "some/model@v9" in revision
    empty = tmp_path / "empty"
    empty.mkdir()
    offline = resolve_in_child(empty, "some/model", HF_HUB_OFFLINE="1")
    assert "not on this machine" in offline and "HF_HUB_OFFLINE is set" in offline


def model_directory(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, data in {**FILES, **files}.items():
        (path / name).write_bytes(data)
    return path


def resolve(path: str, base: Path) -> str:
    return resolve_model(ModelSection(path=path), base).digest


def test_a_relative_directory_is_relative_to_the_recipe(tmp_path: Path) -> None:
    model_directory(tmp_path / "m")
    found = resolve_model(ModelSection(path="m"), tmp_path)
    assert found.path == (tmp_path / "m").resolve() and found.revision is None


def test_the_digest_follows_weights_and_template_but_not_the_card(tmp_path: Path) -> None:
    path = model_directory(tmp_path / "m")
    first = resolve("m", tmp_path)
    (path / "README.md").write_text("a card")
    assert resolve("m", tmp_path) == first
    (path / "chat_template.jinja").write_text("{{ messages }}")
    second = resolve("m", tmp_path)
    (path / "model.safetensors").write_bytes(b"other")
    assert len({first, second, resolve("m", tmp_path)}) == 3


def test_what_is_not_a_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="not a model directory") as caught:
        resolve("empty", tmp_path)
    assert "it has nothing" in caught.value.cause
    path = model_directory(tmp_path / "pickled")
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors weights"):
        resolve("pickled", tmp_path)
    with pytest.raises(ModelError, match="no such model directory"):
        resolve("./nowhere", tmp_path)
