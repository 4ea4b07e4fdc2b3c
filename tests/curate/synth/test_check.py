"""`temper check` says who would be shown rows before anyone is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def checked(directory: Path, **environment: str) -> tuple[int, str]:
    line = [sys.executable, "-P", "-m", "tui", "check", "--json"]
    done = subprocess.run(
        line, cwd=directory, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_every_endpoint_is_listed_and_a_missing_key_is_told(tmp_path: Path) -> None:
    backend = {"base_url": "https://writer.example/v1", "model": "w", "api_key": "env:A_API_KEY"}
    judge = {"base_url": "https://judge.example/v1", "model": "j"}
    augment = {
        "backend": backend,
        "generate": ["paraphrase"],
        "target": {"rows": 3},
        "verify": {"judge": {"backend": judge}},
    }
    recipe = {"name": "mine", "augment": augment}
    (tmp_path / "temper.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    code, told = checked(tmp_path)
    assert code != 0 and "A_API_KEY is not set" in told
    code, told = checked(tmp_path, A_API_KEY="canary-of-a-key-1234567890")
    assert code == 0
    assert "w at https://writer.example/v1" in told and "j at https://judge.example/v1" in told
    assert "canary" not in told
