"""The app on the line: first paint, keys under load, bytes and processor time, beside peers.

    python -P bench/tui.py                                    # bench/results/tui.md; a few minutes
    python -P bench/tui.py --harlequin VENV/bin/harlequin     # beside harlequin, in its own venv
    python -P bench/tui.py --repeats 3 --out -                # fewer, to the terminal

Everything is measured through pseudo-terminals of 80x24 that answer no question of the programs.
The bare app is Textual with one Static. temper is the command as people type it, in a workspace of
four runs. One of them is live: the bench holds its job's lock as the job's process would. The first
paint of temper is the table of these runs, read from the disk. The programs take turns, so that
other work on the machine meets all alike; where it is busy, processor time is what compares.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

sys.path.append(str(Path(__file__).parent / "parts"))

from screen.sample import alive, event, write_workspace
from screen.terminal import Terminal

RESULTS = Path(__file__).with_name("results") / "tui.md"
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("first-paint")
Bare().run(mouse=False)
"""
_CURSOR = "▌".encode()


@dataclass
class Paints:
    """First paints of one program."""

    name: str
    argv: Sequence[str]
    wanted: bytes
    """What is on the screen then."""
    directory: Path | None = None
    """Where it is started."""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Start it once."""
        with Terminal(self.argv, directory=self.directory) as terminal:
            self.seconds.append(terminal.read_until(self.wanted))
            self.cpu.append(terminal.cpu_seconds())


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="starts of each program")
    parser.add_argument("--keys", type=int, default=120, help="keys pressed under load")
    parser.add_argument("--seconds", type=float, default=15, help="of each count of bytes")
    parser.add_argument("--harlequin", help="its program")
    parser.add_argument("--out", default=str(RESULTS), help="file, or - for the terminal")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "project"
        events = write_workspace(root)
        programs = paints(root, options.harlequin)
        with alive(events):
            for _ in range(options.repeats):
                for one in programs:
                    one.measure()
            lines = [*heading(options), *paint_lines(programs, options.harlequin)]
            lines += key_lines(root, events, options.keys)
            lines += byte_lines(root, events, options.seconds)
    text = "\n".join(lines) + "\n"
    if options.out == "-":
        print(text)
    else:
        Path(options.out).write_text(text, encoding="utf-8")


def typed() -> list[str]:
    """Return the command as it is installed beside this interpreter."""
    command = Path(sys.executable).with_name("temper")
    return [str(command)] if command.exists() else [sys.executable, "-P", "-m", "tui"]


def paints(root: Path, harlequin: str | None) -> list[Paints]:
    """Return the programs whose first paint is measured."""
    found = [
        Paints("bare Textual app", [sys.executable, "-P", "-c", BARE], b"first-paint"),
        Paints("temper", typed(), b"tempered-ab12", root),
    ]
    if harlequin:
        found.append(Paints("harlequin", [harlequin, "--locale", "C"], b"Data Catalog"))
    return found


def heading(options: argparse.Namespace) -> list[str]:
    """Return what was done, and on what."""
    load = os.getloadavg()[0]
    command = f"python -P bench/tui.py --repeats {options.repeats}"
    return [
        "# The app on the line",
        "",
        f"80x24 in a pseudo-terminal, medians of {options.repeats} starts in turn, "
        f"{os.cpu_count()} processors, load {load:.1f}.",
        "",
        f"    {command}",
        "",
    ]


def paint_lines(programs: Sequence[Paints], harlequin: str | None) -> list[str]:
    """Return the table of first paints; temper's is its table of runs, read from the disk."""
    wall, cpu = median(programs[0].seconds), median(programs[0].cpu)
    rows = [
        f"| {one.name} | {median(one.seconds):.2f} | {median(one.seconds) / wall:.2f} "
        f"| {median(one.cpu):.2f} | {median(one.cpu) / cpu:.2f} |"
        for one in programs
    ]
    return [
        "| first paint of | s | ratio | CPU s | ratio |",
        "|---|--:|--:|--:|--:|",
        *rows,
        "",
        "Aim: 1.5 times the bare app."
        + ("" if harlequin else " harlequin was not measured: none was given."),
        "",
    ]


@contextmanager
def streaming(events: Path, rate: float) -> Iterator[None]:
    """Append `rate` events a second, as a fast run does."""
    ending = threading.Event()

    def work() -> None:
        step = 400
        with events.open("a", encoding="utf-8", buffering=1) as stream:
            while not ending.wait(1 / rate):
                step += 1
                stream.write(event(step))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def key_lines(root: Path, events: Path, keys: int) -> list[str]:
    """Return how long a key takes until its row is marked, while a run streams."""
    seconds = []
    with Terminal(typed(), directory=root) as terminal, streaming(events, 100):
        terminal.read_until(b"tempered-ab12")
        terminal.read_for(2)
        for press in range(keys):
            seconds.append(terminal.press(b"jk"[press % 2 : press % 2 + 1], _CURSOR))
            terminal.read_for(0.07)
    late = quantiles(seconds, n=20)[-1]
    return [
        "| a key, while a run streams 100 events/s | ms | aim |",
        "|---|--:|--:|",
        f"| median | {median(seconds) * 1000:.0f} | |",
        f"| 95th percentile | {late * 1000:.0f} | 50 |",
        "",
    ]


def byte_lines(root: Path, events: Path, seconds: float) -> list[str]:
    """Return bytes and processor time: at rest, on Home beside a live run, and on its screen."""
    rows = []
    with Terminal(typed(), directory=root) as terminal:
        terminal.read_until(b"tempered-ab12")
        terminal.read_for(3)
        rows.append(_bytes_row("at rest", terminal, seconds, "0", "1 %"))
        with streaming(events, 2):
            terminal.read_for(2)
            rows.append(_bytes_row("home, a run at 2 steps/s", terminal, seconds, "1024", ""))
            os.write(terminal.descriptor, b"g\r")
            terminal.read_for(3)
            rows.append(_bytes_row("run screen, 2 steps/s", terminal, seconds, "1024", ""))
    return ["| | bytes/s | aim | CPU | aim |", "|---|--:|--:|--:|--:|", *rows]


def _bytes_row(name: str, terminal: Terminal, seconds: float, aim: str, cpu_aim: str) -> str:
    before, began = terminal.cpu_seconds(), time.monotonic()
    sent = terminal.read_for(seconds)
    took = time.monotonic() - began
    cpu = (terminal.cpu_seconds() - before) / took
    return f"| {name} | {sent / took:.0f} | {aim} | {cpu:.1%} | {cpu_aim} |"


if __name__ == "__main__":
    main()
