"""The example of docs/ship.md runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.train.shipping import Yard, train
from train.export import EXPORTERS
from tui.command_line import app

TEXT = (Path(__file__).parents[2] / "docs" / "ship.md").read_text(encoding="utf-8")


def test_every_form_is_documented() -> None:
    assert all(f"| `{name}` |" in TEXT for name in EXPORTERS)


@pytest.mark.slow
def test_the_example_runs(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "workspace"
    Yard(root, train(root, tiny_model, {"steps": 2}))
    (root / "questions.txt").write_text("train: card\n")
    monkeypatch.chdir(root)
    (example,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    shown = {}
    for line in example.splitlines():
        command, _, file = line.partition(" < ")
        arguments = shlex.split(command)
        given = (root / file).read_text() if file else None
        done = CliRunner().invoke(app, arguments[1:], input=given)
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
        shown[arguments[1]] = done.output
    assert (root / "exported" / "README.md").is_file()
    assert "you: train: card" in shown["chat"] and "toy: " in shown["chat"]
    assert "vllm serve" in shown["serve"] and "--enable-lora" in shown["serve"]


def test_the_commands_import_no_torch() -> None:
    script = (
        "import sys, train.cli, train.export, train.serve, train.chat, train.export.standing\n"
        "import json; print(json.dumps([n for n in ('torch', 'polars', 'trl', 'transformers')"
        " if n in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    found: Any = json.loads(done.stdout)
    assert found == []
