"""What a curation takes, measured: the constants of the plan, and predicted beside real.

    python bench/curate_plan.py [--rows 20000 100000] [--no-fit] [--repeats 1]

First two corpora, one of short rows and one of long ones, are curated in processes of their own;
what a row and a megabyte cost at each stage is solved from both and printed as it stands in
`curate/planning/plan.py`. Then a corpus of each of --rows is planned and curated, and what was
predicted is printed beside what was taken: seconds of each stage, peak memory, disk. Tokens are
counted in the two small corpora only. Seconds are those of the machine as busy as it is, of each
stage the least of --repeats; the seconds of CPU beside them hardly change with others' work.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

WORDS = 30_000
SHORT, LONG = (20_000, 12), (8_000, 300)
"""Rows, and words of each, of the corpora that the constants are solved from."""
STEPS = ["exact_duplicates", "near_duplicates", "contradictions", "empty_answers"]
COMPARING = ("exact duplicates", "near duplicates", "comparing", "rows alike", "words", "equal")


def write_corpus(path: Path, rows: int, words: int) -> None:
    rng = random.Random(rows)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(rng.choices(letters, k=rng.randint(3, 11))) for _ in range(WORDS)]
    weights = np.cumsum([1 / (rank + 10) for rank in range(WORDS)]).tolist()
    made: list[list[str]] = []
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            again = made and rng.random() < 0.15
            size = rng.randint(words // 2, words * 3 // 2)
            text = rng.choice(made) if again else rng.choices(known, cum_weights=weights, k=size)
            made.append(text)
            cut = len(text) // 3
            row = {"prompt": " ".join(text[:cut]) + "?", "completion": " ".join(text[cut:])}
            file.write(json.dumps(row) + "\n")


def section() -> dict[str, Any]:
    split = {"validation": 0.02, "test": 0.02}
    steps = [*STEPS, {"filter": {"length": {"min_words": 2}}}]
    return {"sources": ["rows.jsonl"], "steps": steps, "split": split, "circuit_breaker": 1}


def child(root: Path, model: str) -> None:
    """Curate in this process; print the seconds of each stage, memory and disk as JSON."""
    from curate.curating import run_curate
    from curate.pipeline import Reporter
    from curate.recipe import CurateSection
    from evalsuite.models import ModelSection
    from workspace.layout import Workspace
    from workspace.recipe import load_recipe

    seconds: Counter[str] = Counter()
    worked: Counter[str] = Counter()
    state: dict[str, Any] = {
        "stage": "begin", "at": time.monotonic(), "cpu": time.process_time(), "disk": 0
    }  # fmt: skip

    def tell(text: str) -> None:
        now, cpu = time.monotonic(), time.process_time()
        seconds[state["stage"]] += now - state["at"]
        worked[state["stage"]] += cpu - state["cpu"]
        state.update(stage=stage_of(text), at=now, cpu=cpu)
        if text == "writing":
            state["disk"] = used(root)

    whole: dict[str, Any] = {"name": "made", "curate": section()}
    if model:
        whole["model"] = {"path": model}
    (root / "temper.yaml").write_text(json.dumps(whole))
    sections = {"curate": CurateSection, "model": ModelSection}
    run_curate(load_recipe(root / "temper.yaml", sections), Workspace(root), Reporter(tell))
    tell("end")
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": worked,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "disk": state["disk"] + used(root / "datasets" / "made"),
            }
        )
    )


def stage_of(text: str) -> str:
    if text in ("reading", "counting tokens", "splitting", "writing", "end"):
        return text
    return "comparing rows" if text.startswith(COMPARING) else "steps"


def used(root: Path) -> int:
    """Bytes below a directory, a file with two names once, without the source."""
    sizes = {}
    for path in root.rglob("*"):
        if path.is_file() and path.name != "rows.jsonl":
            facts = path.stat()
            sizes[facts.st_ino] = facts.st_size
    return sum(sizes.values())


def measure(rows: int, words: int, model: str, repeats: int) -> tuple[dict[str, Any], float]:
    """Return what a corpus took, each stage where it took least, and its megabytes."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            write_corpus(root / "rows.jsonl", rows, words)
            size = (root / "rows.jsonl").stat().st_size / 1e6
            command = [sys.executable, __file__, "--child", name, "--model", model]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    least = {
        kind: {stage: min(one[kind].get(stage, 0.0) for one in found) for stage in found[0][kind]}
        for kind in ("seconds", "cpu")
    }
    return {**found[-1], **least}, size


def fit(model: str, repeats: int) -> None:
    found, sizes = [], []
    for rows, words in (SHORT, LONG):
        one, size = measure(rows, words, model, repeats)
        found.append(one)
        sizes.append((rows, size))
    matrix = np.array(sizes)
    print("| stage | seconds per row | per megabyte | of CPU per row | per megabyte |")
    print("|---|---:|---:|---:|---:|")
    for stage in ("reading", "counting tokens", "comparing rows", "steps", "splitting", "writing"):
        solutions = []
        for kind in ("seconds", "cpu"):
            times = np.array([one[kind].get(stage, 0.0) for one in found])
            if stage == "steps":
                times /= 3  # what is not comparison: contradictions, empty answers, filter
            solutions.append("{:.2e} | {:.3f}".format(*solved(matrix, times)))
        print(f"| {stage} | {' | '.join(solutions)} |")
    disk = solved(matrix, np.array([one["disk"] for one in found], float))
    print(f"disk: {disk[0]:.0f} bytes a row, {disk[1]:.2e} a megabyte")


def solved(matrix: Any, values: Any) -> tuple[float, float]:
    scale = matrix.max(axis=0)
    row, megabyte = nnls(matrix / scale, values)[0] / scale
    return float(row), float(megabyte)


def compare(rows: int, repeats: int) -> tuple[float, float]:
    """Print predicted beside real for rows of about 115 words; return megabytes and peak memory."""
    from curate.planning.plan import plan_curation
    from curate.recipe import CurateSection

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_corpus(root / "rows.jsonl", rows, 115)
        wanted = CurateSection.model_validate(section())
        plan = plan_curation(wanted, root, root, counts_tokens=False)
    real, size = measure(rows, 115, "", repeats)
    print(f"\n| {rows:,} rows | predicted | real | of CPU |\n|---|---:|---:|---:|")
    print(f"| rows | {plan.expected.rows:,} | {rows:,} | |")
    for stage in plan.stages:
        took, cpu = (real[kind].get(stage.name, 0.0) for kind in ("seconds", "cpu"))
        print(f"| {stage.name}, s | {stage.seconds:.1f} | {took:.1f} | {cpu:.1f} |")
    took, cpu = (
        sum(real[kind].values()) - real[kind].get("begin", 0.0) for kind in ("seconds", "cpu")
    )
    print(f"| all, s | {plan.seconds:.1f} | {took:.1f} | {cpu:.1f} |")
    print(f"| memory, GB | {plan.peak_memory_bytes / 1e9:.2f} | {real['memory'] / 1e9:.2f} | |")
    print(f"| disk, GB | {plan.disk_bytes / 1e9:.2f} | {real['disk'] / 1e9:.2f} | |", flush=True)
    return size, real["memory"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[20_000, 100_000])
    parser.add_argument("--no-fit", action="store_true")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.model)
        return
    if not options.no_fit:
        fit(options.model, options.repeats)
    sizes = [compare(rows, options.repeats) for rows in options.rows]
    if len(sizes) > 1:  # small corpora say nothing of it: blocks of rows take the most there
        slope = (sizes[-1][1] - sizes[0][1]) / (sizes[-1][0] - sizes[0][0])
        fixed = sizes[0][1] - slope * sizes[0][0]
        print(f"memory: {fixed / 1e6:.0f} MB and {slope / 1e6:.2f} MB a megabyte")


if __name__ == "__main__":
    main()
