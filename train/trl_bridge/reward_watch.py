"""Watches learning by reward: alarms, and checkpoints only where new completions are generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from train.alarms import Alarm, AlarmWatch
from train.reinforcement_sections import Alarms
from train.trl_bridge.request import FitRequest
from train.trl_bridge.watch import Watch
from workspace.errors import LimitExceeded
from workspace.events import last_attempts, read_events

if TYPE_CHECKING:
    from transformers.trainer_callback import TrainerControl, TrainerState

_SECONDS = "step_time"
"""Wall time is told as tokens a second; no two runs would have equal values with it."""


class RewardWatch(Watch):
    """Follows a run that learns by reward."""

    loss_shows_divergence = False

    def __init__(self, request: FitRequest) -> None:
        super().__init__(request)
        method = request.prepared.plan.method
        self._iterations = int(method["iterations"])
        self._generations = int(method["num_generations"])
        self._alarms = AlarmWatch(Alarms.model_validate(method["alarms"]))
        self._prompt_tokens = list(self._tokens)
        self._mean_length = 0.0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        super().on_train_begin(args, state, control, **rest)
        events, _ = read_events(self.request.job.events.path)
        before = [event for event in last_attempts(events) if event["step"] <= state.global_step]
        self._alarms.replay(event.get("values", {}) for event in before)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        if state.global_step % self._iterations == 0:  # completions in use are not saved
            super().on_step_end(args, state, control, **rest)
        elif state.global_step >= state.max_steps:
            self._ask_probe(state, control)

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **rest: Any,
    ) -> None:
        known = {
            name: value
            for name, value in (logs or {}).items()
            if isinstance(value, int | float) and name != _SECONDS
        }
        if "loss" not in known:
            return
        step = int(state.global_step)
        # told where completions are generated, and true of every step that learns from them
        self._mean_length = known.get("completions/mean_length", self._mean_length)
        written = self._mean_length * self.request.prepared.plan.batch_size
        self._tokens[step - 1] = round(
            (self._prompt_tokens[step - 1] + written) * self._generations
        )
        super().on_log(args, state, control, known, **rest)
        for alarm in self._alarms.after(known):
            self._raise(alarm, step)

    def _raise(self, alarm: Alarm, step: int) -> None:
        self.request.job.events.append("alarm", step=step, alarm=alarm.name, what=alarm.what)
        self.request.note(f"! step {step}: {alarm.what}. {alarm.cure}")
        if self._alarms.section.stop:
            raise LimitExceeded(
                f"an alarm stopped the run: {alarm.name}",
                where=f"step {step}",
                cause=f"{alarm.what[0].upper()}{alarm.what[1:]}.",
                cure=f"{alarm.cure} With train.method.alarms.stop=false it goes on.",
            )
