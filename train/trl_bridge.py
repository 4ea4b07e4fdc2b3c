"""The only module that imports trl: the plan's rows and order, handed to its SFTTrainer.

trl is used as it is: subclassed where it offers a method, never patched. It gets rows that are
tokenised already, with labels, in the order of the schedule, and is told to prepare, shuffle, cut
and drop nothing (`skip_prepare_dataset`, sequential sampling, `max_length=None`). That it obeys
is checked on every micro-batch against the plan.

Importing it takes some ten seconds: import it late.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
import transformers
from datasets import Dataset
from numpy.typing import NDArray
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from train.checkpoints import CheckpointStore
from train.plan import Prepared
from workspace.errors import LimitExceeded
from workspace.jobs import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.trainer_callback import TrainerControl, TrainerState

_IGNORED = -100
# A pickle of the arguments, which nothing reads and nobody should, and peft's form of a card.
_NOT_KEPT = ("training_args.bin", "README.md")
_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


@dataclass(frozen=True)
class StepReport:
    """What one optimiser step showed."""

    step: int
    max_steps: int
    loss: float
    """Mean cross-entropy over the trained tokens of the step, in nats."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    tokens_per_second: float
    """Tokens of the step, padding not counted, by its wall time."""
    eta_seconds: float


@dataclass(frozen=True)
class FitRequest:
    """What the trainer needs beside the model."""

    prepared: Prepared
    store: CheckpointStore
    job: Job
    pad_id: int
    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`float32` or `bfloat16`."""
    report: Callable[[StepReport], None]
    resume_from: Path | None = None


def fit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, request: FitRequest) -> int:
    """Train the model in place and return the steps done.

    Fewer steps than planned means that a signal asked the job to stop; a checkpoint was saved.

    Raises:
        LimitExceeded: the loss is not finite, or a batch is not what the plan says.
        DiskFullError: a checkpoint could not be written.
    """
    trainer = build_trainer(model, tokenizer, request)
    resume = str(request.resume_from) if request.resume_from else None
    trainer.train(resume_from_checkpoint=resume)
    return int(trainer.state.global_step)


def build_trainer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, request: FitRequest
) -> PlannedTrainer:
    """Return trl's trainer set up for the plan, its first batch proved."""
    trainer = PlannedTrainer(
        request=request,
        model=model,
        args=_arguments(request),
        train_dataset=_dataset(request.prepared),
        processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(pad_token_id=request.pad_id),
        callbacks=[_Watch(request)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(request: FitRequest) -> SFTConfig:
    """Every option that decides what is computed is written here; none is left to a default."""
    plan = request.prepared.plan
    on_gpu = request.device != "cpu"
    return SFTConfig(
        output_dir=str(request.store.directory),
        # data: as planned, untouched
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        train_sampling_strategy="sequential",
        dataloader_num_workers=0,
        dataloader_pin_memory=on_gpu,
        per_device_train_batch_size=plan["micro_batch_size"],
        gradient_accumulation_steps=plan.batch_size // plan["micro_batch_size"],
        max_steps=plan.steps,
        # optimiser
        learning_rate=plan["learning_rate"],
        lr_scheduler_type=_SCHEDULERS[plan.schedule],
        warmup_steps=plan["warmup_steps"],
        weight_decay=plan.weight_decay,
        max_grad_norm=plan.max_grad_norm,
        optim="adamw_torch_fused",
        loss_type="nll",
        seed=plan.seed,
        data_seed=plan.seed,
        # machine
        use_cpu=not on_gpu,
        bf16=request.precision == "bfloat16",
        fp16=False,
        gradient_checkpointing=on_gpu and plan.model_parameters > 100_000_000,
        # what we do ourselves: records, checkpoints, alarms
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _dataset(prepared: Prepared) -> Dataset:
    """Return every row once, seen through the schedule's order."""
    ids = [row.input_ids for row in prepared.rows]
    labels = [np.where(row.loss_mask, row.input_ids, _IGNORED) for row in prepared.rows]
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in ids])))
    table = pa.table(
        {
            "input_ids": _lists(ids, offsets),
            "labels": _lists(labels, offsets),
        }
    )
    return Dataset(table).select(prepared.schedule.order)


def _lists(rows: Sequence[NDArray[Any]], offsets: NDArray[np.int64]) -> pa.LargeListArray:
    values = pa.array(np.concatenate(rows).astype(np.int64))
    return pa.LargeListArray.from_arrays(pa.array(offsets, type=pa.int64()), values)


class PlannedTrainer(SFTTrainer):
    """SFTTrainer that checks each micro-batch against the plan and saves our checkpoints."""

    def __init__(self, *, request: FitRequest, **options: Any) -> None:
        """Build trl's trainer; `request` says what it must do."""
        super().__init__(**options)
        self.request = request
        self._micro_batch = (-1, -1)
        """(step, micro-batch) seen last, both from 0."""
        self._writing: Path | None = None

    def training_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> torch.Tensor:
        """Train on one micro-batch, after proving that it is the planned one."""
        step, last = int(self.state.global_step), self._micro_batch
        self._micro_batch = (step, last[1] + 1 if last[0] == step else 0)
        self._prove_batch(inputs, *self._micro_batch)
        parent: Any = super()
        loss: torch.Tensor = parent.training_step(model, inputs, *rest, **options)
        return loss

    def _prove_batch(self, inputs: Any, step: int, number: int) -> None:
        prepared = self.request.prepared
        expected = list(prepared.schedule.micro_batches(step))[number]
        ids, labels = inputs["input_ids"].cpu().numpy(), inputs["labels"].cpu().numpy()
        attention = inputs["attention_mask"].cpu().numpy()
        equal = len(ids) == len(expected) and all(
            np.array_equal(ids[position, : row.tokens], row.input_ids)
            and np.array_equal(labels[position, : row.tokens] != _IGNORED, row.loss_mask)
            and (labels[position, row.tokens :] == _IGNORED).all()
            and int(attention[position].sum()) == row.tokens
            for position, row in enumerate(prepared.rows[index] for index in expected)
        )
        if not equal:
            raise LimitExceeded(
                "the trainer's batch is not the planned one",
                where=f"step {step + 1}, micro-batch {number + 1}",
                cause="Rows, order or masks differ; nothing was learnt from this batch.",
                cure="This is a fault of welltempered or of the installed trl: report it.",
            )

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load both, then put the plan's rate and decay back in force.

        The saved states carry the old ones, so a change that a person accepted would be ignored
        without a word. Where nothing changed this sets what is there, to the bit.
        """
        optimizer, scheduler = self.optimizer, self.lr_scheduler
        assert optimizer is not None and scheduler is not None
        decays = [group["weight_decay"] for group in optimizer.param_groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        rate = float(self.args.learning_rate)
        scheduler.base_lrs = [rate] * len(decays)
        for group, decay, shape in zip(
            optimizer.param_groups, decays, scheduler.lr_lambdas, strict=True
        ):
            group["initial_lr"], group["weight_decay"] = rate, decay
            group["lr"] = rate * shape(scheduler.last_epoch)
        scheduler._last_lr = [group["lr"] for group in optimizer.param_groups]

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: the base class walks over all modules on every micro-batch to count them."""
        return 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, and keep no history: events.jsonl is the history, checkpoints would repeat it."""
        super().log(logs, start_time)
        self.state.log_history.clear()

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._writing) if self._writing else str(super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Let transformers write its files into a directory that our store completes."""
        step = int(self.state.global_step)
        plan = self.request.prepared.plan
        with self.request.store.writing(step, plan_digest=plan.digest) as directory:
            self._writing = directory
            try:
                # past SFTTrainer's method, which only adds a model card to each checkpoint
                transformers.Trainer._save_checkpoint(self, model, trial)
            finally:
                self._writing = None
            inner = directory / f"checkpoint-{step}"
            for file in inner.iterdir():
                file.rename(directory / file.name)
            inner.rmdir()
            for name in _NOT_KEPT:
                (directory / name).unlink(missing_ok=True)
        self.request.job.events.append("checkpoint", step=step, path=f"checkpoints/step-{step}")


class _Watch(TrainerCallback):
    """Writes events, asks for checkpoints, stops on signals, raises the alarm on NaN."""

    def __init__(self, request: FitRequest) -> None:
        self.request = request
        schedule = request.prepared.schedule
        tokens = np.array([row.tokens for row in request.prepared.rows])
        self._tokens = [int(tokens[schedule.batch(step)].sum()) for step in range(schedule.steps)]
        self._began = 0.0
        self._first = 0
        self._last = 0.0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._began = self._last = time.monotonic()
        self._first = int(state.global_step)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        every = self.request.prepared.plan["checkpoint_every"]
        is_last = state.global_step >= state.max_steps
        if self.request.job.stop_requested:
            control.should_save = control.should_training_stop = True
        elif state.global_step % every == 0 and not is_last:
            control.should_save = True

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        now = time.monotonic()
        step, max_steps = int(state.global_step), int(state.max_steps)
        pace = (now - self._began) / max(1, step - self._first)
        report = StepReport(
            step=step,
            max_steps=max_steps,
            loss=float(logs["loss"]),
            grad_norm=float(logs.get("grad_norm", math.nan)),
            learning_rate=float(logs["learning_rate"]),
            tokens_per_second=self._tokens[step - 1] / max(1e-9, now - self._last),
            eta_seconds=pace * (max_steps - step),
        )
        self._last = now
        self._record(report)
        self.request.report(report)

    def _record(self, report: StepReport) -> None:
        events = self.request.job.events
        events.append(
            "metrics",
            step=report.step,
            max_steps=report.max_steps,
            loss=report.loss,
            learning_rate=report.learning_rate,
            grad_norm=report.grad_norm,
            tokens_per_second=round(report.tokens_per_second, 1),
            eta_seconds=round(report.eta_seconds, 1),
        )
        if math.isfinite(report.loss) and math.isfinite(report.grad_norm):
            return
        name = "loss" if not math.isfinite(report.loss) else "gradient"
        events.append("alarm", step=report.step, alarm="not finite", what=name)
        raise LimitExceeded(
            f"the {name} is not a finite number",
            where=f"step {report.step} of {report.max_steps}",
            cause=f"The loss is {report.loss} and the gradient's length {report.grad_norm} at a "
            f"learning rate of {report.learning_rate:.2g}. No checkpoint was made of it.",
            cure="Lower train.learning_rate, raise train.warmup, or read the rows of this step in "
            "batches.parquet.",
        )
