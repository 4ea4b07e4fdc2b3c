"""The examples of docs/curate.md run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from evalsuite.builtin.general import general_items

PAGE = Path(__file__).parents[2] / "docs" / "curate.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = Random(0)
    items = list(general_items(5, 200))
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for item in items:
            turns = [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ]
            label = rng.choice(["short", "long"])
            file.write(json.dumps({"messages": turns, "label": label}) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_run(workspace: Path, example: str) -> None:
    exec(compile(example, str(PAGE), "exec"), {})


@pytest.mark.parametrize("example", blocks("sh"))
def test_shell_examples_run(workspace: Path, example: str) -> None:
    for line in example.splitlines():
        arguments = shlex.split(line)
        assert arguments[0] == "temper"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui", *arguments[1:]],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
