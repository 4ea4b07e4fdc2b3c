"""Two equal steps of the longest batch with a checkpoint between, and the second once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from train.checkpoints import CheckpointStore
from train.device_memory import PeakMeter, is_out_of_memory
from train.rehearsal.record import Measured
from train.trl_bridge.build import build_trainer
from train.trl_bridge.request import FitRequest, StepReport
from workspace.errors import WorkError
from workspace.events import EventLog
from workspace.jobs import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from train.rehearsal.batch import Batch


def rehearse_batch(
    load: Callable[[], PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    request: FitRequest,
    batch: Batch,
    directory: Path,
) -> Measured:
    """Train a model of its own on a batch, save it, reload it, repeat its last step.

    The very trainer of the run does it, with its own events and checkpoints in `directory`.

    Args:
        load: returns the model; it is thrown away afterwards.
        tokenizer: of the model.
        request: of the run.
        batch: whose every step is the same.
        directory: to write in.
    """
    reports: list[StepReport] = []
    job = _Rehearsing(request.job, directory)
    store = CheckpointStore(directory / "checkpoints", keep=1)
    rehearsed = replace(
        request,
        prepared=batch.prepared,
        store=store,
        job=job,
        report=reports.append,
        resume_from=None,
        note=lambda text: None,
        probe=None,
    )
    with PeakMeter(request.device) as meter:
        trainer = build_trainer(load(), tokenizer, rehearsed)
        clock = _Clock(batch.saved_after, on_gpu=request.device != "cpu")
        trainer.add_callback(clock)
        trainer.train()
        job.check_stop()
        peak = meter.peak_bytes
        checkpoint = store.newest()
        if checkpoint is None or checkpoint.step != batch.saved_after:
            raise WorkError("a checkpoint that was just saved is not whole", where=str(directory))
        clock.restart()
        trainer.train(resume_from_checkpoint=str(checkpoint.path))
        job.check_stop()
        reserved = meter.reserved_bytes
        model: Any = trainer.model
        model.zero_grad(set_to_none=True)
        meter.restart()
        try:
            _evaluate(model, batch, request.pad_id)
        except Exception as error:  # training never holds whole logits: it fits all the same
            if not is_out_of_memory(error):
                raise
        evaluation = meter.peak_bytes
    seconds = sum(clock.timed) / len(clock.timed)
    return Measured(
        rows=batch.rows,
        longest=batch.longest,
        step_seconds=seconds * batch.longest_step_tokens / batch.tokens,
        mean_step_seconds=seconds * batch.mean_step_tokens / batch.tokens,
        peak_bytes=peak,
        reserved_bytes=reserved,
        evaluation_bytes=evaluation,
        checkpoint_bytes=sum(
            path.stat().st_size for path in checkpoint.path.rglob("*") if path.is_file()
        ),
        checkpoint_seconds=clock.save_seconds,
        reload_seconds=clock.reload_seconds,
        loss=reports[batch.saved_after].loss,
        repeated_loss=reports[-1].loss,
    )


class _Rehearsing(Job):
    """The run's job with events of its own; a signal to the one is one to the other."""

    def __init__(self, job: Job, directory: Path) -> None:
        super().__init__(job.dir, job.record)
        self.events = EventLog(directory / "events.jsonl")
        self._job = job

    @property
    def stop_requested(self) -> bool:
        return self._job.stop_requested

    def check_stop(self, *, cure: str = "") -> None:
        self._job.check_stop(cure=cure or "Nothing was learnt yet: the same command begins anew.")


class _Clock(TrainerCallback):
    """Times steps, the checkpoint and its reload, and ends a step after the checkpoint."""

    def __init__(self, saved_after: int, *, on_gpu: bool) -> None:
        self.timed: list[float] = []
        """Seconds of each step but the first, in which libraries warm up."""
        self.save_seconds = self.reload_seconds = 0.0
        self._saved_after, self._on_gpu = saved_after, on_gpu
        self._began = self._ended = time.monotonic()
        self._reloads = False

    def restart(self) -> None:
        """Begin anew from the checkpoint."""
        self._reloads, self._ended = True, self._now()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = self._now()
        if self._reloads:
            self._reloads, self.reload_seconds = False, self._began - self._ended

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._ended = self._now()
        if state.global_step > 1:
            self.timed.append(self._ended - self._began)
        if state.global_step > self._saved_after:
            control.should_training_stop, control.should_save = True, False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.save_seconds = self._now() - self._ended

    def _now(self) -> float:
        if self._on_gpu:
            torch.cuda.synchronize()
        return time.monotonic()


def _evaluate(model: Any, batch: Batch, pad_id: int) -> None:
    """Run one forward pass over the largest micro-batch as an evaluation does: whole logits."""
    prepared = batch.prepared
    micro = next(prepared.schedule.micro_batches(0))[: int(prepared.plan["micro_batch_size"])]
    rows = [one.input_ids for index in micro for one in prepared.rows[int(index)].sequences]
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.from_numpy(row.astype("int64"))
        mask[place, : len(row)] = 1
    device = next(model.parameters()).device
    model.eval()
    with torch.no_grad():
        model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
