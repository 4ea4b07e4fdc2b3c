"""Writing leaves the old or the new, never half."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from workspace.errors import DataError, DiskFullError, UsageError, WorkError
from workspace.files import (
    atomic_path,
    hash_directory,
    hash_file,
    hashing,
    publish_directory,
    read_json,
    write_json,
    write_text,
)


def entries(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert entries(tmp_path) == ["a.txt"]


def test_a_full_disk_is_said_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "a.json", "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="the disk is full"):
        write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").read_text() == "old"
    assert entries(tmp_path) == ["a.json"]


def test_a_place_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(WorkError, match="not allowed to write here"):
        write_text(tmp_path / "a", "x")


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "result"
    with pytest.raises(RuntimeError), publish_directory(target) as temporary:
        (temporary / "a").write_text("1")
        raise RuntimeError
    assert entries(tmp_path) == []
    with publish_directory(target) as temporary:
        (temporary / "a").write_text("1")
        assert not target.exists()
    assert entries(target) == ["a"]


def test_results_are_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"), publish_directory(tmp_path):
        pass


def test_nan_is_refused_in_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert entries(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_broken_json_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match="plan"):
        read_json(tmp_path / "a.json", kind="plan")


def test_a_directory_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = hash_directory(tmp_path)
    (tmp_path / "README.md").write_text("not counted")
    assert hash_directory(tmp_path, ignore=frozenset({"README.md"})) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert hash_directory(tmp_path, ignore=frozenset({"README.md"})) != first


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("parquet: underlying IO error: No space left on device (os error 28)"),
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("PytorchStreamWriter failed writing file: file write failed"),
    ],
)
def test_a_full_disk_is_told_as_one_whichever_library_meets_it(
    tmp_path: Path, error: Exception
) -> None:
    with pytest.raises(DiskFullError), publish_directory(tmp_path / "a"):
        raise error
    with pytest.raises(DiskFullError), atomic_path(tmp_path / "b"):
        raise error
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("parquet: File too large (os error 27)"),
    ],
)
def test_a_limit_on_the_size_of_files_is_no_full_disk(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(DiskFullError, match="limit on the size") as caught, atomic_path(tmp_path):
        raise error
    assert "ulimit -f" in caught.value.cure


def test_what_says_nothing_while_no_space_is_left_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    with pytest.raises(RuntimeError), publish_directory(tmp_path / "a"):
        raise RuntimeError("transport error")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    with pytest.raises(DiskFullError), publish_directory(tmp_path / "a"):
        raise RuntimeError("transport error")
    assert entries(tmp_path) == []


def test_a_file_where_a_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(WorkError, match="something else") as caught:
        write_text(tmp_path / "runs" / "a" / "run.json", "x")
    assert "runs" in caught.value.where
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_file_is_hashed_beside_other_work_and_given_up_when_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"x" * 5_000_000)
    with hashing(path) as digest:
        assert digest() == hash_file(path)
    with pytest.raises(FileNotFoundError), hashing(tmp_path / "none") as digest:
        digest()
    with pytest.raises(KeyError), hashing(path):
        raise KeyError  # what goes wrong meanwhile is told at once
