"""Writes events, asks for checkpoints, stops on signals, raises the alarm on NaN."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from train.trl_bridge.request import FitRequest, StepReport
from workspace.errors import LimitExceeded

if TYPE_CHECKING:
    from transformers.trainer_callback import TrainerControl, TrainerState

_NAMED = frozenset({"loss", "grad_norm", "learning_rate", "epoch", "num_tokens"})
"""What has a place of its own in a report, or tells nothing."""


class Watch(TrainerCallback):
    """Follows a run step by step."""

    def __init__(self, request: FitRequest) -> None:
        self.request = request
        schedule = request.prepared.schedule
        tokens = request.prepared.rows.tokens
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
            values={
                name: float(value)
                for name, value in logs.items()
                if name not in _NAMED and math.isfinite(value)
            },
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
            values={name: round(value, 6) for name, value in report.values.items()},
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
