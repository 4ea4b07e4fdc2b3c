"""The GPUs are asked by a child with a deadline; what hangs is killed and said."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tui import doctor
from tui.glyphs import UNICODE
from tui.gpus import watch
from tui.gpus.reading import parse_report
from tui.gpus.watch import GpuWatch
from tui.jobs import JobRow
from tui.snapshot import Disk
from tui.widgets.machine import Machine
from workspace import gpu_meters
from workspace.tickets import queue_lock

SMI = """#!/bin/sh
case "$1" in
--query-gpu*) echo "0, GPU-aa, NVIDIA H100, 73, 40960, 81559, 61"
              echo "1, GPU-bb, NVIDIA H100, [N/A], 0, 81559, 31" ;;
*) echo "GPU-aa, {pid}, 40000" ;;
esac
"""


def stand_in(directory: Path, monkeypatch, text: str) -> None:
    """Put a program called nvidia-smi first on the path."""
    path = directory / "nvidia-smi"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


class Heard:
    """Collects reports."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(watch, "PERIOD_SECONDS", 0.05)
        monkeypatch.setattr(watch, "RETRY_SECONDS", 0.05)
        self.reports = []
        self.came = threading.Event()
        self.watch = GpuWatch(self.take)

    def take(self, report) -> None:
        self.reports.append(report)
        self.came.set()

    def next(self):
        assert self.came.wait(20)
        self.came.clear()
        return self.reports[-1]


@pytest.fixture
def heard(monkeypatch):
    found = Heard(monkeypatch)
    yield found
    found.watch.stop()
    found.watch.join(10)
    assert not found.watch.is_alive()


def text_of(machine: Machine, width: int = 90) -> str:
    return "\n".join("".join(text for text, _ in line) for line in machine.lines(width, 20))


def test_utilisation_memory_heat_and_our_own_job_are_shown(tmp_path, monkeypatch, heard):
    stand_in(tmp_path, monkeypatch, SMI.format(pid=os.getpid()))
    heard.watch.start()
    report = heard.next()
    first, second = report.gauges
    assert (first.utilisation, first.celsius, first.used_bytes) == (0.73, 61.0, 40960 * 1024**2)
    assert second.utilisation is None
    machine = Machine(UNICODE)
    monkeypatch.setattr(machine, "redraw", lambda: None)
    machine.show_gpus(report)
    path = Path("jobs/20261120-120000-train-ab12")
    parent = os.getppid()
    machine.show(
        Disk(40 * 1024**3, 100 * 1024**3), (JobRow(path.name, path, "running", pid=parent),)
    )
    text = text_of(machine)
    assert "0 H100" in text
    assert "73%" in text
    assert "40/80 GiB" in text
    assert "61 C" in text
    assert f"● train-ab12 · pid {os.getpid()}" in text
    assert "disk: 40 of 100 GiB free" in text


def test_a_driver_that_hangs_is_killed_and_said(tmp_path, monkeypatch, heard):
    marker = tmp_path / "pid"
    stand_in(tmp_path, monkeypatch, f"#!/bin/sh\necho $$ > {marker}\nexec sleep 600\n")
    monkeypatch.setattr(watch, "DEADLINE_SECONDS", 2.0)
    began = time.time()
    heard.watch.start()
    report = heard.next()
    assert report.silent_since is not None
    assert began <= report.silent_since <= began + 2
    machine = Machine(UNICODE)
    monkeypatch.setattr(machine, "redraw", lambda: None)
    machine.show_gpus(report)
    assert "The GPU driver does not answer since " in text_of(machine)
    for _ in range(400):  # on a slow machine the deadline may be over before it was asked
        if marker.exists() and marker.read_text().strip():
            break
        time.sleep(0.05)
    hung = int(marker.read_text())
    for _ in range(250):
        if not Path(f"/proc/{hung}").exists() or "Z" in _state(hung):
            break
        time.sleep(0.02)
    else:
        pytest.fail("the program that hung was left behind")
    stand_in(tmp_path, monkeypatch, SMI.format(pid=os.getpid()))
    while heard.next().silent_since is not None:
        pass
    assert len(heard.reports[-1].gauges) == 2


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_without_a_gpu_one_answer_is_enough(tmp_path, monkeypatch, heard):
    stand_in(tmp_path, monkeypatch, "#!/bin/sh\nexit 9\n")
    heard.watch.start()
    report = heard.next()
    assert report.gauges == ()
    heard.watch.join(10)
    assert not heard.watch.is_alive()
    machine = Machine(UNICODE)
    monkeypatch.setattr(machine, "redraw", lambda: None)
    machine.show_gpus(report)
    assert "No NVIDIA GPU: jobs run on the CPU." in text_of(machine)


def test_a_child_that_ends_is_said(monkeypatch):
    reports = []
    one = GpuWatch(reports.append, command=[sys.executable, "-c", "pass"])
    report = one._look()
    assert "cannot be measured" in report.said
    one.stop()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"gpus": 5, "waiting": [1, {}]}',
        b'{"gpus": [{"utilisation": "x", "processes": [{"pid": "y", "lineage": 3}]}]}',
        json.dumps({"gpus": [{"name": "\x1b[31m" * 9, "utilisation": 9e9}]}).encode(),
    ],
)
def test_odd_answers_harm_nothing(line, monkeypatch):
    machine = Machine(UNICODE)
    monkeypatch.setattr(machine, "redraw", lambda: None)
    machine.show_gpus(parse_report(line))
    for width in (1, 20, 90):
        assert "\x1b" not in text_of(machine, width)


class NVMLError(Exception):
    pass


def _lost(handle):
    if handle == 0:
        raise NVMLError("GPU is lost")
    return SimpleNamespace(used=1 << 30, total=80 << 30)


NVML = SimpleNamespace(
    NVMLError=NVMLError,
    NVML_TEMPERATURE_GPU=0,
    nvmlInit=lambda: None,
    nvmlDeviceGetCount=lambda: 2,
    nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetMemoryInfo=_lost,
    nvmlDeviceGetUUID=lambda handle: f"GPU-{handle}",
    nvmlDeviceGetName=lambda handle: "NVIDIA H100",
    nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=73),
    nvmlDeviceGetTemperature=lambda handle, sensor: 61,
    nvmlDeviceGetComputeRunningProcesses=lambda handle: [],
)


def test_a_gpu_that_is_lost_is_named_and_the_others_are_still_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", NVML)
    answer = json.dumps(gpu_meters.measure()).encode()
    machine = Machine(UNICODE)
    monkeypatch.setattr(machine, "redraw", lambda: None)
    machine.show_gpus(parse_report(answer))
    assert "✗ 0 does not answer" in text_of(machine)
    assert "1 H100" in text_of(machine)
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=answer + b"\n")
    )
    assert [one.level for one in doctor._gpus()] == ["fail", "ok"]


def test_a_queue_that_is_held_up_does_not_make_the_driver_look_dead(tmp_path, monkeypatch):
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    with queue_lock():
        began = time.monotonic()
        assert gpu_meters._waiting() == []
        assert time.monotonic() - began < 5


def test_the_program_ends_with_its_input():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workspace.gpu_meters"], input=b"\n", capture_output=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert set(json.loads(done.stdout)) == {"gpus", "waiting"}
