"""What every trainer here does alike: proved batches, our checkpoints, the plan's rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import torch
import transformers
from datasets import Dataset
from numpy.typing import NDArray

from train.plan import Prepared
from train.randomness import Randomness
from train.stall import Watchdog
from train.trl_bridge.converted import is_converted, load_converted
from train.trl_bridge.layer_rates import split_by_depth
from train.trl_bridge.ranks import has_ranks, load_ranks, save_ranks
from train.trl_bridge.request import FitRequest
from train.trl_bridge.vision import Pixels, has_pictures, picture_columns
from train.trl_bridge.watch import Watch
from workspace.errors import LimitExceeded

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

    from train.rows import TokenRows

IGNORED = -100
"""The label of a token without loss."""
# A pickle of the arguments, which nothing reads and nobody should, and peft's form of a card.
_NOT_KEPT = ("training_args.bin", "README.md")


@dataclass(frozen=True)
class Seen:
    """One sequence of a collated batch."""

    input_ids: NDArray[Any]
    """With its padding."""
    loss_mask: NDArray[np.bool_]
    attended: int
    """Tokens that are read."""


@dataclass(frozen=True)
class Given:
    """What a trainer is built of."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    adapter: PeftConfig | None
    """What the trainer wraps the model in, if anything."""
    request: FitRequest
    callbacks: Sequence[TrainerCallback]


def dataset_of(prepared: Prepared, columns: Callable[[TokenRows], dict[str, pa.Array]]) -> Dataset:
    """Return every row once, seen through the schedule's order."""
    table = pa.concat_tables([pa.table(columns(part)) for part in prepared.rows.parts])
    if has_pictures(prepared):
        for name, values in picture_columns(prepared.rows).items():
            table = table.append_column(name, values)
    return Dataset(table).select(prepared.schedule.order)


def token_lists(values: NDArray[Any], offsets: NDArray[np.int64]) -> pa.LargeListArray:
    """Return flat values as lists: list i is `values[offsets[i]:offsets[i + 1]]`."""
    return pa.LargeListArray.from_arrays(
        pa.array(offsets, type=pa.int64()), pa.array(values.astype(np.int64))
    )


def token_spans(
    part: TokenRows, begin: Any, end: Any, values: NDArray[Any] | None = None
) -> pa.LargeListArray:
    """Return a list for each row: `values[begin:end]`, or of the token ids if left out."""
    values = part.ids if values is None else values
    lengths = end - begin
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    places = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], lengths)
    return token_lists(values[places], offsets)


class Planned(transformers.Trainer):
    """Comes before a trainer of trl: checks each micro-batch and saves our checkpoints."""

    def __init__(self, *, request: FitRequest, **options: Any) -> None:
        """Build trl's trainer; `request` says what it must do."""
        self.request = request
        self._micro_batch = (-1, -1)
        """(step, micro-batch) seen last, both from 0."""
        self._writing: Path | None = None
        self.pixels: Pixels | None = None
        """Of the rows, where they have images."""
        self._pictures_proved = False
        self._losses: list[torch.Tensor] = []
        self._step_began: Randomness | None = None
        self.watchdog = Watchdog(None, request.job.events)
        super().__init__(**options)

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer of a method."""
        raise NotImplementedError

    @classmethod
    def _made(cls, given: Given, arguments: Any, dataset: Dataset, **options: Any) -> Self:
        """Return the trainer with trl's arguments; `options` are further ones of its own."""
        return cls(
            request=given.request,
            model=given.model,
            args=arguments,
            train_dataset=dataset,
            processing_class=given.tokenizer,
            peft_config=given.adapter,
            callbacks=list(given.callbacks),
            **options,
        )

    @classmethod
    def watch(cls, request: FitRequest) -> Watch:
        """Return what follows the run step by step."""
        return Watch(request)

    def prove_model(self) -> None:
        """Prove what can only be proved on the loaded model, before the first step."""
        return None

    def seen(self, inputs: Any) -> list[Seen]:
        """Return the sequences of a collated batch: the first of every row, then the second …"""
        raise NotImplementedError

    def seen_targets(self, inputs: Any) -> NDArray[Any] | None:
        """Return what the loss takes of each row beside its tokens, or None for nothing."""
        return None

    def training_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> torch.Tensor:
        """Train on one micro-batch, after proving that it is the planned one."""
        step, last = int(self.state.global_step), self._micro_batch
        self._micro_batch = (step, last[1] + 1 if last[0] == step else 0)
        if self._micro_batch[1] == 0:
            self._losses, self._step_began = [], Randomness()
        self.watchdog.alive(step + 1)
        self._prove_batch(inputs, *self._micro_batch)
        parent: Any = super()
        loss: torch.Tensor = parent.training_step(model, inputs, *rest, **options)
        self._losses.append(loss.detach())
        return loss

    def losses_of_step(self) -> list[float]:
        """Return the losses of the micro-batches of the newest step."""
        return [float(loss) for loss in self._losses]

    def begins(self) -> None:
        """Tell that training begins, or begins again from a checkpoint."""
        self._micro_batch = (-1, -1)

    def update_begins(self) -> None:
        """Tell that weights change from here on until the step has ended."""
        self._step_began = None

    def save_last_good(self) -> bool:
        """Save what the newest whole step left, after a later one failed; return whether it could.

        It cannot while the weights were being changed, nor where completions are still learnt
        from, which are not saved; and need not where a checkpoint of that step is there.
        """
        step, began = int(self.state.global_step), self._step_began
        iterations = int(self.request.prepared.plan.method.get("iterations", 1))
        resumed = self.request.resume_from
        known = resumed is not None and resumed.name == f"step-{step}"
        if began is None or step == 0 or step % iterations or known:
            return False
        model: Any = self.model
        model.zero_grad(set_to_none=True)
        began.put_back()
        self._save_checkpoint(self.model, None)
        return True

    def _prove_batch(self, inputs: Any, step: int, number: int) -> None:
        prepared = self.request.prepared
        rows = [prepared.rows[i] for i in list(prepared.schedule.micro_batches(step))[number]]
        expected = [row.sequences[place] for place in range(prepared.rows.per_row) for row in rows]
        seen = self.seen(inputs)
        equal = len(seen) == len(expected) and all(
            np.array_equal(found.input_ids[: one.tokens], one.input_ids)
            and np.array_equal(found.loss_mask[: one.tokens], one.loss_mask)
            and not found.loss_mask[one.tokens :].any()
            and found.attended == one.tokens
            for found, one in zip(seen, expected, strict=True)
        )
        targets = self.seen_targets(inputs)
        if targets is not None:
            wanted = np.array([row.target for row in rows])
            equal = equal and np.allclose(targets, wanted, rtol=1e-6, atol=0.0)
        self._demand_planned(equal and self._has_its_pictures(inputs, step, number), step, number)

    def _has_its_pictures(self, inputs: Any, step: int, number: int) -> bool:
        """Whether the pixels are those of the planned rows: all of them are made again in the
        first step of an attempt, later those of one row in turn of each micro-batch.
        """
        if self.pixels is None:
            return True
        batches = list(self.request.prepared.schedule.micro_batches(step))
        rows = [int(index) for index in batches[number]]
        checked = [step % len(rows)] if self._pictures_proved else range(len(rows))
        self._pictures_proved |= number == len(batches) - 1
        return self.pixels.are_in(inputs, rows, checked)

    def _demand_planned(self, equal: bool, step: int, number: int) -> None:
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
        factors = [group.get("layer_factor", 1.0) for group in optimizer.param_groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        rate = float(self.args.learning_rate)
        rates = [rate * factor for factor in factors]
        scheduler.base_lrs = rates
        for group, highest, decay, shape in zip(
            optimizer.param_groups, rates, decays, scheduler.lr_lambdas, strict=True
        ):
            group["initial_lr"], group["weight_decay"] = highest, decay
            group["lr"] = highest * shape(scheduler.last_epoch)
        scheduler._last_lr = [group["lr"] for group in optimizer.param_groups]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the optimiser, its groups split by depth where the plan has rates by layer."""
        is_new = self.optimizer is None
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        rates = self.request.prepared.plan.tempering["layer_rates"]
        if is_new and rates is not None:
            split_by_depth(optimizer, self.model, rates["decay"])
        return optimizer

    def _get_learning_rate(self) -> float:
        """Return the plan's rate: with rates by layer the head's, though it may not be trained."""
        if self.request.prepared.plan.tempering["layer_rates"] is None:
            return float(super()._get_learning_rate())
        scheduler: Any = self.lr_scheduler
        return float(self.args.learning_rate * scheduler.lr_lambdas[0](scheduler.last_epoch))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if has_ranks(self.model):
            load_ranks(self.model, Path(resume_from_checkpoint))
        elif is_converted(self.model, Path(resume_from_checkpoint)):
            load_converted(self.model, Path(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _evaluate(self, *rest: Any, **options: Any) -> dict[str, float]:
        """Ask the probe, between the step's log and its checkpoint; nothing else is evaluated.

        Where patience has ended this step is not saved: it is not the best, and a run that is
        killed before it is published comes here again.
        """
        probe, step = self.request.probe, int(self.state.global_step)
        assert probe is not None
        self.control.should_evaluate = False
        probe.ask(self.model, step, lambda: self.watchdog.alive(step))
        if probe.is_exhausted:
            self.control.should_training_stop, self.control.should_save = True, False
        return {}

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
                # past trl's method, which only adds a model card to each checkpoint
                transformers.Trainer._save_checkpoint(self, model, trial)
            finally:
                self._writing = None
            inner = directory / f"checkpoint-{step}"
            for file in inner.iterdir():
                file.rename(directory / file.name)
            inner.rmdir()
            if has_ranks(self.model):
                save_ranks(self.model, directory)
            for name in _NOT_KEPT:
                (directory / name).unlink(missing_ok=True)
        self.request.job.events.append("checkpoint", step=step, path=f"checkpoints/step-{step}")
