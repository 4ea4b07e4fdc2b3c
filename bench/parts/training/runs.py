"""One training run, ours or by trl alone, with its losses, times and peak memory."""

from __future__ import annotations

import hashlib
import json
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WARM = 4
"""Steps before the measured ones."""
SETTINGS: dict[str, Any] = {
    "adapter": {"kind": "lora", "r": 16},
    "learning_rate": 2e-3,
    "warmup": 2,
    "batch_size": 32,
    "micro_batch_size": 16,
    "threads": 1,
    "checkpoint_every": 10_000,
}


@dataclass
class Clock:
    """Times from the log of a step to that of the next, the steps to warm up left out."""

    cpu: list[float] = field(default_factory=list)
    """Seconds of CPU."""
    wall: list[float] = field(default_factory=list)
    pause: Callable[[], None] = lambda: None
    """What is done between two steps; its time is not counted."""
    _last: tuple[float, float] = (0.0, 0.0)

    def step(self, number: int) -> None:
        """Say that a step was logged."""
        now = (time.process_time(), time.perf_counter())
        if number > WARM:
            self.cpu.append(now[0] - self._last[0])
            self.wall.append(now[1] - self._last[1])
        self.pause()
        self._last = (time.process_time(), time.perf_counter())


class Baton:
    """Two runs that train in turns of a step, so that what else the machine does meets both."""

    def __init__(self, first: str, second: str) -> None:
        """The first begins."""
        self._other = {first: second, second: first}
        self._holder, self._left = first, set[str]()
        self._changed = threading.Condition()

    def take(self, name: str) -> None:
        """Wait for the turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._holder == name)

    def hand_over(self, name: str) -> None:
        """Give the turn to the other, unless it has ended, and wait for it to come back."""
        with self._changed:
            if self._other[name] not in self._left:
                self._holder = self._other[name]
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._holder == name)

    def leave(self, name: str) -> None:
        """Say that a run ended."""
        with self._changed:
            self._left.add(name)
            self._holder = self._other[name]
            self._changed.notify_all()


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

    def abreast(self, train: Mapping[str, Any], prepared: Any, *, ours_first: bool) -> list[Run]:
        """Train as `temper train` does and with trl alone, a step of each in turn.

        Ours is in the main thread, which handles signals.
        """
        names = ("ours", "plain") if ours_first else ("plain", "ours")
        baton = Baton(*names)

        def in_turns(name: str, run: Callable[[Clock], Run]) -> Run:
            baton.take(name)
            try:
                return run(Clock(pause=lambda: baton.hand_over(name)))
            finally:
                baton.leave(name)

        with ThreadPoolExecutor(1) as pool:
            plain = pool.submit(in_turns, "plain", lambda clock: self.plain(train, prepared, clock))
            ours = in_turns("ours", lambda clock: self.ours(train, clock))
            return [ours, plain.result()]

    def ours(self, train: Mapping[str, Any], clock: Clock | None = None) -> Run:
        """Train as `temper train` does."""
        import torch

        from train.reporter import Silent
        from train.run import run_train
        from workspace.jobs import run_job

        recipe, losses, tokens = self._recipe(train), [], []
        clock = clock or Clock()

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

    def plain(self, train: Mapping[str, Any], prepared: Any, clock: Clock) -> Run:
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
        from trl import SFTTrainer

        plan, losses = prepared.plan, []

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
                args=_plain_arguments(plan, output),
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


def _plain_arguments(plan: Any, output: str) -> Any:
    """Return the settings of the plan as a plain script says them to trl."""
    from trl import SFTConfig

    return SFTConfig(
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
    )


def _run(torch: Any, losses: Sequence[float], clock: Clock, tokens: int) -> Run:
    if torch.cuda.is_available():
        peak = int(torch.cuda.max_memory_allocated())
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Run(list(losses), clock.cpu, clock.wall, tokens / sum(clock.wall), peak)
