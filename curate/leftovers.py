"""What a curation that was killed left behind: found by the lock that nobody holds any more."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORK_PREFIX = ".work-"
_LOCK = ".lock"
_HALF_WRITTEN = re.compile(r"\.([0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{64})\.tmp-.+")
_LINK = ".current.tmp-*"


@contextmanager
def holding(work: Path) -> Iterator[None]:
    """Hold the lock of a work directory, so that other curations leave it alone."""
    # The lock is taken before the file has its name: nobody sees it free while its owner lives.
    unnamed = work / f"{_LOCK}.new"
    with unnamed.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        unnamed.rename(work / _LOCK)
        yield


def sweep(datasets: Path, mine: Path) -> tuple[str, ...]:
    """Remove what dead curations left below `datasets/`, and say what, one sentence each.

    Half-written datasets have no lock of their own; they go only while no other curation runs
    in this workspace. Each one seen is older than that check, so its owner would have been seen.

    Args:
        datasets: the workspace's `datasets/`.
        mine: the work directory of this curation, whose lock is held.
    """
    half_written = _half_written(datasets)
    removed, others = [], False
    for work in sorted(datasets.glob(f"{WORK_PREFIX}*")):
        if work == mine or work.is_symlink() or not (work / _LOCK).is_file():
            continue
        if _remove_unheld(work):
            removed.append(work)
        else:
            others = True
    if not others:
        for path in half_written:
            path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
        removed += half_written
    if not removed:
        return ()
    names = ", ".join(str(path.relative_to(datasets.parent)) for path in removed)
    return (f"Removed what a curation that was killed had left: {names}.",)


def _half_written(datasets: Path) -> list[Path]:
    found = []
    for parent in sorted(datasets.glob("[!.]*")):
        if parent.is_dir() and not parent.is_symlink():
            found += [
                path
                for path in sorted(parent.glob(".*.tmp-*"))
                if _HALF_WRITTEN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
            ]
            found += [path for path in sorted(parent.glob(_LINK)) if path.is_symlink()]
    return found


def _remove_unheld(work: Path) -> bool:
    """Remove a work directory whose lock is free; return whether it was."""
    try:
        stream = (work / _LOCK).open("rb")
    except OSError:
        return True
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        for path in work.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(
                    missing_ok=True
                )
        # The lock goes last: a sweep that is itself killed leaves the rest to the next one.
        shutil.rmtree(work, ignore_errors=True)
    return True
