"""What each part of `train.tempering` keeps and costs, on the demo's task.

    python -P bench/tempering.py DIR                     # every way, one after the other
    python -P bench/tempering.py DIR --ways naive all    # some of them
    python -P bench/tempering.py DIR --ways "gentle, longer" --seeds 0 1 2
    python -P bench/tempering.py DIR --tables            # what is there already

`-P` keeps this directory off the import path. DIR becomes the demo's workspace, if it is not one
yet: the built-in model, support tickets to triage as JSON, all weights trained at 1e-3, which
forgets. Most ways have that rate, and see the same number of rows of the task: with replay there
are more steps. They differ in the tempering block alone. `naive, longer` says what gain can be
reached when nothing is kept; `gentle` is replay at a third of the rate: the demo's own tempered run
(220 steps) and, `gentle, longer`, 280 steps of the same.

The probe reads PROBED items of each task. Scores in the table are of the other items of the same
suites, so that no step was chosen by the items that it is measured on. What is kept of an ability
is its score divided by the base's; the worst of all is what counts. Finished runs and evaluations
are taken as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tui.demo import write_workspace
from workspace.events import read_events
from workspace.layout import Workspace

TASK_ROWS, BATCH, SHARE = 1920, 32, 0.6
PROBED = 100
SUITES = ["builtin:triage", "builtin:retention"]
REPLAY = {"dataset": "general", "share": SHARE}
KL = {"weight": 1.0, "on": "replay"}
PROBE = {"suites": SUITES, "every": 15, "items": PROBED, "margin": 0.1}


@dataclass(frozen=True)
class Way:
    """How one run is trained."""

    tempering: dict[str, Any] = field(default_factory=dict)
    rate: float = 1e-3
    steps: int | None = None
    """None: as many as show TASK_ROWS rows of the task."""

    @property
    def all_steps(self) -> int:
        share = self.tempering.get("replay", {}).get("share", 0.0)
        return self.steps or round(TASK_ROWS / BATCH / (1 - share))


WAYS: dict[str, Way] = {
    "naive": Way(),
    "naive, longer": Way(steps=150),
    "gentle": Way({"replay": REPLAY}, rate=3.5e-4, steps=220),
    "gentle, longer": Way({"replay": REPLAY}, rate=3.5e-4, steps=280),
    "replay": Way({"replay": REPLAY}),
    "more replay": Way({"replay": {**REPLAY, "share": 0.75}}),
    "replay+kl": Way({"replay": REPLAY, "kl": KL}),
    "replay+probe": Way({"replay": REPLAY, "probe": PROBE}),
    "all": Way({"replay": REPLAY, "kl": KL, "layer_rates": {"decay": 0.9}, "probe": PROBE}),
}


def main() -> None:
    """Run what is not there yet, and print the tables."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("directory", type=Path)
    options.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    options.add_argument("--seeds", nargs="+", type=int, default=[0])
    options.add_argument("--tables", action="store_true", help="only show what is there")
    asked = options.parse_args()
    root = asked.directory.resolve()
    if not asked.tables:
        if not (root / "temper.yaml").is_file():
            write_workspace(root)
            temper(root, "curate", "general.yaml")
            temper(root, "curate")
        for way in asked.ways:
            for seed in asked.seeds:
                run_way(root, way, seed)
    print(table(root, [(way, seed) for way in asked.ways for seed in asked.seeds]))


def temper(root: Path, *arguments: str, allowed: tuple[int, ...] = (0,)) -> None:
    """Run a command as a person would type it."""
    done = subprocess.run([sys.executable, "-P", "-m", "tui", *arguments], cwd=root, check=False)
    if done.returncode not in allowed:
        sys.exit(f"temper {' '.join(arguments)}: exit code {done.returncode}")


def name_of(way: str, seed: int) -> str:
    """Return what a way's run is called."""
    words = way.replace("+", "-and-").replace(",", "").replace(" ", "-")
    return f"way-{words}" + (f"-seed-{seed}" if seed else "")


def run_of(root: Path, way: str, seed: int) -> Path | None:
    """Return the finished run of a way."""
    found = sorted(root.glob(f"runs/*-{name_of(way, seed)}-????/model"))
    return found[-1].parent if found else None


def run_way(root: Path, way: str, seed: int) -> None:
    """Train and evaluate one way."""
    asked = WAYS[way]
    if run_of(root, way, seed) is None:
        settings = {
            "train.learning_rate": asked.rate,
            "train.steps": asked.all_steps,
            "train.tempering": asked.tempering,
            "train.seed": seed,
        }
        sets = [
            part
            for key, value in settings.items()
            for part in ("--set", f"{key}={json.dumps(value)}")
        ]
        temper(root, "train", "--name", name_of(way, seed), *sets)
    run = run_of(root, way, seed)
    assert run is not None
    if samples_of(root, run) is None:
        temper(root, "eval", run.name)


def samples_of(root: Path, run: Path) -> Path | None:
    """Return the answers of the newest evaluation of a run."""
    for path in sorted(root.glob("evals/*/results.json"), reverse=True):
        if run.name in path.read_text():
            return path.with_name("samples.parquet")
    return None


def scores(samples: Path) -> dict[str, tuple[float, float, int]]:
    """Return base score, tuned score and number of items of each ability, unprobed items only."""
    rows = pq.read_table(samples, columns=["task", "item_id", "model", "score"]).to_pylist()
    found = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        base = {
            r["item_id"]: r["score"] for r in rows if r["task"] == task and r["model"] == "base"
        }
        tuned = {
            r["item_id"]: r["score"] for r in rows if r["task"] == task and r["model"] != "base"
        }
        ids = list(base)
        probed = {ids[place * len(ids) // PROBED] for place in range(PROBED)}
        left = [one for one in ids if one not in probed]
        mean = [sum(side[one] for one in left) / len(left) for side in (base, tuned)]
        found[task] = (mean[0], mean[1], len(left))
    return found


def facts(root: Path, run: Path) -> tuple[int, float, float]:
    """Return the published step, the minutes of training, and those of them spent probing."""
    record = json.loads((run / "run.json").read_text())
    events, _ = read_events(Workspace(root).jobs / record["job"] / "events.jsonl")
    times = [one["time"] for one in events]
    probing = sum(one.get("seconds", 0.0) for one in events if one["kind"] == "probe")
    step = (record.get("published") or {}).get("step", record["steps"])
    return step, (times[-1] - times[0]) / 60, probing / 60


def table(root: Path, asked: list[tuple[str, int]]) -> str:
    """Return the table of what is there, as Markdown."""
    lines = [
        f"{time.strftime('%Y-%m-%d')}; items of each ability: see n",
        "",
        "| way | published step | triage | worst kept | which | abilities below 0.9 | n | minutes "
        "| of them probing |",
        "|---|--:|--:|--:|---|--:|--:|--:|--:|",
    ]
    details: dict[str, dict[str, tuple[float, float, int]]] = {}
    for way, seed in asked:
        run = run_of(root, way, seed)
        samples = samples_of(root, run) if run else None
        if run is None or samples is None:
            continue
        shown = f"{way}, seed {seed}" if seed else way
        found = details[shown] = scores(samples)
        kept = {task: tuned / base for task, (base, tuned, _) in found.items() if task != "triage"}
        worst = min(kept, key=lambda task: kept[task])
        step, minutes, probing = facts(root, run)
        below = sum(one < 0.9 for one in kept.values())
        least = min(count for _, _, count in found.values())
        lines.append(
            f"| {shown} | {step} | {found['triage'][1]:.3f} | {kept[worst]:.3f} | {worst} "
            f"| {below} "
            f"| {least} | {minutes:.1f} | {probing:.1f} |"
        )
    lines += [
        "",
        f"| ability | base | {' | '.join(details)} |",
        "|---|--:|" + "--:|" * len(details),
    ]
    for task in next(iter(details.values()), {}):
        base = next(iter(details.values()))[task][0]
        own = " | ".join(f"{found[task][1]:.3f}" for found in details.values())
        lines.append(f"| {task} | {base:.3f} | {own} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
