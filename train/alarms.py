"""When learning by reward has gone wrong: no signal, ever longer completions, far from the base.

Pure: fed step by step with what the trainer measured, it says when an alarm begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from train.reinforcement_sections import Alarms

_SIGNAL, _LENGTH, _KL = "frac_reward_zero_std", "completions/mean_length", "kl"


@dataclass(frozen=True)
class Alarm:
    """One alarm that began."""

    name: str
    """`no signal`, `length` or `kl`."""
    what: str
    cure: str


class AlarmWatch:
    """Means over a window of steps, against thresholds."""

    def __init__(self, section: Alarms) -> None:
        self.section = section
        self._windows: dict[str, deque[float]] = {
            name: deque(maxlen=section.window) for name in (_SIGNAL, _LENGTH, _KL)
        }
        self._first_length: float | None = None
        self._on: set[str] = set()

    def after(self, values: Mapping[str, Any]) -> list[Alarm]:
        """Take the values of one more step and return the alarms that begin with it.

        An alarm that goes on is told once; it can begin again after it ended.
        """
        for name, window in self._windows.items():
            if isinstance(values.get(name), int | float):
                window.append(float(values[name]))
        found = {
            alarm.name: alarm
            for alarm in (self._no_signal(), self._length(), self._kl())
            if alarm is not None
        }
        begun = [alarm for name, alarm in found.items() if name not in self._on]
        self._on = set(found)
        return begun

    def replay(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """Take the values of steps that an earlier attempt told of."""
        for values in steps:
            self.after(values)

    def _mean(self, name: str) -> float | None:
        window = self._windows[name]
        return sum(window) / len(window) if len(window) == self.section.window else None

    def _no_signal(self) -> Alarm | None:
        share = self._mean(_SIGNAL)
        if share is None or share <= self.section.no_signal:
            return None
        return Alarm(
            "no signal",
            f"{share:.0%} of the groups of the last {self.section.window} steps have equal rewards "
            "and teach nothing",
            "Leave out prompts that are always or never solved, raise num_generations or the "
            "temperature, or give credit for parts.",
        )

    def _length(self) -> Alarm | None:
        length = self._mean(_LENGTH)
        if length is None:
            return None
        if self._first_length is None:
            self._first_length = length
        if length <= self.section.length_growth * self._first_length:
            return None
        return Alarm(
            "length",
            f"completions have {length:.0f} tokens, {length / self._first_length:.1f} times those "
            f"of the first {self.section.window} steps",
            "Read samples.parquet; a length reward, a lower rate or more beta hold them back.",
        )

    def _kl(self) -> Alarm | None:
        distance = self._mean(_KL)
        if distance is None or distance <= self.section.kl:
            return None
        return Alarm(
            "kl",
            f"the model is {distance:.2f} nats a token from what it was",
            "Raise beta or lower the learning rate; measure other abilities before going on.",
        )
