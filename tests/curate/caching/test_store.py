"""What is kept is found whole, or not at all."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curate.caching.store import DEFAULT_LIMIT_BYTES, Store, key_of


def writing(text: str) -> Callable[[Path], None]:
    return lambda directory: (directory / "a.txt").write_text(text) and None


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def test_an_entry_comes_back_as_it_was(tmp_path: Path, work: Path) -> None:
    store = Store(tmp_path / "cache" / "steps")
    key = key_of("step", "a", 1)
    assert store.fetch(key, work) is None
    store.put(key, writing("rows"))
    found = store.fetch(key, work)
    assert found is not None and (found / "a.txt").read_text() == "rows"
    assert store.held().entries == 1 and store.damaged == []
    for directory in (store.root, store.root.parent):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_names_depend_on_every_part() -> None:
    keys = [key_of("a", 1), key_of("b", 1), key_of("a", "1"), key_of("a", 1, None), key_of("a")]
    assert len({*keys}) == 5
    assert key_of("a", {"x": 1, "y": 2}) == key_of("a", {"y": 2, "x": 1})


@pytest.mark.parametrize("harm", ["flip", "cut", "missing", "manifest", "no list", "not an object"])
def test_a_damaged_entry_is_removed_and_counted(tmp_path: Path, work: Path, harm: str) -> None:
    store = Store(tmp_path / "steps")
    store.put("step-1", writing("rows"))
    file, manifest = (store.root / "step-1" / name for name in ("a.txt", "manifest.json"))
    if harm == "flip":
        file.write_text("sowr")
    elif harm == "cut":
        os.truncate(file, 2)
    elif harm == "missing":
        file.unlink()
    else:
        manifest.write_text({"manifest": "{", "no list": '{"files": 1}'}.get(harm, "[]"))
    assert store.fetch("step-1", work) is None
    assert store.damaged == ["step-1"] and not (store.root / "step-1").exists()
    store.put("step-1", writing("rows"))
    assert store.fetch("step-1", work) is not None


def test_an_entry_without_its_manifest_is_none(tmp_path: Path, work: Path) -> None:
    store = Store(tmp_path / "steps")
    (store.root / "step-1").mkdir(parents=True)
    (store.root / "step-1" / "a.txt").write_text("half")
    assert store.fetch("step-1", work) is None
    assert not (store.root / "step-1").exists()


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "steps")

    def fail(directory: Path) -> None:
        (directory / "a.txt").write_text("half")
        raise ValueError

    with pytest.raises(ValueError):
        store.put("step-1", fail)
    assert list(store.root.iterdir()) == []


def test_the_least_recently_used_goes_first(tmp_path: Path, work: Path) -> None:
    store = Store(tmp_path / "steps", 1100)
    for number in range(3):
        store.put(f"step-{number}", writing("x" * 200))
        os.utime(store.root / f"step-{number}" / "manifest.json", (number, number))
    assert store.fetch("step-0", work) is not None  # used again
    store.put("step-3", writing("x" * 200))
    assert {path.name for path in store.root.iterdir()} == {"step-0", "step-2", "step-3"}
    assert store.held().size_bytes <= 1100


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path, work: Path) -> None:
    store = Store(tmp_path / "steps", 100)
    store.put("step-1", writing("x" * 200))
    assert store.fetch("step-1", work) is None
    assert store.held().entries == 0


def test_the_limit_is_kept_beside_the_entries(tmp_path: Path) -> None:
    store = Store(tmp_path / "steps")
    assert store.limit_bytes == DEFAULT_LIMIT_BYTES == 10_000_000_000
    store.put("step-1", writing("x" * 200))
    store.set_limit(50)
    assert Store(store.root).limit_bytes == 50
    assert store.held().entries == 0
    (store.root / "limit.json").write_text("{")
    assert Store(store.root).limit_bytes == DEFAULT_LIMIT_BYTES


def test_clearing_leaves_what_a_run_has_fetched(tmp_path: Path, work: Path) -> None:
    store = Store(tmp_path / "steps")
    store.put("step-1", writing("rows"))
    found = store.fetch("step-1", work)
    assert found is not None
    assert store.clear().entries == 1
    assert (found / "a.txt").read_text() == "rows"
    assert store.held().entries == 0 and list(store.root.iterdir()) == []


def test_what_a_killed_run_left_half_made_goes_after_a_day(tmp_path: Path) -> None:
    store = Store(tmp_path / "steps")
    store.put("step-1", writing("rows"))
    for name, age in ((".tmp-old", 90_000), (".tmp-new", 10)):
        (store.root / name).mkdir()
        os.utime(store.root / name, (time.time() - age,) * 2)
    store.put("step-2", writing("rows"))
    assert sorted(path.name for path in store.root.glob(".tmp-*")) == [".tmp-new"]


def test_many_at_once_see_whole_entries_or_none(tmp_path: Path) -> None:
    root = tmp_path / "steps"
    wrong: list[str] = []

    def run(number: int) -> None:
        work = tmp_path / f"work-{number}"
        work.mkdir()
        store = Store(root, 4_000)
        for turn in range(30):
            key = f"step-{turn % 5}"
            found = store.fetch(key, work)
            if found is None:
                store.put(key, writing(key * 100))
            elif (found / "a.txt").read_text() != key * 100:
                wrong.append(key)
            if turn % 10 == number:
                store.clear()
        wrong.extend(store.damaged)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert json.loads(json.dumps(vars(Store(root, 4_000).held())))["size_bytes"] <= 4_000
