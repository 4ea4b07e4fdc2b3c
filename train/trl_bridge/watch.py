"""Writes events, asks for checkpoints, stops on signals, raises alarms."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from train.divergence import LossWatch
from train.trl_bridge.request import FitRequest, StepReport
from workspace.errors import LimitExceeded
from workspace.events import last_attempts, read_events

if TYPE_CHECKING:
    from transformers.trainer_callback import TrainerControl, TrainerState

    from train.trl_bridge.planned import Planned

_NAMED = frozenset({"loss", "grad_norm", "learning_rate", "epoch", "num_tokens"})
"""What has a place of its own in a report, or tells nothing."""


_NAMED_ROWS = 5
"""Rows of a failing batch that a message names; batches.parquet has all."""


class Watch(TrainerCallback):
    """Follows a run step by step."""

    loss_shows_divergence = True
    """Whether a loss that rises means that less is learnt."""

    def __init__(self, request: FitRequest) -> None:
        self.request = request
        self._trainer: Planned | None = None
        alarms = request.guard.alarms
        factor = alarms.divergence if self.loss_shows_divergence else None
        self._losses = LossWatch(factor, alarms.window)
        schedule = request.prepared.schedule
        tokens = request.prepared.rows.tokens
        self._tokens = [int(tokens[schedule.batch(step)].sum()) for step in range(schedule.steps)]
        self._began = 0.0
        self._first = 0
        self._last = 0.0

    def follow(self, trainer: Planned) -> None:
        """Follow this trainer."""
        self._trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._trainer is not None:
            self._trainer.update_begins()

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._trainer is not None:
            self._trainer.begins()
        self._began = self._last = time.monotonic()
        self._first = int(state.global_step)
        if self._first:
            events, _events = read_events(self.request.job.events.path)
            done = [one for one in last_attempts(events) if one["step"] <= self._first]
            self._losses.replay(one["loss"] for one in done if isinstance(one["loss"], float))

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._ask_probe(state, control)
        every = self.request.prepared.plan["checkpoint_every"]
        is_last = state.global_step >= state.max_steps
        if self.request.job.stop_requested:
            control.should_save = control.should_training_stop = True
        elif state.global_step % every == 0 and not is_last:
            control.should_save = True

    def _ask_probe(self, state: TrainerState, control: TrainerControl) -> None:
        """Have a step probed if it is due; all but the last are checkpoints too."""
        probe = self.request.probe
        if probe is not None and probe.is_due(int(state.global_step)):
            control.should_evaluate = True
            control.should_save = control.should_save or state.global_step < state.max_steps

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
        self._compare(report)
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
            self._check_divergence(report)
            return
        name = "loss" if not math.isfinite(report.loss) else "gradient"
        number, rows = self._failing_rows(report.step)
        events.append(
            "alarm",
            step=report.step,
            alarm="not finite",
            what=name,
            micro_batch=number,
            rows=rows[:_NAMED_ROWS],
        )
        place = "" if number is None else f", micro-batch {number}"
        more = f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else ""
        newest = self.request.store.newest_step()
        kept = f"that of step {newest} is kept" if newest else "there is none yet"
        raise LimitExceeded(
            f"the {name} is not a finite number",
            where=f"step {report.step} of {report.max_steps}{place}",
            cause=f"The loss is {report.loss} and the gradient's length {report.grad_norm} at a "
            f"learning rate of {report.learning_rate:.2g}. No checkpoint was made of it; {kept}. "
            f"Rows (batches.parquet): {', '.join(rows[:_NAMED_ROWS])}{more}.",
            cure="Lower train.learning_rate, raise train.warmup, or read these rows with "
            "`temper preview --id ROW`.",
        )

    def _failing_rows(self, step: int) -> tuple[int | None, list[str]]:
        """Return the first micro-batch (from 0) whose loss is not finite, and its rows.

        All rows of the step where every loss is finite: then their gradients together are not.
        """
        prepared = self.request.prepared
        micro_batches = list(prepared.schedule.micro_batches(step - 1))
        losses = self._trainer.losses_of_step() if self._trainer is not None else []
        bad = [place for place, loss in enumerate(losses) if not math.isfinite(loss)]
        number = bad[0] if bad and bad[0] < len(micro_batches) else None
        rows = prepared.schedule.batch(step - 1) if number is None else micro_batches[number]
        return number, [prepared.rows.row_id(int(index))[0] for index in rows]

    def _compare(self, report: StepReport) -> None:
        """Hold a step that a resumed run repeats against the record."""
        guard = self.request.guard
        if report.step not in guard.expected:
            return
        recorded = guard.expected[report.step]
        difference = abs(report.loss - recorded)
        if difference <= guard.tolerance:
            return
        events = self.request.job.events
        what = f"loss {report.loss!r}, recorded {recorded!r}, tolerance {guard.tolerance:.3g}"
        events.append("alarm", step=report.step, alarm="resume differs", what=what)
        raise LimitExceeded(
            "the resumed run is not the one that was recorded",
            where=f"step {report.step} of {report.max_steps}",
            cause=f"Its loss is {report.loss:.9g} and was {recorded:.9g}: they differ by "
            f"{difference:.3g}, and {guard.tolerance:.3g} is allowed (rehearsal.json).",
            cure="Find what has changed in the machine, or go on with --accept loss (recorded in "
            "run.json).",
        )

    def _check_divergence(self, report: StepReport) -> None:
        what = self._losses.after(report.loss)
        if what is None:
            return
        self.request.job.events.append("alarm", step=report.step, alarm="divergence", what=what)
        raise LimitExceeded(
            "the run diverges",
            where=f"step {report.step} of {report.max_steps}",
            cause=f"{what[0].upper()}{what[1:]}.",
            cure="Lower train.learning_rate or raise train.warmup. If it is meant, set "
            "train.alarms.divergence: null and `temper resume`.",
        )
