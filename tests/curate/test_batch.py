"""The batch scripts of examples/ do a whole curation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from evalsuite.builtin.general import general_items

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["sh", "batch.sh"], marks=pytest.mark.slow),  # each line starts a process
        [sys.executable, "batch.py"],
    ],
)
def test_a_script_of_ten_lines_curates_from_start_to_end(
    tmp_path: Path, command: list[str]
) -> None:
    script = EXAMPLES / command[1]
    lines = script.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith(("#", '"""'))]) <= 12
    items = list(general_items(5, 300))
    rows = [{"prompt": item.prompt, "completion": item.answer} for item in items]
    rows += [{**rows[0]}, {"prompt": "Write to ann@example.com", "completion": "I wrote to her."}]
    raw = tmp_path / "rows.jsonl"
    raw.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [command[0], str(script), str(raw), str(tmp_path / "out")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = {file.stem: pl.read_parquet(file) for file in (tmp_path / "out").glob("t*.parquet")}
    assert set(parts) >= {"train", "test"}
    text = json.dumps([part["messages"].to_list() for part in parts.values()])
    assert "ann@example.com" not in text and "<EMAIL_1>" in text
    assert sum(part.height for part in parts.values()) < len(rows)
