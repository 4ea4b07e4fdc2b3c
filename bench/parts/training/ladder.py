"""One lever of speed a row, each in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.rows import general_chats, long_texts
from training.runs import WARM, Bench, Run
from training.shapes import SHAPES, random_model

_SCRIPT = Path(__file__).parents[2] / "train.py"
LADDER: dict[str, dict[str, Any]] = {
    "as auto chooses": {},
    "no lever": {"packing": "off", "padding_free": "off", "speed": {"attention": "sdpa"}},
    "AdamW not fused": {"speed": {"fused": "off"}},
    "packed": {"packing": "bfd", "speed": {"attention": "sdpa"}, "micro_batch_size": None},
    "padding-free": {"padding_free": "on", "speed": {"attention": "sdpa"}},
    "checkpointing full": {"speed": {"checkpointing": "full"}},
    "checkpointing selective": {"speed": {"checkpointing": "selective"}},
    "compiled": {"speed": {"compile": "on"}},
    "flash attention": {"packing": "off", "padding_free": "off", "speed": {"attention": "flash"}},
    "flash, padding-free": {
        "packing": "off",
        "padding_free": "on",
        "speed": {"attention": "flash"},
    },
    "flash, packed": {"packing": "bfd", "speed": {"attention": "flash"}, "micro_batch_size": None},
    "offload": {"speed": {"offload": "on", "checkpointing": "full"}},
    "hub kernels": {"speed": {"kernels": "on"}},
    "full": {"adapter": {"kind": "full"}, "learning_rate": 2e-4},
    "full, 8-bit AdamW": {"adapter": {"kind": "full"}, "optimizer": "adamw_8bit"},
    "qlora": {"adapter": {"kind": "qlora", "r": 16}},
}


def ladder(steps: int, only: str) -> int:
    """Print one lever a row, on the built-in model and, with a GPU, on larger shapes."""
    from workspace.gpus import list_gpus

    gpus = list_gpus()
    models = ["builtin", *(SHAPES if gpus else ())]
    if not gpus:
        print(f"no NVIDIA GPU was found: not run are {', '.join(SHAPES)} (random weights)\n")
    for model in models:
        if not model.startswith(only):
            continue
        print(f"{model}, {gpus[0].name if gpus else 'CPU, one thread'}, {steps} steps\n")
        print("| lever | tokens/s | CPU ms a step | wall ms a step | peak MiB | losses differ by |")
        print("|---|--:|--:|--:|--:|--:|")
        first: Sequence[float] | None = None
        for name in LADDER:
            found = _row(model, name, steps)
            if isinstance(found, str):
                print(f"| {name} | not run: {found} | | | | |", flush=True)
                continue
            first = first or found.losses
            apart = max(abs(a - b) for a, b in zip(found.losses, first, strict=True))
            cpu, wall = (f"{statistics.median(one) * 1e3:.0f}" for one in (found.cpu, found.wall))
            speed, peak = f"{found.tokens_per_second:,.0f}", f"{found.peak_bytes / 2**20:,.0f}"
            print(f"| {name} | {speed} | {cpu} | {wall} | {peak} | {apart:.1e} |", flush=True)
        print()
    return 0


def _row(model: str, name: str, steps: int) -> Run | str:
    command = [sys.executable, "-P", str(_SCRIPT), "--one", model, name, "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Run(**json.loads(done.stdout.strip().splitlines()[-1]))
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1][:160]


def one(model: str, name: str, steps: int) -> int:
    """Run one row of the ladder and print it as JSON."""
    from train.run import _quiet_libraries
    from workspace.errors import TemperError

    train = {**LADDER[name], "steps": steps + WARM}
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        if model == "builtin":
            bench = Bench(root, "builtin", general_chats(1500))
        else:
            bench = Bench(root, str(random_model(root / "model", SHAPES[model])), long_texts(2000))
            train = {"micro_batch_size": 4, "max_length": 4096, "threads": None, **train}
        try:
            with _quiet_libraries():
                run = bench.ours(train)
        except TemperError as error:
            print(f"{error.title}: {error.cause}".replace("\n", " "), file=sys.stderr)
            return 2
    print(json.dumps(asdict(run)))
    return 0
