"""What welltempered adds to a step of trl, and what each lever of speed brings.

    python -P bench/train.py                      # overhead, on the built-in model, on the CPU
    python -P bench/train.py --pairs 9 --steps 40
    python -P bench/train.py --ladder             # one lever a row; with a GPU larger models too

`-P` keeps this directory off the import path, where this file would be taken for the package.

Overhead: a whole run of ours (plan, proof of every micro-batch, events, alarms) against a plain
script with trl's SFTTrainer and the same settings, in one process, in pairs whose order
alternates. The plain script gets the same rows as messages in the planned order, and tokenises and
masks them itself: equal losses say that both learn the same. Both log every step and write no
checkpoint. Measured is the time between the logs of two steps: CPU time of the process, which other
programs of the machine disturb less, and wall time. A pair's overhead is the median over its steps
of ours / plain - 1, each step with itself (its rows are the same). The interval of the median over
pairs is that of order statistics, which assumes nothing of the distribution. Beside it stands the
CPU time spent in the code that is ours, counted call by call, which a busy machine disturbs least.

Ladder: each row is a process of its own; its losses are compared with those of the first row.
Peak memory is torch's on a GPU and the whole process's on a CPU.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WARM = 4
"""Steps before the measured ones."""
LOSSES_WITHIN, OVERHEAD_WITHIN = 1e-5, 0.03
SETTINGS: dict[str, Any] = {
    "adapter": {"kind": "lora", "r": 16},
    "learning_rate": 2e-3,
    "warmup": 2,
    "batch_size": 32,
    "micro_batch_size": 16,
    "threads": 1,
    "checkpoint_every": 10_000,
}
FLASH = {"speed": {"attention": "flash"}}
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
SHAPES: dict[str, dict[str, Any]] = {
    "qwen-0.6b": {
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "llama-3b": {
        "model_type": "llama",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "llama-8b": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
}


@dataclass
class Clock:
    """Times from the log of a step to that of the next, the steps to warm up left out."""

    cpu: list[float] = field(default_factory=list)
    """Seconds of CPU."""
    wall: list[float] = field(default_factory=list)
    _last: tuple[float, float] = (0.0, 0.0)

    def step(self, number: int) -> None:
        """Say that a step was logged."""
        now = (time.process_time(), time.perf_counter())
        if number > WARM:
            self.cpu.append(now[0] - self._last[0])
            self.wall.append(now[1] - self._last[1])
        self._last = now


@dataclass(frozen=True)
class Run:
    """One training run."""

    losses: Sequence[float]
    cpu: Sequence[float]
    """Seconds of each measured step."""
    wall: Sequence[float]
    tokens_per_second: float
    """Padding not counted."""
    peak_bytes: int


class Bench:
    """A workspace with rows to learn."""

    def __init__(self, root: Path, model: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows as `curate` publishes them."""
        self.root, self.model = root, model
        directory = root / "datasets" / "bench" / "00000000"
        directory.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows)), directory / "train.parquet")
        digest = hashlib.sha256((directory / "train.parquet").read_bytes()).hexdigest()
        (directory / "ledger.json").write_text(json.dumps({"schema_version": 1, "digest": digest}))
        current = directory.parent / "current"
        if not current.is_symlink():
            current.symlink_to(directory.name)

    def _recipe(self, train: Mapping[str, Any]) -> Any:
        from evalsuite.models import ModelSection
        from train.recipe import TrainSection
        from workspace.recipe import load_recipe

        section = {name: one for name, one in {**SETTINGS, **train}.items() if one is not None}
        path = self.root / "temper.yaml"
        recipe = {"name": "bench", "model": {"path": self.model}, "train": section}
        path.write_text(json.dumps(recipe))
        return load_recipe(path, {"model": ModelSection, "train": TrainSection}, ())

    def prepared(self, train: Mapping[str, Any]) -> Any:
        """Return the plan."""
        from train.inputs import find_inputs

        recipe = self._recipe(train)
        return find_inputs(recipe, recipe.workspace).prepare()

    def ours(self, train: Mapping[str, Any]) -> Run:
        """Train as `temper train` does."""
        import torch

        from train.reporter import Silent
        from train.run import run_train
        from workspace.jobs import run_job

        recipe, losses, tokens = self._recipe(train), [], []
        clock = Clock()

        class Reporter(Silent):
            def planned(self, prepared: Any) -> None:
                schedule, lengths = prepared.schedule, prepared.rows.tokens
                batches = (schedule.batch(step) for step in range(WARM, schedule.steps))
                tokens.append(sum(int(lengths[batch].sum()) for batch in batches))

            def step(self, report: Any) -> None:
                losses.append(report.loss)
                clock.step(report.step)

        with run_job(recipe.workspace, "train", ["bench"]) as job:
            run_train(recipe, recipe.workspace, job, Reporter())
        return _run(torch, losses, clock, tokens[0])

    def plain(self, train: Mapping[str, Any], prepared: Any) -> Run:
        """Train with trl alone on the same rows in the same order."""
        import torch
        from datasets import Dataset, disable_progress_bars
        from peft import LoraConfig
        from transformers import (
            AutoModelForCausalLM,
            AutoTokenizer,
            PrinterCallback,
            TrainerCallback,
        )
        from trl import SFTConfig, SFTTrainer

        plan, losses = prepared.plan, []
        clock = Clock()

        class Report(TrainerCallback):  # type: ignore[misc]
            def on_log(self, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
                if "loss" in logs:
                    losses.append(float(logs["loss"]))
                    clock.step(state.global_step)

        torch.set_num_threads(1)
        disable_progress_bars()
        chats = [
            {"messages": prepared.rows[index].row.record["messages"]}
            for index in prepared.schedule.order.tolist()
        ]
        with tempfile.TemporaryDirectory() as output:
            trainer = SFTTrainer(
                model=AutoModelForCausalLM.from_pretrained(plan.model_path, dtype=torch.float32),
                args=SFTConfig(
                    output_dir=output,
                    assistant_only_loss=True,
                    max_length=None,
                    train_sampling_strategy="sequential",
                    per_device_train_batch_size=plan["micro_batch_size"],
                    gradient_accumulation_steps=plan.batch_size // plan["micro_batch_size"],
                    max_steps=plan.steps,
                    learning_rate=plan["learning_rate"],
                    lr_scheduler_type="cosine",
                    warmup_steps=plan["warmup_steps"],
                    weight_decay=0.0,
                    max_grad_norm=1.0,
                    seed=plan.seed,
                    use_cpu=True,
                    bf16=False,
                    gradient_checkpointing=False,
                    logging_steps=1,
                    save_strategy="no",
                    report_to="none",
                    disable_tqdm=True,
                ),
                train_dataset=Dataset.from_list(chats),
                processing_class=AutoTokenizer.from_pretrained(plan.model_path),
                peft_config=LoraConfig(
                    r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"
                ),
                callbacks=[Report()],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return _run(torch, losses, clock, 0)


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
            began = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.process_time() - began

        return timed


def _run(torch: Any, losses: Sequence[float], clock: Clock, tokens: int) -> Run:
    if torch.cuda.is_available():
        peak = int(torch.cuda.max_memory_allocated())
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Run(list(losses), clock.cpu, clock.wall, tokens / sum(clock.wall), peak)


def general_chats(count: int) -> list[dict[str, Any]]:
    """Return chats of the built-in model's abilities, of some 20 to 120 tokens."""
    from evalsuite.builtin.general import general_items

    rows = [
        {
            "id": str(number),
            "messages": [
                {"role": "user", "content": item.prompt},
                {"role": "assistant", "content": item.answer},
            ],
        }
        for number, item in enumerate(general_items(1, count))
    ]
    Random(0).shuffle(rows)
    return rows


def long_texts(count: int) -> list[dict[str, Any]]:
    """Return texts whose lengths are log-normal, as those of chats: median 400 tokens or so."""
    rng = Random(0)
    words = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "plan"]
    texts = []
    for number in range(count):
        length = min(1500, max(20, round(rng.lognormvariate(5.5, 0.8))))
        texts.append({"id": str(number), "text": " ".join(rng.choices(words, k=length))})
    return texts


def order_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return an interval of the median between two order statistics, and its true coverage.

    From the k-th smallest to the k-th largest of n covers 1 - 2 P(Binomial(n, 1/2) < k).
    """
    ordered, n = sorted(values), len(values)

    def coverage(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, j) for j in range(k)) / 2**n

    k = max((k for k in range(1, n // 2 + 1) if coverage(k) >= level), default=1)
    return ordered[k - 1], ordered[n - k], coverage(k)


def overhead(pairs: int, steps: int) -> int:
    """Print the overhead of a step and the largest difference of losses; 1 if beyond the aim."""
    from train.run import _quiet_libraries

    train = {"steps": steps + WARM}
    own = Own()
    own.count()
    ratios: dict[str, list[float]] = {"cpu": [], "wall": []}
    runs: list[tuple[Run, Run]] = []
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), "builtin", general_chats(1500))
        prepared = bench.prepared(train)
        for pair in range(-1, pairs):  # the first is to warm up the process
            made: dict[str, Run] = {}
            for name in ("ours", "plain") if pair % 2 else ("plain", "ours"):
                gc.collect()
                with _quiet_libraries():
                    is_ours = name == "ours"
                    made[name] = bench.ours(train) if is_ours else bench.plain(train, prepared)
            ours, plain = made["ours"], made["plain"]
            if pair < 0:
                own.seconds = 0.0
                continue
            runs.append((ours, plain))
            for name, values in ratios.items():
                steps_of = zip(getattr(ours, name), getattr(plain, name), strict=True)
                values.append(statistics.median(a / b - 1 for a, b in steps_of))
            print(
                f"pair {pair + 1}: {ratios['cpu'][-1]:+.2%} CPU, {ratios['wall'][-1]:+.2%} wall",
                flush=True,
            )
    apart = max(
        abs(a - b) for ours, plain in runs for a, b in zip(ours.losses, plain.losses, strict=True)
    )
    print(f"\n{pairs} pairs of {steps} steps of 32 rows (16 at once), LoRA r 16, one thread")
    print("| time | median overhead | interval of the median | ours, ms a step | plain |")
    print("|---|--:|--:|--:|--:|")
    for name, values in ratios.items():
        low, high, level = order_interval(values)
        mine, theirs = (
            statistics.median(statistics.median(getattr(pair[side], name)) for pair in runs) * 1e3
            for side in (0, 1)
        )
        found = f"{statistics.median(values):+.2%} | {low:+.2%} to {high:+.2%} ({level:.1%})"
        print(f"| {name} | {found} | {mine:.1f} | {theirs:.1f} |")
    mine = statistics.median(statistics.median(ours.cpu) for ours, _ in runs)
    added = own.seconds / (pairs * (steps + WARM))
    print(f"in our own code: {added * 1e3:.2f} ms CPU a step, {added / mine:.2%} of it")
    print(f"losses: largest difference {apart:.1e} (aim {LOSSES_WITHIN:.0e})")
    within = statistics.median(ratios["cpu"]) <= OVERHEAD_WITHIN and apart <= LOSSES_WITHIN
    print(f"aim of {OVERHEAD_WITHIN:.0%} CPU time a step: {'kept' if within else 'missed'}")
    return 0 if within else 1


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
    command = [sys.executable, "-P", __file__, "--one", model, name, "--steps", str(steps)]
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


def random_model(path: Path, shape: Mapping[str, Any]) -> Path:
    """Write a model of random weights with the built-in model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    import evalsuite.builtin

    builtin = Path(str(evalsuite.builtin.__file__)).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(builtin)
    kind = dict(shape)
    config = AutoConfig.for_model(
        kind.pop("model_type"),
        vocab_size=128_256,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **kind,
    )
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        made = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


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
    return overhead(given.pairs, given.steps)


if __name__ == "__main__":
    sys.exit(main())
