"""Near-duplicate removal, ours beside named peers: time, memory, precision and recall in one run.

    python bench/dedupe.py [--rows 100000] [--large 1000000] [--peers PYTHON]
        [--text-dedup PYTHON] [--datatrove PYTHON] [--only NAME…] [--out bench/results/dedupe.md]

Makes a corpus of instruction records with planted classes and their truth, then runs each
contestant in a process of its own, from a JSONL file to a JSONL file of the rows kept. PYTHON is an
interpreter that has the peers (pip install gaoya rensa datasketch orjson); text-dedup (Python 3.12)
and datatrove[processing] want one of their own, with orjson. One that is missing is said to be. All
take turns, --repeats times over, and the median of each figure is shown: a machine that grows
slower meanwhile grows slower for all. --large adds a run of ours alone on more rows.

To be removed are exact copies, copies in another case and punctuation, and copies with 5, 10 and
20 % of their words edited. To be kept are rows of one boilerplate, rows that differ in a number,
and unrelated rows. Of a group of copies one stays: removing the last one too counts as false.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dedupe_peers import APART, FRAME, PEERS

WORDS = 30_000
LENGTH = (70, 160)
COPIES = {"exact": 0.0, "case": 0.0, "edit5": 0.05, "edit10": 0.10, "edit20": 0.20}


def vocabulary(rng: random.Random) -> tuple[list[str], list[float]]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 11))) for _ in range(WORDS)]
    return words, list(itertools.accumulate(1 / (rank + 10) for rank in range(WORDS)))


def corpus(rows: int, seed: int = 1) -> Iterator[tuple[list[str], str, int]]:
    """Yield words, class and group of each row; a group of copies has one number."""
    rng = random.Random(seed)
    words, weights = vocabulary(rng)

    def draw(count: int) -> list[str]:
        return rng.choices(words, cum_weights=weights, k=count)

    made: list[tuple[list[str], str, int]] = []
    group = itertools.count()
    for _ in range(int(rows * 0.70)):
        made.append((draw(rng.randint(*LENGTH)), "unrelated", next(group)))
    originals = made[:]
    for _ in range(int(rows * 0.04)):
        body = draw(50)
        for _ in range(2):
            made.append((body + draw(60), "boilerplate", next(group)))
    for _ in range(int(rows * 0.01)):
        body = draw(rng.randint(*LENGTH))
        for _ in range(2):
            places = rng.sample(range(len(body)), 3)
            slots = [
                str(rng.randint(100, 99_999)) if n in places else w for n, w in enumerate(body)
            ]
            made.append((slots, "number", next(group)))
    while len(made) < rows:
        kind = rng.choice(list(COPIES))
        source, _, origin = rng.choice(originals)
        copy = [rng.choices(words, cum_weights=weights)[0] if rng.random() < COPIES[kind] else word
                for word in source]  # fmt: skip
        made.append((copy, kind, origin))
    rng.shuffle(made)
    yield from made


def record(words: Sequence[str], kind: str, rng: random.Random) -> dict[str, str]:
    cut = len(words) // 3
    asked, said = " ".join(words[:cut]), " ".join(words[cut:])
    if kind == "case":
        said = said.title().replace(" ", ", ", 3)
        asked = asked.upper() if rng.random() < 0.5 else asked
    return {"instruction": f"{asked.capitalize()}?", "input": "", "output": f"{said}."}


def write_corpus(path: Path, rows: int) -> list[tuple[str, int]]:
    rng = random.Random(7)
    truth = []
    with path.open("w", encoding="utf-8") as file:
        for number, (words, kind, group) in enumerate(corpus(rows)):
            row = {"id": str(number), **record(words, kind, rng)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            truth.append((kind, group))
    return truth


@dataclass(frozen=True)
class Score:
    precision: float
    recall: float
    by_class: dict[str, float]


def score(truth: list[tuple[str, int]], kept: set[int]) -> Score:
    """Compare the rows removed with the groups of copies, of which all but one should go."""
    groups = defaultdict(list)
    for row, (_, group) in enumerate(truth):
        groups[group].append(row)
    wanted = right = removed = 0
    for rows in groups.values():
        gone = sum(row not in kept for row in rows)
        wanted += len(rows) - 1
        right += min(gone, len(rows) - 1)
        removed += gone
    found = defaultdict(list)
    for rows in groups.values():
        kinds = [truth[row][0] for row in rows if truth[row][0] in COPIES]
        if len(rows) == 2 and kinds:
            found[kinds[0]].append(any(row not in kept for row in rows))
    shares = {kind: sum(found[kind]) / max(len(found[kind]), 1) for kind in COPIES}
    return Score(right / max(removed, 1), right / max(wanted, 1), shares)


@dataclass(frozen=True)
class Figures:
    name: str
    cpu: float
    wall: float
    peak_mib: float
    score: Score


def run(command: Sequence[str]) -> tuple[float, float, float]:
    """Return CPU seconds, wall seconds and peak memory in MiB of a process."""
    probe = (
        "import resource, subprocess, sys, time\n"
        "begun = time.monotonic()\n"
        "code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "cpu = used.ru_utime + used.ru_stime\n"
        "print(code, cpu, time.monotonic() - begun, used.ru_maxrss / 1024)"
    )
    # As an installation has it: modules compiled once, not at every start.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    probing = [sys.executable, "-c", probe, *command]
    done = subprocess.run(probing, env=environment, capture_output=True, text=True, check=True)
    code, cpu, wall, peak = done.stdout.split()
    if code != "0":
        raise RuntimeError(done.stderr[-2000:])
    return float(cpu), float(wall), float(peak)


def kept_rows(path: Path) -> set[int]:
    with path.open("rb") as file:
        return {int(identifier(json.loads(line))) for line in file}


def identifier(row: dict[str, object]) -> str:
    meta = row.get("meta")
    return str(meta["user_id"] if isinstance(meta, dict) else row["id"])


def commands(source: Path, target: Path, options: argparse.Namespace) -> dict[str, list[str]]:
    ours = ["curate", "dedupe", str(source), "-o", str(target), "--force"]
    ours += ["--threshold", f"{options.threshold}", "--circuit-breaker", "100%"]
    out = {"welltempered": [sys.executable, "-m", "tui", *ours]}
    for name, body in PEERS.items():
        if name in APART and not getattr(options, name):
            continue
        python = getattr(options, name) if name in APART else options.peers
        if installed(python, name):
            code = FRAME.replace("{body}", body)
            out[name] = [python, "-c", code, str(source), str(target)]
        else:
            print(f"{name}: not installed in {python}", file=sys.stderr)
    return {name: found for name, found in out.items() if name in (options.only or out)}


def installed(python: str, name: str) -> bool:
    return not subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode


def measure(options: argparse.Namespace, rows: int, work: Path) -> list[Figures]:
    """Run all contestants in turn, so many times over; return the median of each figure.

    Each runs once before on a few rows, untimed: its modules are then compiled and read.
    """
    few = work / "few.jsonl"
    write_corpus(few, 1_000)
    for command in commands(few, work / "few-kept.jsonl", options).values():
        run(command)
    source, target = work / f"rows-{rows}.jsonl", work / "kept.jsonl"
    truth = write_corpus(source, rows)
    found = commands(source, target, options)
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in found}
    scores: dict[str, Score] = {}
    for turn in range(options.repeats):
        for name, command in found.items():
            runs[name].append(run(command))
            if turn == 0:
                scores[name] = score(truth, kept_rows(target))
            cpu, wall, peak = runs[name][-1]
            print(f"{name}: {cpu:.1f} CPU s, {wall:.1f} s, {peak:,.0f} MiB", file=sys.stderr)
    out = []
    for name in found:
        cpu, wall, peak = (median(column) for column in zip(*runs[name], strict=True))
        out.append(Figures(name, cpu, wall, peak, scores[name]))
    return out


def line(one: Figures, ours: Figures) -> str:
    shares = " ".join(f"{kind} {share:.3f}" for kind, share in one.score.by_class.items())
    return (
        f"| {one.name} | {one.cpu:.1f} | {one.wall:.1f} | {one.peak_mib:,.0f} "
        f"| {one.score.precision:.3f} | {one.score.recall:.3f} "
        f"| {one.cpu / ours.cpu:.2f} | {one.wall / ours.wall:.2f} | {shares} |"
    )


def table(found: list[Figures]) -> str:
    rows = [
        "| | CPU s | wall s | peak MiB | precision | recall | CPU ratio | wall ratio "
        "| recall by class (pairs) |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    return "\n".join([*rows, *(line(one, found[0]) for one in found)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=0, help="Rows of a further run, ours alone.")
    parser.add_argument("--threshold", type=float, default=0.75, help="Of ours.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="Interpreter with the peers.")
    for name in APART:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, metavar="PYTHON", help=f"Interpreter with {name}.")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        text = f"{options.rows:,} rows\n\n{table(measure(options, options.rows, Path(work)))}"
        if options.large:
            options.only, options.repeats = ["welltempered"], 1
            large = table(measure(options, options.large, Path(work)))
            text += f"\n\n{options.large:,} rows, one run\n\n{large}"
    print(text)
    if options.out:
        machine = (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        head = (
            "# Near-duplicate removal, from file to file\n\n"
            f"    python bench/dedupe.py --rows {options.rows} --large {options.large} "
            f"--threshold {options.threshold} --peers PYTHON\n\n{machine}; medians of runs in "
            f"turn; ratios are to welltempered. {time.monotonic() - begun:.0f} s in all.\n\n"
        )
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(f"{head}{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
