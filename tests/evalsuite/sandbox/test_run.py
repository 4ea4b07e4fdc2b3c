"""Programs that attack: each does what it can, and each is ended with nothing gained."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from evalsuite.sandbox.limits import Limits
from evalsuite.sandbox.run import Outcome, Program, run
from evalsuite.sandbox.tiers import Tier, best_tier, demand_tier
from workspace.errors import UsageError

QUICK = Limits(wall_seconds=5.0, cpu_seconds=2, memory_mib=256, files_mib=2)
PYTHON = str(Path(sys.executable).resolve())
BEST, WHY = best_tier()
needs_namespaces = pytest.mark.skipif(BEST is not Tier.NAMESPACES, reason=WHY)
both_tiers = pytest.mark.parametrize(
    "tier", [Tier.LIMITS, pytest.param(Tier.NAMESPACES, marks=needs_namespaces)]
)


def ran(source: str, tier: Tier, limits: Limits = QUICK, stdin: str = "") -> Outcome:
    """Run one program."""
    return run(Program({"main.py": source}, "main.py", stdin), limits, tier)


@both_tiers
def test_a_program_reads_computes_and_prints(tier: Tier) -> None:
    found = ran("import math\nprint(math.factorial(int(input())))", tier, stdin="5\n")

    assert (found.ended, found.code, found.stdout) == ("exit", 0, "120\n")


@both_tiers
def test_exit_status_signal_and_error_are_told(tier: Tier) -> None:
    assert ran("import sys; sys.exit(7)", tier).code == 7
    broken = ran("1 / 0", tier)
    assert broken.code == 1 and "ZeroDivisionError" in broken.stderr
    aborted = ran("import os; os.abort()", tier)
    assert (aborted.ended, aborted.code) == ("signal", 6)


@both_tiers
def test_waiting_for_ever_is_ended_by_the_clock(tier: Tier) -> None:
    begun = time.monotonic()

    found = ran("import time\nwhile True: time.sleep(1)", tier, Limits(wall_seconds=0.5))

    assert found.ended == "wall_time" and time.monotonic() - begun < 5


@pytest.mark.slow
@both_tiers
def test_computing_for_ever_is_ended_by_its_processor_time(tier: Tier) -> None:
    limits = Limits(wall_seconds=60, cpu_seconds=1)

    assert ran("while True: pass", tier, limits).ended == "cpu_time"


@pytest.mark.slow
@both_tiers
def test_signals_cannot_be_caught_to_live_on(tier: Tier) -> None:
    source = """
import signal
for number in range(1, 32):
    try: signal.signal(number, lambda *_: None)
    except (OSError, ValueError): pass
while True: pass
"""
    assert ran(source, tier, Limits(wall_seconds=1.0)).ended == "wall_time"


@both_tiers
def test_memory_is_bounded(tier: Tier) -> None:
    found = ran("held = bytearray(400 * 2**20)\nprint('got it')", tier)

    assert "MemoryError" in found.stderr and found.stdout == ""


@both_tiers
def test_output_is_bounded(tier: Tier) -> None:
    found = ran("while True: print('x' * 10_000)", tier)

    assert found.stdout_cut and len(found.stdout) == QUICK.output_characters
    assert found.ended in ("exit", "cpu_time")


@both_tiers
def test_one_file_is_bounded(tier: Tier) -> None:
    found = ran("open('big', 'wb').write(b'x' * 2**23)", tier)

    assert found.code == 1 and "Error" in found.stderr


@both_tiers
def test_nothing_of_the_environment_is_inherited(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_API_KEY", "sk-canary")
    source = "import os\nprint(dict(os.environ), os.listdir('.'))"

    found = ran(source, tier)

    assert "canary" not in found.stdout.lower() and "'HOME'" not in found.stdout
    assert found.stdout.rstrip().endswith("[]")


@both_tiers
def test_installed_packages_are_not_seen(tier: Tier) -> None:
    assert "ModuleNotFoundError" in ran("import numpy", tier).stderr


@both_tiers
def test_no_open_file_of_ours_is_inherited(tier: Tier) -> None:
    source = """
import os
def is_open(number):
    try: os.fstat(number)
    except OSError: return False
    return True
print([number for number in range(256) if is_open(number)])
"""
    assert ran(source, tier).stdout == "[0, 1, 2]\n"


@both_tiers
def test_terminal_escapes_stay_text(tier: Tier) -> None:
    found = ran(r"import sys; sys.stdout.buffer.write(b'\x1b[2J\xff')", tier)

    assert found.stdout == "\x1b[2J\ufffd"  # shown through workspace.text.plain alone


@both_tiers
def test_children_left_behind_die_with_the_program(tier: Tier, tmp_path: Path) -> None:
    sign = f"temper-{os.getpid()}-{tier}"
    source = f"""
import os, sys, time
for number in range(2):
    if os.fork() == 0:
        os.setsid()
        wait = "import time; time.sleep(60)"
        os.execv({PYTHON!r}, ["{sign}", "-I", "-S", "-c", wait])
time.sleep(0.2)
"""
    assert ran(source, tier).ended == "exit"

    listed = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True)
    assert sign not in listed.stdout


@needs_namespaces
def test_a_fork_bomb_fills_only_its_own_few_places() -> None:
    source = """
import os
made = 0
try:
    while True:
        if os.fork() == 0:
            while True: pass
        made += 1
except OSError as error:
    print(made, type(error).__name__, flush=True)
"""
    found = ran(source, Tier.NAMESPACES, Limits(wall_seconds=5, cpu_seconds=1, processes=4))

    assert found.stdout == "3 BlockingIOError\n"


@pytest.mark.slow
@needs_namespaces
def test_a_wild_fork_bomb_is_ended() -> None:
    begun = time.monotonic()

    ran("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        Tier.NAMESPACES, Limits(wall_seconds=1, cpu_seconds=60))  # fmt: skip

    assert time.monotonic() - begun < 10


@needs_namespaces
def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reached = []
        threading.Thread(target=lambda: reached.append(server.accept()), daemon=True).start()
        found = ran(
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)",
            Tier.NAMESPACES,
        )
    assert found.code == 1 and "Network is unreachable" in found.stderr and not reached


@needs_namespaces
def test_no_abstract_socket_of_the_machine_is_reached() -> None:
    name = f"\0temper-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        source = f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})"
        assert "ConnectionRefusedError" in ran(source, Tier.NAMESPACES).stderr


@needs_namespaces
def test_files_of_the_machine_do_not_exist_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    source = f"""
import os, glob
for path in ({str(secret)!r}, "/etc/passwd", "/etc/shadow", "/proc/1/environ", "/sys/class/net"):
    print(os.path.exists(path))
print(glob.glob("/*/.ssh*"), glob.glob("/home/*"), sorted(os.listdir("/tmp")))
"""
    assert ran(source, Tier.NAMESPACES).stdout == "False\n" * 5 + "[] [] []\n"


@needs_namespaces
def test_nothing_outside_its_directory_can_be_written(tmp_path: Path) -> None:
    source = f"""
import os, sys
library = os.path.dirname(os.__file__)
for place in ({str(tmp_path)!r}, "/", "/usr", "/code", "/etc", "/dev", library):
    try:
        open(os.path.join(place, "mark"), "w").close()
        print("wrote", place)
    except OSError as error: pass
open("/box/mark", "w").close()
"""
    found = ran(source, Tier.NAMESPACES)

    assert (found.code, found.stdout) == (0, "") and not any(tmp_path.iterdir())


@needs_namespaces
def test_all_files_together_are_bounded() -> None:
    source = "for n in range(9): open(str(n), 'wb').write(b'x' * 2**20)"

    assert "No space left" in ran(source, Tier.NAMESPACES).stderr


@needs_namespaces
def test_rights_cannot_be_regained() -> None:
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
new_user, new_mount = 0x10000000, 0x20000
print(libc.unshare(new_user), libc.unshare(new_mount))
print(libc.mount(b"none", b"/box", b"tmpfs", 0, None), libc.umount2(b"/usr", 2))
for change in (lambda: os.setuid(0), lambda: os.chroot("/box"), lambda: os.sethostname("x")
               if hasattr(os, "sethostname") else os.setuid(0)):
    try: change(); print("done", os.getuid())
    except OSError: print("refused")
"""
    wanted = "-1 -1\n-1 -1\nrefused\nrefused\nrefused\n"
    assert ran(source, Tier.NAMESPACES).stdout == wanted


@needs_namespaces
def test_nothing_outside_can_be_killed() -> None:
    source = """
import os
for pid in (1, os.getppid(), -1):
    try: os.kill(pid, 9)
    except OSError as error: print(type(error).__name__)
for pid in range(3, 300):
    try: os.kill(pid, 0); print("seen", pid)
    except OSError: pass
print("end")
"""
    found = ran(source, Tier.NAMESPACES)

    # the first process of a namespace cannot be killed from within, and nobody else is there
    assert "seen" not in found.stdout and found.stdout.endswith("end\n")
    assert found.ended == "exit"


def test_less_isolation_than_asked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    weak = (Tier.LIMITS, "no namespaces here")
    monkeypatch.setattr("evalsuite.sandbox.tiers.best_tier", lambda: weak)

    with pytest.raises(UsageError, match="cannot keep programs apart") as refused:
        demand_tier("namespaces")

    assert "no namespaces here" in refused.value.cause and "limits" in refused.value.cure
    assert demand_tier("limits") is Tier.LIMITS
