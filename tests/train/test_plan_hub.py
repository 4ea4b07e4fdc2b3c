"""Of a hub model that is not here, `temper plan` fetches the config and nothing else."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

CONFIG = json.dumps(
    {
        "model_type": "qwen2",
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    }
).encode()
PAGE = Path(__file__).parents[2] / "docs" / "plan.md"


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one model, of which only the config is looked for."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.asked.append(self.path)
        found = self.path.endswith("/config.json")
        self.send_response(200 if found else 404)
        self.send_header("ETag", '"1"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(CONFIG) if found else 0))
        self.end_headers()
        if body and found:
            self.wfile.write(CONFIG)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def temper(
    where: Path, hub: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    drop = ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy")
    keep = {key: value for key, value in os.environ.items() if key not in drop}
    return subprocess.run(
        [sys.executable, "-P", "-m", "tui", *arguments],
        cwd=where,
        env={**keep, "HF_ENDPOINT": hub, "HF_HOME": str(where / "hf"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_only_the_config_is_fetched_and_then_it_is_in_the_cache(tmp_path: Path, hub: str) -> None:
    done = temper(tmp_path, hub, "plan", "--model", "some/model", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["estimate"]["model"]["parameters"] == 494_032_768
    assert Hub.asked and all(path.endswith("/config.json") for path in Hub.asked)
    again = temper(tmp_path, hub, "plan", "--model", "some/model", "--json", HF_HUB_OFFLINE="1")
    assert again.returncode == 0 and again.stdout == done.stdout


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_they_stand(tmp_path: Path, hub: str) -> None:
    (tmp_path / "config.json").write_bytes(CONFIG)
    recipe = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "temper.yaml").write_text(
        f"name: x\nmodel: {{path: config.json}}\ntrain: {{}}\n{recipe}"
    )
    lines = PAGE.read_text().split("```sh\n")[1].split("```")[0].splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    assert len(commands) == 5
    for command in commands[:4]:
        done = temper(tmp_path, hub, *command[1:])
        assert done.returncode == 0, done.stderr
        assert "494,032,768 weights" in done.stdout
    assert "our A100" in temper(tmp_path, hub, "plan").stdout
    # The last prices a GPU that this recipe's own table lacks.
    (tmp_path / "temper.yaml").write_text("name: x\nmodel: {path: config.json}\ntrain: {}\n")
    done = temper(tmp_path, hub, *commands[4][1:])
    prices = {one["name"]: one["price"] for one in json.loads(done.stdout)["estimate"]["gpus"]}
    assert prices["H100 80GB"] == 1.99
