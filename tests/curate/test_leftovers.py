"""What a killed curation left, and what a running one still needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from curate.curating import CurateResult, work_directory
from curate.leftovers import sweep

Curate = Callable[..., CurateResult]
Lines = Callable[..., Path]
ROWS = [{"prompt": "a", "completion": "b"}]
_HOLD = """
import sys, time
from pathlib import Path
from curate.curating import work_directory
with work_directory(Path(sys.argv[1])) as work:
    (work / "rows").mkdir()
    (work / "rows" / "part").write_text("rows")
    print(work.name, flush=True)
    time.sleep(60)
"""


def killed_work(datasets: Path) -> Path:
    """Return the work directory of a process that was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(datasets)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    return datasets / name


def test_what_a_killed_curation_left_is_removed_and_told(
    curate: Curate, lines: Lines, tmp_path: Path
) -> None:
    section = {"sources": [str(lines(ROWS))]}
    first = curate(section)
    assert first.path is not None
    datasets = first.path.parent.parent
    dead = killed_work(datasets)
    assert (dead / "rows" / "part").is_file()
    half = first.path.parent / ".0123abcd.tmp-x1y2"
    half.mkdir()
    (half / "train.parquet").write_text("half")
    (first.path.parent / ".current.tmp-99").symlink_to("0123abcd")
    result = curate(section)
    assert {path.name for path in datasets.iterdir()} == {"made"}
    assert {path.name for path in half.parent.iterdir()} == {first.path.name, "current"}
    (said,) = [text for text in result.notes if "killed" in text]
    assert dead.name in said and "made/.0123abcd.tmp-x1y2" in said
    assert not [text for text in curate(section).notes if "killed" in text]


def test_what_another_curation_is_using_stays(tmp_path: Path) -> None:
    half = tmp_path / "made" / ".0123abcd.tmp-x1y2"
    half.mkdir(parents=True)
    with work_directory(tmp_path) as other, work_directory(tmp_path) as mine:
        assert sweep(tmp_path, mine) == ()
        assert other.is_dir() and half.is_dir()
    assert not other.exists()


def test_directories_that_are_not_ours_stay(tmp_path: Path) -> None:
    kept = [".work-mine", "made/.notes.tmp-1", "made/keep", "other"]
    for name in kept:
        (tmp_path / name).mkdir(parents=True)
    with work_directory(tmp_path) as mine:
        assert sweep(tmp_path, mine) == ()
    assert all((tmp_path / name).is_dir() for name in kept)
