"""Checkpoints are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.checkpoints import CheckpointStore, Rejected, fault_of
from workspace.errors import DiskFullError


def fill(store: CheckpointStore, step: int) -> None:
    with store.writing(step) as directory:
        (directory / "weights").write_bytes(bytes([step]) * 100)


def names(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir())


def test_the_newest_ones_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    for step in (5, 10, 15, 100):
        fill(store, step)
    assert names(store) == ["step-100", "step-15"]
    newest = store.newest()
    assert newest is not None and newest.step == 100


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "checkpoints", keep=2).newest() is None


def test_a_crash_while_writing_leaves_the_one_before_and_no_litter(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    fill(store, 5)
    with pytest.raises(KeyboardInterrupt), store.writing(10) as directory:
        (directory / "weights").write_bytes(b"half")
        raise KeyboardInterrupt
    assert names(store) == ["step-5"]


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    fill(store, 5)
    (store.directory / ".step-10.tmp-abc").mkdir()
    (store.directory / ".step-10.tmp-abc" / "weights").write_bytes(b"half")
    newest = store.newest()
    assert newest is not None and newest.step == 5
    assert names(store) == ["step-5"]


@pytest.mark.parametrize("damage", ["a flipped byte", "a missing file", "no manifest"])
def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(
    tmp_path: Path, damage: str
) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=2)
    fill(store, 5)
    fill(store, 10)
    path = store.directory / "step-10"
    if damage == "a flipped byte":
        (path / "weights").write_bytes(b"x" * 100)
    elif damage == "a missing file":
        (path / "weights").unlink()
    else:
        (path / "manifest.json").unlink()
    said: list[Rejected] = []
    newest = store.newest(said.append)
    assert newest is not None and newest.step == 5
    assert [one.name for one in said] == ["step-10"] and said[0].reason


def test_a_manifest_names_every_file(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    fill(store, 5)
    assert fault_of(store.directory / "step-5") is None
    (store.directory / "step-5" / "weights").unlink()
    assert fault_of(store.directory / "step-5") == "weights is missing"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError(
            "[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed "
            "writing file data/3: file write failed"
        ),
        Exception("I/O error: No space left on device (os error 28)"),
    ],
    ids=["system", "torch", "safetensors"],
)
def test_a_full_disk_is_told_as_one_however_the_library_says_it(
    tmp_path: Path, error: Exception
) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    fill(store, 5)
    with pytest.raises(DiskFullError) as caught, store.writing(10) as directory:
        (directory / "weights").write_bytes(b"half")
        raise error
    assert "temper resume" in caught.value.cure or "same command" in caught.value.cure
    assert names(store) == ["step-5"]
