"""A file goes through in far less memory than it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """\
import resource, sys
from tui.command_line import app
try:
    app(["curate", "convert", "large.jsonl", "-o", "out.parquet"])
except SystemExit as end:
    assert not end.code, end.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_a_file_goes_through_in_less_memory_than_it_takes(tmp_path: Path) -> None:
    texts = [f"{word} " * 600 for word in ("lantern", "harbour", "meadow", "village")]
    path = tmp_path / "large.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(400_000):
            row = {"prompt": f"Question {number}", "completion": texts[number % 4]}
            file.write(json.dumps(row) + "\n")
    size = path.stat().st_size
    assert size > 1_800_000_000
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "400,000 in = 400,000 kept + 0 dropped" in done.stderr + done.stdout
    peak = int(done.stdout.splitlines()[-1])
    path.unlink()
    assert peak < 0.75 * size, f"{peak / 1e6:,.0f} MB for {size / 1e6:,.0f} MB"
