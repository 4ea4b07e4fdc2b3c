"""What welltempered adds to a step of trl, and what each lever of speed brings.

    python -P bench/train.py                      # overhead, on the built-in model, on the CPU
    python -P bench/train.py --pairs 9 --steps 40
    python -P bench/train.py --ladder             # one lever a row; with a GPU larger models too

`-P` keeps this directory off the import path, where this file would be taken for the package.

Overhead: a whole run of ours (plan, proof of every micro-batch, events, alarms) against a plain
script with trl's SFTTrainer and the same settings, in one process, in pairs that train abreast: a
step of one, then the same step of the other, so that what else the machine does meets both; which
begins alternates. The plain script gets the same rows as messages in the planned order, and
tokenises and masks them itself: equal losses say that both learn the same. Both log every step and
write no checkpoint. Measured is the time between the logs of two steps but for the other's turn:
CPU time of the process and wall time. A pair's overhead is the median over its steps
of ours / plain - 1, each step with itself (its rows are the same). The interval of the median over
pairs is that of order statistics, which assumes nothing of the distribution. The aim is kept where
the interval's upper end is within it (exit code 0), missed where its lower end is not (1), and
undecided between (3): then repeat with more pairs or on a quieter machine. Beside it stands the CPU
time spent in the code that is ours, counted call by call, which a busy machine disturbs least.

Ladder: each row is a process of its own; its losses are compared with those of the first row.
Peak memory is torch's on a GPU and the whole process's on a CPU.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Not this file's own directory, in which it would be taken for the package `train`.
sys.path.append(str(Path(__file__).parent / "parts"))

from training.ladder import ladder, one
from training.rows import general_chats
from training.runs import WARM, Bench, Run

Time = Literal["cpu", "wall"]
Verdict = Literal["kept", "missed", "undecided"]
TIMES: tuple[Time, ...] = ("cpu", "wall")
LOSSES_WITHIN, OVERHEAD_WITHIN = 1e-5, 0.03
EXIT_CODES: dict[Verdict, int] = {"kept": 0, "missed": 1, "undecided": 3}


class Own:
    """CPU seconds in what welltempered adds to a step, counted where it is called."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def count(self) -> None:
        """Count the proof of micro-batches, the records of steps, and the order of methods."""
        from train.trl_bridge.planned import Planned
        from train.trl_bridge.sft import PlannedSft
        from train.trl_bridge.watch import Watch

        for owner, name in (
            (PlannedSft, "_prove_batch"),
            (Planned, "floating_point_ops"),
            (Watch, "on_log"),
            (Watch, "on_step_end"),
        ):
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, function: Any) -> Any:
        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.thread_time()  # the other of a pair works in a thread of its own
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.thread_time() - began

        return timed


def order_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return an interval of the median between two order statistics, and its true coverage.

    From the k-th smallest to the k-th largest of n covers 1 - 2 P(Binomial(n, 1/2) < k).
    """
    ordered, n = sorted(values), len(values)

    def coverage(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, j) for j in range(k)) / 2**n

    k = max((k for k in range(1, n // 2 + 1) if coverage(k) >= level), default=1)
    return ordered[k - 1], ordered[n - k], coverage(k)


def verdict(interval: tuple[float, float], losses_apart: float) -> Verdict:
    """Say whether the aim is kept: only the whole interval of the overhead decides.

    Args:
        interval: of the median overhead in CPU time, as a part of the plain script's.
        losses_apart: the largest difference of two losses of one step.
    """
    low, high = interval
    if losses_apart > LOSSES_WITHIN or low > OVERHEAD_WITHIN:
        return "missed"
    return "kept" if high <= OVERHEAD_WITHIN else "undecided"


@dataclass(frozen=True)
class Pair:
    """A run of ours and one by trl alone, of the same rows in the same order."""

    ours: Run
    plain: Run

    def overhead(self, time_of: Time) -> float:
        """Return the median over the steps of ours / plain - 1, each step with itself."""
        steps = zip(getattr(self.ours, time_of), getattr(self.plain, time_of), strict=True)
        return statistics.median(mine / theirs - 1 for mine, theirs in steps)

    @property
    def losses_apart(self) -> float:
        """The largest difference of the losses of a step."""
        both = zip(self.ours.losses, self.plain.losses, strict=True)
        return max(abs(mine - theirs) for mine, theirs in both)


def measured(pairs: int, steps: int, own: Own) -> Iterator[Pair]:
    """Train in pairs, ours first in every other; one more before them warms up the process."""
    from train.run import _quiet_libraries

    train = {"steps": steps + WARM}
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), "builtin", general_chats(1500))
        prepared = bench.prepared(train)
        for number in range(-1, pairs):
            gc.collect()
            with _quiet_libraries():
                both = bench.abreast(train, prepared, ours_first=bool(number % 2))
            if number < 0:
                own.seconds = 0.0
            else:
                yield Pair(*both)


def overhead(pairs: int, steps: int) -> int:
    """Print the overhead of a step and the largest difference of losses.

    Returns:
        0 where the aim is kept, 1 where it is missed, 3 where the interval holds it.
    """
    own = Own()
    own.count()
    found = []
    for number, pair in enumerate(measured(pairs, steps, own), 1):
        found.append(pair)
        cpu, wall = pair.overhead("cpu"), pair.overhead("wall")
        print(f"pair {number}: {cpu:+.2%} CPU, {wall:+.2%} wall", flush=True)
    print(f"\n{pairs} pairs of {steps} steps of 32 rows (16 at once), LoRA r 16, one thread")
    print("| time | median overhead | interval of the median | ours, ms a step | plain |")
    print("|---|--:|--:|--:|--:|")
    for time_of in TIMES:
        print(row(time_of, found))
    mine = statistics.median(statistics.median(pair.ours.cpu) for pair in found)
    added = own.seconds / (pairs * (steps + WARM))
    print(f"in our own code: {added * 1e3:.2f} ms CPU a step, {added / mine:.2%} of it")
    apart = max(pair.losses_apart for pair in found)
    print(f"losses: largest difference {apart:.1e} (aim {LOSSES_WITHIN:.0e})")
    low, high, _ = order_interval([pair.overhead("cpu") for pair in found])
    said = verdict((low, high), apart)
    print(f"aim of at most {OVERHEAD_WITHIN:.0%} CPU time a step: {said}")
    return EXIT_CODES[said]


def row(time_of: Time, found: Sequence[Pair]) -> str:
    """Return the line of the table for CPU or wall time."""
    overheads = [pair.overhead(time_of) for pair in found]
    low, high, level = order_interval(overheads)
    seconds = [
        statistics.median(statistics.median(getattr(run, time_of)) for run in runs)
        for runs in ([pair.ours for pair in found], [pair.plain for pair in found])
    ]
    mine, theirs = (f"{one * 1e3:.1f}" for one in seconds)
    interval = f"{low:+.2%} to {high:+.2%} ({level:.1%})"
    return f"| {time_of} | {statistics.median(overheads):+.2%} | {interval} | {mine} | {theirs} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--ladder", action="store_true")
    parser.add_argument("--only", default="", help="models whose name begins so")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "LEVER"))
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if given.one:
        return one(*given.one, given.steps)
    if given.ladder:
        return ladder(given.steps, given.only)
    if given.pairs < 7:
        parser.error("at least 7 pairs: fewer give no interval of 95 %")
    if os.environ.get("MALLOC_ARENA_MAX") != "1":
        # Ours allocates in the main thread, the plain script in another: by glibc's arenas alone
        # two plain runs were 2 % apart. It is read when a process begins.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
        os.execve(sys.executable, [sys.executable, "-P", *sys.argv], environment)
    return overhead(given.pairs, given.steps)


if __name__ == "__main__":
    sys.exit(main())
