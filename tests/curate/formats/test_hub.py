"""Datasets of a hub: resolved to a commit, read row by row, refused with the way out."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from curate.recipe import Source

COMMIT = "d" * 40
_CARD = """---
configs:
- config_name: easy
  data_files:
  - split: train
    path: easy/*.jsonl
- config_name: hard
  data_files:
  - {split: train, path: hard/train.jsonl}
  - {split: test, path: hard/test.jsonl}
---
"""
_LABELS = """---
dataset_info:
  features:
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': ham, '1': spam}}}}
  splits: [{name: train, num_examples: 2}]
configs:
- config_name: default
  data_files: [{split: train, path: data/train-*.parquet}]
---
"""


def line(prompt: str, completion: Any) -> bytes:
    return json.dumps({"prompt": prompt, "completion": completion}).encode() + b"\n"


def table() -> bytes:
    stream = io.BytesIO()
    write_table(pa.table({"text": ["hello", "win"], "label": [0, 1]}), stream)
    return stream.getvalue()


REPOSITORIES: dict[str, dict[str, bytes]] = {
    "some/plain": {"train.jsonl": line("a", "b") + line("c", [1]) + line("d", 4)},
    "some/configs": {
        "README.md": _CARD.encode(),
        "easy/a.jsonl": line("a", "easy a"),
        "easy/b.jsonl": line("b", "easy b"),
        "hard/train.jsonl": line("a", "hard"),
        "hard/test.jsonl": line("b", "held back"),
    },
    "some/labels": {"README.md": _LABELS.encode(), "data/train-00000-of-00001.parquet": table()},
    "some/script": {
        "script.py": b"raise SystemExit('ran')",
        "train.jsonl": line("a", "b"),
    },
    "some/gated": {"train.jsonl": line("a", "b")},
}


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with a few datasets, one of them gated."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = self.path.split("/")
        files = REPOSITORIES["/".join(parts[3:5])]
        wanted = json.loads(body)["paths"]
        self.send([entry for entry in tree(files) if entry["path"] in wanted])

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        parts = path.strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[1:3])
        files = REPOSITORIES.get(name)
        if files is None:
            self.refuse(401, "RepoNotFound")
        elif parts[0] == "api" and "tree" in parts:
            under = "/".join(parts[6:])
            self.send([entry for entry in tree(files) if entry["path"].startswith(under)])
        elif parts[0] == "api" and "nowhere" in parts:
            self.refuse(404, "RevisionNotFound")
        elif parts[0] == "api":
            siblings = [{"rfilename": one, "size": len(data)} for one, data in files.items()]
            self.send({"id": name, "sha": COMMIT, "siblings": siblings})
        elif name == "some/gated":
            self.refuse(403, "GatedRepo")
        else:
            self.file(files.get("/".join(parts[5:])))

    def file(self, data: bytes | None) -> None:
        if data is None:
            self.refuse(404, "EntryNotFound")
            return
        etag = f'"{hashlib.sha1(data).hexdigest()}"'
        self.answer(200, data, {"ETag": etag, "X-Repo-Commit": COMMIT})

    def send(self, document: Any) -> None:
        self.answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def refuse(self, code: int, why: str) -> None:
        self.answer(code, b"{}", {"X-Error-Code": why, "Content-Type": "application/json"})

    def answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    folders = {name.rsplit("/", 1)[0] for name in files if "/" in name}
    return [
        *({"type": "directory", "path": folder, "oid": folder, "size": 0} for folder in folders),
        *(
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for name, data in files.items()
        ),
    ]


SCRIPT = """
import json, sys
from pathlib import Path
from tempfile import mkdtemp
import polars as pl
from curate.formats.read import read_sources
from curate.recipe import Source
from workspace.errors import TemperError

for given in json.load(sys.stdin):
    try:
        result = read_sources([Source.model_validate(given)], Path.cwd(), Path(mkdtemp(dir=".")))
    except TemperError as error:
        print(json.dumps({key: getattr(error, key) for key in ("title", "where", "cause", "cure")}))
        continue
    rows = result.rows.scan().collect()
    lost = result.quarantine.scan().collect()
    said = [turns[-1]["content"] for turns in rows["messages"].drop_nulls().to_list()]
    print(json.dumps({
        "said": said, "texts": rows["text"].drop_nulls().to_list(),
        "labels": rows["user_label"].to_list(), "lost": lost["reason"].to_list(),
        "sources": [[one.name, one.digest, dict(one.dataset)] for one in result.sources],
    }))
"""
SOURCES: dict[str, Any] = {
    "plain": "hub:some/plain",
    "a config": {"hub": "some/configs", "config": "easy"},
    "a split": "hub:some/configs@v1#hard:test",
    "labels": {"hub": "some/labels"},
    "no config": {"hub": "some/configs"},
    "a wrong config": {"hub": "some/configs", "config": "medium"},
    "no split": {"hub": "some/configs", "config": "hard"},
    "a wrong split": {"hub": "some/configs", "config": "hard", "split": "trian"},
    "a script": {"hub": "some/script"},
    "gated": {"hub": "some/gated"},
    "not there": {"hub": "some/nothing"},
    "no revision": {"hub": "some/plain", "revision": "nowhere"},
}


def ask(directory: Path, sources: list[Any], **environment: str) -> list[dict[str, Any]]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=directory,
        env={**keep, "HF_HOME": str(directory / "hf"), **environment},
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return [json.loads(text) for text in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("workspace")
    (made / "temper.yaml").write_text("name: x\n")
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def online(directory: Path, address: str) -> dict[str, dict[str, Any]]:
    """What became of each of `SOURCES`, read in one process."""
    found = ask(directory, [*SOURCES.values()], HF_ENDPOINT=address)
    return dict(zip(SOURCES, found, strict=True))


Found = dict[str, dict[str, Any]]


def test_rows_are_read_one_by_one_and_the_commit_is_recorded(online: Found) -> None:
    found = online["plain"]
    assert found["said"] == ["b", "4"]
    assert found["lost"] == ["not_text"]
    ((name, digest, told),) = found["sources"]
    assert name == f"some/plain@{COMMIT[:12]}/train.jsonl"
    assert digest == hashlib.sha256(REPOSITORIES["some/plain"]["train.jsonl"]).hexdigest()
    assert told["commit"] == COMMIT and told["split"] == "train"


@pytest.mark.parametrize("is_workspace", [True, False])
def test_only_a_workspace_gets_a_cache_of_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_workspace: bool
) -> None:
    from huggingface_hub import constants

    from curate.formats.hub import _record_path, _remember

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "hf" / "home"))
    here = tmp_path / "here"
    here.mkdir()
    if is_workspace:
        (here / "temper.yaml").write_text("name: x\n")
    record = _record_path(Source.model_validate("hub:some/plain"), here)
    _remember(record, {"name": "some/plain"}, ["train.jsonl"], None)
    assert json.loads(record.read_text())["files"] == ["train.jsonl"]
    kept = here / "cache" / "hub" if is_workspace else tmp_path / "hf" / "home"
    assert record.is_relative_to(kept)
    assert is_workspace or not list(here.iterdir())


def test_a_configuration_and_a_split_are_what_was_named(online: Found) -> None:
    assert online["a config"]["said"] == ["easy a", "easy b"]
    assert online["a split"]["said"] == ["held back"]


def test_features_of_the_card_are_honoured(online: Found) -> None:
    assert online["labels"]["texts"] == ["hello", "win"]
    assert online["labels"]["labels"] == ["ham", "spam"]


@pytest.mark.parametrize(
    ("what", "title", "says"),
    [
        ("no config", "several configurations", "easy"),
        ("a wrong config", "no such configuration", "hard"),
        ("no split", "several splits", "`test`, `train`; none is guessed"),
        ("a wrong split", "no split 'trian'", "`train`"),
        ("a script", "never run", "refs/convert/parquet"),
        ("gated", "gated", "HF_TOKEN"),
        ("not there", "no such hub dataset", "private"),
        ("no revision", "no such revision", "nowhere"),
    ],
)
def test_each_refusal_says_what_to_do(online: Found, what: str, title: str, says: str) -> None:
    found = online[what]
    assert title in found["title"], found
    assert says in " ".join(found.values())
    assert "some/" in found["where"]


def test_no_script_ran(directory: Path, online: Found) -> None:
    assert online["a script"]["title"].endswith("scripts are never run")
    assert not list(directory.glob("hf/modules/**/script.py"))


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}], ids=str
)
def test_what_was_read_once_is_read_again_without_the_hub(
    directory: Path, online: Found, environment: dict[str, str]
) -> None:
    names = ["plain", "a split", "labels"]
    sources = [*(SOURCES[name] for name in names), {"hub": "some/unknown"}]
    *again, unknown = ask(directory, sources, **environment)
    assert again == [online[name] for name in names]
    assert "not on this machine" in unknown["title"]
    assert "HF_ENDPOINT" in unknown["cure"]


@pytest.mark.slow
def test_what_datasets_has_in_its_cache_is_read_without_the_hub(
    tmp_path: Path, address: str
) -> None:
    load = "import datasets; datasets.load_dataset('some/configs', 'hard')"
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment = {**keep, "HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": address}
    subprocess.run(
        [sys.executable, "-c", load], check=True, env=environment, capture_output=True, cwd=tmp_path
    )
    asked = [{"split": "test"}, {}, {"split": "test", "revision": "e" * 40}]
    sources = [{"hub": "some/configs", "config": "hard", **more} for more in asked]
    found, no_split, other = ask(tmp_path, sources, HF_HUB_OFFLINE="1")
    assert found["said"] == ["held back"]
    assert found["sources"][0][2]["commit"] == COMMIT
    assert "several splits" in no_split["title"]
    assert f"at {COMMIT}, not at eeee" in other["cause"]
