"""Alarms of learning by reward."""

from __future__ import annotations

from train.alarms import AlarmWatch
from train.reinforcement_sections import Alarms


def values(signal: float = 0.0, length: float = 10.0, kl: float = 0.0) -> dict[str, float]:
    return {"frac_reward_zero_std": signal, "completions/mean_length": length, "kl": kl}


def begun(watch: AlarmWatch, *steps: dict[str, float]) -> list[list[str]]:
    return [[alarm.name for alarm in watch.after(step)] for step in steps]


def test_no_signal_is_a_mean_over_the_window_and_told_once() -> None:
    watch = AlarmWatch(Alarms(window=2, no_signal=0.8))
    shares = [1.0, 0.6, 1.0, 1.0, 0.0, 1.0, 1.0]
    found = begun(watch, *(values(signal=share) for share in shares))
    assert found == [[], [], [], ["no signal"], [], [], ["no signal"]]  # 0.8 is not above 0.8


def test_length_is_against_the_first_window() -> None:
    watch = AlarmWatch(Alarms(window=2, length_growth=2.0))
    lengths = [8, 12, 16, 24, 20, 22]
    found = begun(watch, *(values(length=length) for length in lengths))
    assert found == [[], [], [], [], ["length"], []]
    assert watch._first_length == 10


def test_distance_from_the_base_needs_a_base() -> None:
    watch = AlarmWatch(Alarms(window=1, kl=0.5))
    assert begun(watch, values(kl=0.5), values(kl=0.51)) == [[], ["kl"]]
    without = {"frac_reward_zero_std": 0.0}
    assert begun(AlarmWatch(Alarms(window=1)), without) == [[]]


def test_a_continued_run_knows_the_steps_before() -> None:
    watch = AlarmWatch(Alarms(window=2, length_growth=2.0))
    watch.replay([values(length=10), values(length=10)])
    assert begun(watch, values(length=21), values(length=21)) == [[], ["length"]]
