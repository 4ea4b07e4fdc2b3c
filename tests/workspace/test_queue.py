"""Jobs get GPUs in the order in which they came, one at a time, whoever is killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workspace.claims import claim
from workspace.errors import UsageError, WorkError
from workspace.gpu_locks import Owner, holder, holders, try_lock
from workspace.gpus import Gpu
from workspace.jobs import JobView, read_job, stop_job
from workspace.layout import Workspace
from workspace.tickets import QueueHeldUp, Waiting, live_tickets, put_first, queue_lock

A = Gpu(0, "GPU-a", "Test", 80 * 2**30, 79 * 2**30, 0)
B = Gpu(1, "GPU-b", "Test", 80 * 2**30, 78 * 2**30, 0)

BEGIN = """
    import json, os, signal, sys, time
    from pathlib import Path
    from workspace import claims, gpu_locks, tickets
    from workspace.claims import claim
    from workspace.gpus import Gpu
    from workspace.jobs import run_job
    from workspace.layout import Workspace
    from workspace.waiting import JobWaiter
    claims._NEXT_SECONDS = 0.06
    tickets._PATIENCE_SECONDS = 1.0
    root = Path(sys.argv[1])
    gpu_locks.LOCKS = root / "locks"
    found = [Gpu(index, f"GPU-{name}", "Test", 80 * 2**30, (79 - index) * 2**30, 0)
             for index, name in enumerate("ab")]
"""
JOB = (
    BEGIN
    + """
    wanted = [gpu for gpu in found if gpu.uuid[-1] in sys.argv[2]]
    with run_job(Workspace(root / sys.argv[3]), "train", ["temper", "train"]) as job:
        print(job.id, flush=True)
        with claim(found=wanted, waiter=JobWaiter(job, lambda text: None)) as claimed:
            job.events.append("has", gpu=claimed.gpu.uuid)
            while True:
                job.check_stop()
                time.sleep(0.01)
"""
)
MANY = (
    BEGIN
    + """
    count, gpus, killed = int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    log = os.open(root / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Numbered:
        def __init__(self, number):
            self.owner = gpu_locks.Owner.this_process(job=str(number))
        def waits(self, place): pass
        def proceeds(self): pass
        def check_stop(self): pass

    def work(number):
        with claim(found=found[:gpus], waiter=Numbered(number)) as claimed:
            os.write(log, f"+ {number} {claimed.gpu.uuid}\\n".encode())
            if killed.get(str(number)) == "working":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.1 if gpus > 1 else 0.01)
            os.write(log, f"- {number} {claimed.gpu.uuid}\\n".encode())

    held = [gpu_locks.try_lock(gpu.uuid, gpu_locks.Owner.this_process()) for gpu in found[:gpus]]
    children = []
    for number in range(count):  # the next begins when the ticket of the last is there
        child = os.fork()
        if child == 0:
            for lock in held:
                lock.close()
            work(number)
            os._exit(0)
        children.append(child)
        while len(list(gpu_locks.LOCKS.glob("*.ticket"))) <= number:
            time.sleep(0.001)
    for number, child in enumerate(children):
        if killed.get(str(number)) == "waiting":
            os.kill(child, signal.SIGKILL)
    for lock in held:
        lock.close()
    for child in children:
        os.waitpid(child, 0)
"""
)


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "locks"


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that other users can enter; pytest closes its own whenever one starts."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


Start = Callable[..., tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a job that takes a GPU, in a workspace, and works until it is stopped."""
    children = []

    def start(gpus: str = "a", workspace: str = "one") -> tuple[subprocess.Popen[str], Path]:
        child = python(JOB, str(tmp_path), gpus, workspace)
        children.append(child)
        assert child.stdout is not None
        directory = Workspace(tmp_path / workspace).jobs / child.stdout.readline().strip()
        child.stdout.close()
        until(lambda: settled(directory))
        return child, directory

    yield start
    for child in children:
        child.kill()
        child.wait()


def settled(directory: Path) -> bool:
    return bool(read_job(directory).waiting) or '"has"' in events(directory)


def events(directory: Path) -> str:
    path = directory / "events.jsonl"
    return path.read_text() if path.exists() else ""


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(directory: Path) -> str:
    return read_job(directory).state


def waiting(directory: Path) -> str:
    view: JobView = read_job(directory)
    assert view.state == "queued"
    return view.waiting or ""


def in_line() -> list[str]:
    with queue_lock():
        return [one.owner.job for one in live_tickets()]


def many(tmp_path: Path, count: int, gpus: int, killed: dict[str, str]) -> list[list[str]]:
    child = python(MANY, str(tmp_path), str(count), str(gpus), json.dumps(killed))
    assert child.wait(100) == 0
    if child.stdout:
        child.stdout.close()
    return [line.split() for line in (tmp_path / "log.txt").read_text().splitlines()]


@pytest.mark.slow
def test_fifty_waiters_get_a_gpu_in_order(tmp_path: Path, locks: Path) -> None:
    log = many(tmp_path, 50, 1, {})
    assert [(sign, int(number)) for sign, number, _ in log] == [
        (sign, number) for number in range(50) for sign in "+-"
    ]
    assert list(locks.glob("*.ticket")) == []


def test_two_gpus_are_used_at_once_and_neither_is_given_twice(tmp_path: Path) -> None:
    log = many(tmp_path, 12, 2, {})
    busy: set[str] = set()
    for sign, _, gpu in log:
        assert (gpu in busy) == (sign == "-")
        busy ^= {gpu}
    assert sorted(int(number) for sign, number, _ in log if sign == "+") == list(range(12))
    assert {gpu for _, _, gpu in log} == {A.uuid, B.uuid}


def test_killed_holders_and_killed_waiters_hold_nobody_up(tmp_path: Path, locks: Path) -> None:
    killed = {"0": "waiting", "3": "working", "4": "waiting", "5": "waiting", "7": "working"}
    log = many(tmp_path, 12, 1, killed)
    assert [number for sign, number, _ in log if sign == "+"] == [
        "1",
        "2",
        "3",
        "6",
        "7",
        "8",
        "9",
        "10",
        "11",
    ]
    assert list(locks.glob("*.ticket")) == []


def test_a_job_waits_queued_says_for_whom_and_takes_its_turn(start: Start, tmp_path: Path) -> None:
    first, one = start()
    second, two = start(workspace="two")
    third, three = start()
    assert (state(one), state(two), state(three)) == ("running", "queued", "queued")
    told = waiting(two)
    assert f"GPU 0 (Test) has job {one.name} (pid {first.pid}, workspace {tmp_path}/one" in told
    assert told.startswith("place 1 of ")
    assert f"before it job {two.name} (pid {second.pid}, workspace {tmp_path}/two" in waiting(three)
    assert waiting(three).startswith("place 2 of 2")
    first.kill()
    until(lambda: state(two) == "running")
    assert state(one) == "lost"
    assert read_job(two).waiting is None
    until(lambda: waiting(three).startswith("place 1 of 1"))
    assert [one.owner.pid for one in holders()] == [second.pid]
    assert third.poll() is None


def test_a_waiting_job_can_be_stopped_and_a_killed_one_is_lost(start: Start) -> None:
    start()
    stopped, two = start()
    killed, three = start()
    stop_job(read_job(two))
    assert stopped.wait(10) != 0
    assert state(two) == "stopped" and read_job(two).waiting is None
    killed.kill()
    killed.wait()
    assert state(three) == "lost"
    assert in_line() == []


def test_a_job_that_wants_another_gpu_does_not_wait_behind(start: Start) -> None:
    start("a")
    _, two = start("a")
    _, three = start("b")
    assert (state(two), state(three)) == ("queued", "running")


def test_a_suspended_waiter_lets_others_pass_and_keeps_its_place(start: Start) -> None:
    first, _ = start()
    second, two = start()
    third, three = start()
    with queue_lock():  # not while it changes the queue itself
        second.send_signal(signal.SIGSTOP)
    first.kill()
    until(lambda: state(three) == "running")
    until(lambda: in_line() == [two.name])
    second.send_signal(signal.SIGCONT)
    third.kill()
    until(lambda: state(two) == "running")


def test_a_command_that_cannot_wait_does_not_pass_those_that_do(start: Start) -> None:
    first, _ = start()
    start()
    second, two = start()
    with pytest.raises(WorkError, match="every GPU is taken") as caught, claim(found=[A]):
        pass
    assert f"(pid {first.pid}" in caught.value.cause
    assert "2 waiting before this" in caught.value.cause
    with claim(found=[A, B]) as claimed:
        assert claimed.gpu == B
    put_first(two.name)
    first.kill()
    until(lambda: state(two) == "running")
    assert second.poll() is None


def test_a_waiter_outlasts_somebody_who_holds_up_the_queue(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = start()
    _, two = start()
    with queue_lock():
        first.kill()
        until(lambda: f"process {os.getpid()} (" in waiting(two))
        assert waiting(two).startswith("the queue for GPUs is held up: For ")
        assert "kill -CONT PID" in waiting(two)
        monkeypatch.setattr("workspace.tickets._PATIENCE_SECONDS", 0.1)
        with pytest.raises(QueueHeldUp), claim(found=[B]):
            pass
    until(lambda: state(two) == "running")


def test_ctrl_z_waits_until_the_queue_is_let_go() -> None:
    with queue_lock():
        assert signal.SIGTSTP in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.SIGTSTP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_only_a_waiting_job_is_put_first(start: Start) -> None:
    _, one = start()
    with pytest.raises(UsageError, match=f"no job called {one.name} waits"):
        put_first(one.name)


def test_a_lock_kept_by_an_orphaned_child_names_the_child(tmp_path: Path) -> None:
    script = """
    lock = gpu_locks.try_lock("GPU-a", gpu_locks.Owner.this_process(job="gone"))
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(60)
    print(child, flush=True)
    os._exit(0)
    """
    parent = python(BEGIN + script, str(tmp_path))
    assert parent.stdout is not None
    child = int(parent.stdout.read())
    parent.stdout.close()
    parent.wait()
    try:
        found = holder(A.uuid)
        assert found is not None and not found.owner.is_alive
        assert [one.startswith(f"process {child} (") for one in found.orphans] == [True]
        with pytest.raises(WorkError) as caught, claim(found=[A]):
            pass
        assert f"process {child} (" in caught.value.cause
        assert f"left behind by job gone (pid {parent.pid}), which is gone" in caught.value.cause
    finally:
        os.kill(child, signal.SIGKILL)
    until(lambda: holder(A.uuid) is None)


def test_foreign_files_among_the_tickets_are_passed_over(tmp_path: Path, locks: Path) -> None:
    waiting = Waiting(Owner.this_process(job="me"), ["GPU-a"])
    (locks / "000100000000.ticket.bak").write_text("no number")
    (locks / "x.ticket").write_text("no number")
    (locks / "000000000001.ticket").symlink_to(tmp_path / "elsewhere")
    lock = try_lock("GPU-c", Owner())
    (locks / "GPU-c.lock").write_text('{"pid": "many", "job": 3, "user": ["x"]}')
    assert lock is not None
    found = holder("GPU-c")
    assert found is not None and "did not say which" in str(found)
    lock.close()
    assert in_line() == ["me"]
    waiting.give_up()
    assert in_line() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as two users")
def test_users_share_the_queue_and_cannot_pass_each_other(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks and tickets of one user are seen and waited for by another."""
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", open_directory / "locks")
    lock = try_lock(A.uuid, Owner.this_process(job="of root"))
    ticket = Waiting(Owner.this_process(job="of root too"), [A.uuid])
    script = """
    from workspace.tickets import Waiting, put_first, live_tickets, queue_lock
    from workspace.errors import TemperError
    gpu_locks.Owner.this_process()  # imports what the other user may not read
    os.setuid(65534)
    waiting = Waiting(gpu_locks.Owner.this_process(job="of nobody"), ["GPU-a"])
    with queue_lock():
        tickets = live_tickets()
    print(gpu_locks.try_lock("GPU-a", gpu_locks.Owner()), [one.owner.job for one in tickets])
    try:
        put_first("of nobody")
    except TemperError as error:
        print(error.cause)
    """
    other = python(BEGIN + script, str(open_directory))
    assert other.stdout is not None
    told = other.stdout.read().splitlines()
    other.stdout.close()
    assert other.wait() == 0
    assert told[0] == "None ['of root too', 'of nobody']"
    assert told[1].startswith("Before it waits job of root too")
    assert lock is not None
    lock.close()
    ticket.give_up()
    assert in_line() == []  # root may sweep what nobody left


def test_temper_queue_lists_who_works_and_who_waits(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from tui.queue_command import queue

    first, one = start()
    _, two = start(workspace="two")
    _, three = start()
    asked = CliRunner().invoke(queue, ["--json"])
    document = json.loads(asked.stdout)
    (running,) = document["running"]
    assert (running["gpu"], running["job"], running["pid"]) == (A.uuid, one.name, first.pid)
    assert [line["job"] for line in document["waiting"]] == [two.name, three.name]
    assert [line["place"] for line in document["waiting"]] == [1, 2]
    assert document["waiting"][0]["workspace"] == str(tmp_path / "two")
    assert CliRunner().invoke(queue, ["first", three.name]).exit_code == 0
    table = CliRunner().invoke(queue, []).stdout
    assert table.index(one.name) < table.index(three.name) < table.index(two.name)
