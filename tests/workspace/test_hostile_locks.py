"""All users write where locks and tickets are: nothing that stands there stops anybody else."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from workspace.claims import Place, claim, likely
from workspace.errors import WorkError
from workspace.gpu_locks import (
    Owner,
    holder,
    holders,
    is_free,
    lock_directory,
    open_shared,
    read_owner,
    try_lock,
)
from workspace.gpus import Gpu
from workspace.tickets import Waiting, live_tickets, put_first, queue_lock

A = Gpu(0, "GPU-a", "Test", 80 * 2**30, 79 * 2**30, 0)
B = Gpu(1, "GPU-b", "Test", 80 * 2**30, 78 * 2**30, 0)
BRACKETS = "[" * 8000


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    monkeypatch.setattr("workspace.tickets._PATIENCE_SECONDS", 0.05)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lock_directory()


@contextlib.contextmanager
def held(path: Path, text: str) -> Iterator[None]:
    """Somebody's file, locked by them."""
    path.write_text(text)
    with path.open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def in_line() -> list[str]:
    with queue_lock():
        return [one.owner.job for one in live_tickets()]


def test_pipes_and_directories_among_the_tickets_are_passed_over(locks: Path) -> None:
    os.mkfifo(locks / "000000000001.ticket")
    (locks / "000000000002.ticket").mkdir()
    (locks / "999999999999.ticket").write_text("")
    waiting = Waiting(Owner.this_process(job="me"), [A.uuid])
    assert in_line() == ["me"]
    waiting.give_up()


@pytest.mark.parametrize("kind", ["pipe", "directory", "link"])
def test_what_is_no_lock_is_named_and_its_gpu_not_taken(locks: Path, kind: str) -> None:
    path = locks / f"{A.uuid}.lock"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(locks / "elsewhere")
    assert not is_free(A.uuid)
    (found,) = holders()
    assert f"whoever made it can remove it: {path}" in str(found)
    with claim(found=[A, B]) as claimed:
        assert claimed.gpu == B
    with pytest.raises(WorkError, match="every GPU is taken") as caught, claim(found=[A]):
        pass
    assert str(path) in caught.value.cause


@pytest.mark.parametrize(
    "text",
    [
        BRACKETS,
        '{"pid": -5}',
        '{"pid": 99999999999999999999, "process_started": 1.0}',
        f'{{"pid": 1, "process_started": {"9" * 400}}}',
        f'{{"since": {"9" * 400}}}',
        '{"since": 1e999, "process_started": NaN}',
        '{"job": "\\ud800", "workspace": "\\u001b[31m"}',
        '{"gpus": ["\\ud800", 3, [[]]]}',
    ],
)
def test_what_stands_in_a_held_lock_or_ticket_is_not_trusted(locks: Path, text: str) -> None:
    from typer.testing import CliRunner

    from tui.queue_command import queue

    with held(locks / f"{A.uuid}.lock", text), held(locks / "000000000001.ticket", text):
        found = holder(A.uuid)
        assert found is not None
        str(found).encode()
        asked = CliRunner().invoke(queue, ["--json"], catch_exceptions=False)
        assert len(json.loads(asked.stdout)["waiting"]) == 1
        assert CliRunner().invoke(queue, [], catch_exceptions=False).exit_code == 0


def test_an_owner_is_what_there_can_be() -> None:
    assert read_owner({"pid": True, "since": True, "job": 3}) == Owner()
    assert read_owner({"pid": 2**22, "since": -1}) == Owner()
    assert read_owner({"pid": 7, "since": 8, "job": "a"}) == Owner("a", pid=7, since=8.0)
    assert len(read_owner({"workspace": "x" * 9000}).workspace) == 200


def test_a_lock_has_its_mode_from_the_first_instant(locks: Path) -> None:
    before = os.umask(0o077)
    try:
        open_shared(locks / "GPU-c.lock").close()
    finally:
        os.umask(before)
    assert (locks / "GPU-c.lock").stat().st_mode & 0o777 == 0o666
    assert [path.name for path in locks.iterdir()] == ["GPU-c.lock"]


def test_a_directory_that_a_kill_left_closed_is_opened_by_its_owner(locks: Path) -> None:
    locks.chmod(0o755)
    assert in_line() == []
    assert locks.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as two users")
def test_files_left_half_open_let_other_users_look(tmp_path: Path, locks: Path) -> None:
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o755)
    lock = try_lock(A.uuid, Owner.this_process(job="of root"))
    assert in_line() == [] and lock is not None
    (locks / "queue.lock").chmod(0o644)
    (locks / f"{A.uuid}.lock").chmod(0o644)
    script = """
    import os, sys
    from pathlib import Path
    from workspace import gpu_locks, tickets
    from workspace.errors import TemperError
    gpu_locks.LOCKS = Path(sys.argv[1])
    gpu_locks.Owner.this_process()  # imports what the other user may not read
    os.setuid(65534)
    with tickets.queue_lock():
        print([one.owner.job for one in gpu_locks.holders()])
    for mode in range(2):
        try:
            gpu_locks.LOCKS = Path(sys.argv[2 + mode])
            with tickets.queue_lock():
                pass
        except TemperError as error:
            print(error.title, error.cure)
    """
    closed = [tmp_path / "closed", tmp_path / "shut"]
    for path, mode in zip(closed, (0o755, 0o700), strict=True):
        path.mkdir()
        path.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(script), str(locks), *map(str, closed)],
        capture_output=True,
        text=True,
        check=True,
    )
    lock.close()
    told = done.stdout.splitlines()
    assert told[0] == "['of root']"
    for path, text in zip(closed, told[1:], strict=True):
        assert text.startswith("no lock of a GPU can be made") and text.endswith(f" 1777 {path}")


def test_what_cleans_old_files_passes_over_the_directory_while_somebody_needs_it(
    locks: Path,
) -> None:
    """As systemd-tmpfiles does: it removes nothing below a directory that it cannot lock."""

    def is_cleaned() -> bool:
        descriptor = os.open(locks, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    lock = try_lock(A.uuid, Owner.this_process())
    assert lock is not None and not is_cleaned()
    waiting = Waiting(Owner.this_process(job="me"), [A.uuid])
    lock.close()
    assert not is_cleaned()
    waiting.give_up()
    assert is_cleaned()
    with queue_lock():
        assert not is_cleaned()


def test_a_ticket_that_vanished_is_taken_anew_behind_the_others(locks: Path) -> None:
    mine = Waiting(Owner.this_process(job="mine"), [A.uuid])
    other = Waiting(Owner.this_process(job="other"), [A.uuid])
    min(locks.glob("*.ticket")).unlink()
    with queue_lock():
        before, after = mine.split(live_tickets())
    assert [one.owner.job for one in before] == ["other"] and after == []
    assert in_line() == ["other", "mine"]
    mine.give_up()
    other.give_up()
    assert in_line() == []


def test_nobody_leaves_the_queue_while_another_changes_it(locks: Path) -> None:
    waiting = Waiting(Owner.this_process(job="me"), [A.uuid])
    with queue_lock():
        waiting.give_up()
        assert len([*locks.glob("*.ticket")]) == 1  # it could be another's by now
    assert in_line() == []
    assert [*locks.glob("*.ticket")] == []


def test_a_job_is_put_first_whatever_is_called_as_the_lowest_ticket(locks: Path) -> None:
    os.mkfifo(locks / "000000000000.ticket")
    first, second = (Waiting(Owner.this_process(job=name), [A.uuid]) for name in ("one", "two"))
    put_first("two")
    assert in_line() == ["two", "one"]
    first.give_up()
    second.give_up()


class LetsGo:
    """Waits until somebody lets go of the queue, which is when it says so."""

    def __init__(self, queue: contextlib.ExitStack) -> None:
        self.owner = Owner.this_process(job="me")
        self.queue, self.told = queue, [""]

    def waits(self, place: Place) -> None:
        self.told.append(str(place))
        self.queue.close()

    def proceeds(self) -> None:
        self.told.append("proceeds")

    def check_stop(self) -> None: ...


def test_a_job_outlasts_a_held_up_queue_from_its_first_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextlib.ExitStack() as queue:
        queue.enter_context(queue_lock())
        assert likely([B, A]).gpu == A
        waiter = LetsGo(queue)
        with claim(found=[A], waiter=waiter):
            assert waiter.told[1].startswith("the queue for GPUs is held up")
            assert waiter.told[2:] == ["proceeds"]
            queue.enter_context(queue_lock())
            with claim(found=[A], waiter=waiter) as again:  # one that is its own already
                assert "this process has it already" in again.reason
