"""Everything that the events of one run tell, followed as they grow."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tui.curves.smoothing import Smoothed
from tui.curves.track import Track
from tui.records import number, whole, words
from tui.series import Pace
from tui.tail import Tail

FIRST = ("loss", "grad_norm", "learning_rate", "tokens_per_second", "step_seconds")
"""Metrics that every run has, in the order in which they are offered."""
_PROBE = "probe "
_POINTS_AT_ONCE = 256
"""Events that are taken in while the lock is held: a drawing waits for no more."""
_LONGEST_TEXT = 400


@dataclass(frozen=True)
class Alarm:
    """Something that went wrong, or the end of it."""

    step: int | None
    name: str
    what: str
    time: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a model said to one item of a probe."""

    ability: str
    item: str
    prompt: str
    gold: str
    output: str
    score: float | None


@dataclass(frozen=True)
class Probe:
    """What a probe found."""

    step: int
    scores: dict[str, float]
    target: float | None
    beyond: tuple[str, ...]
    """Abilities that fell by more than their margin."""
    best: int | None
    """The best step so far."""
    answers: tuple[Answer, ...] = ()
    """A few of what the model said."""


class RunCurves:
    """The metrics, probes and alarms of one run.

    One thread reads and another draws: hold `lock` for both.
    """

    def __init__(self, job: Path | None) -> None:
        self.lock = threading.Lock()
        self.version = 0
        """Grows with everything new."""
        self.pending = job is not None
        """There may be events that were not read yet."""
        self._tail = Tail(job / "events.jsonl") if job is not None else None
        self._windows: set[int] = set()
        self._clear()

    def _clear(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.alarms: list[Alarm] = []
        self.probes: list[Probe] = []
        self.margins: dict[str, float] = {}
        """Of the abilities to be kept: how far each may fall."""
        self.max_steps = 0
        self.peak_bytes: int | None = None
        self.pace = Pace()
        self._smoothed: dict[tuple[str, int], Smoothed] = {}
        self._last_time: float | None = None
        self._last_step: int | None = None

    @property
    def names(self) -> list[str]:
        """Names of the metrics: those of every run, then the run's own, then its probes."""
        own = sorted(name for name in self.tracks if name not in FIRST)
        probes = [name for name in own if name.startswith(_PROBE)]
        first = [name for name in FIRST if name in self.tracks]
        return [*first, *(name for name in own if name not in probes), *probes]

    def locked_names(self) -> list[str]:
        """Return `names` while nothing is taken in."""
        with self.lock:
            return self.names

    @property
    def last_step(self) -> int:
        """The planned last step, or the latest one if that is not known."""
        loss = self.tracks.get("loss")
        return max(self.max_steps, loss.last_step if loss is not None else 0, 1)

    def smooth(self, window: int) -> None:
        """Keep averages over `window` points too; they are made with the next look."""
        self._windows = {window} if window else set()
        self.version += 1

    def track(self, name: str, window: int) -> Track | None:
        """Return a metric, averaged if that is made already; None where the run has none."""
        raw = self.tracks.get(name)
        if raw is None or not window:
            return raw
        smoothed = self._smoothed.get((name, window))
        return smoothed.track if smoothed is not None and len(smoothed.track) else raw

    def read(self, budget: int) -> int:
        """Take in new events, at most `budget` bytes; return how many bytes were read."""
        if self._tail is None:
            return 0
        chunk = self._tail.read(budget)
        if chunk.restarted:
            with self.lock:
                self._clear()
        events = [event for event in map(_event, chunk.lines) if event is not None]
        for start in range(0, len(events), _POINTS_AT_ONCE):
            with self.lock:
                for event in events[start : start + _POINTS_AT_ONCE]:
                    self._take(event)
        self.pending = chunk.more
        has_averages = self._extend_averages()
        self.version += bool(chunk.lines) or chunk.restarted or has_averages
        return chunk.bytes_read

    def _extend_averages(self) -> bool:
        """Bring the averages up to date; return whether one is new."""
        wanted = {(name, window) for window in self._windows for name in self.tracks}
        new = wanted - self._smoothed.keys()
        made = {key: Smoothed(self.tracks[key[0]], key[1]) for key in new}
        for one in made.values():
            one.extend()  # nobody draws it yet: no lock
        with self.lock:
            self._smoothed = {
                key: one for key, one in (self._smoothed | made).items() if key in wanted
            }
            for one in self._smoothed.values():
                one.extend()
        return bool(new)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("kind")
        if kind == "metrics":
            self._take_step(event)
        elif kind == "probe":
            self._take_probe(event)
        elif kind in ("alarm", "alarm over", "out of memory", "micro batch"):
            self._take_alarm(str(kind), event)
        elif kind == "start":
            self.max_steps = whole(event.get("max_steps")) or self.max_steps
            self._rewind(whole(event.get("from_step")))
        elif kind == "rehearsal" and isinstance(event.get("measured"), dict):
            self.peak_bytes = whole(event["measured"].get("peak_bytes"))

    def _take_step(self, event: dict[str, Any]) -> None:
        step = _step(event)
        if step is None:
            return
        self.max_steps = whole(event.get("max_steps")) or self.max_steps
        values = event.get("values")
        found = {**(values if isinstance(values, dict) else {}), **event}
        for name, value in found.items():
            if name not in _NO_METRICS:
                self._add(name, step, number(value))
        self._take_time(number(event.get("time")), step)

    def _take_time(self, time: float | None, step: int) -> None:
        if time is None:
            return
        self.pace.add(time, step)
        before, last = self._last_time, self._last_step
        self._last_time, self._last_step = time, step
        if before is not None and last is not None and step > last and time >= before:
            self._add("step_seconds", step, (time - before) / (step - last))

    def _take_probe(self, event: dict[str, Any]) -> None:
        step, scores = _step(event), event.get("scores")
        if step is None or not isinstance(scores, dict):
            return
        known = {name: score for name, score in scores.items() if number(score) is not None}
        abilities = event.get("abilities")
        if isinstance(abilities, dict):
            self.margins = _margins(abilities)
        place = bisect_left([one.step for one in self.probes], step)
        del self.probes[place:]
        beyond = event.get("beyond")
        self.probes.append(
            Probe(
                step,
                {str(name)[:200]: float(score) for name, score in known.items()},
                number(event.get("target")),
                tuple(map(str, beyond)) if isinstance(beyond, list) else (),
                whole(event.get("best")),
                _answers(event.get("answers")),
            )
        )
        for name, score in self.probes[-1].scores.items():
            self._add(_PROBE + name, step, score)
        if self.probes[-1].target is not None:
            self._add(_PROBE + "target", step, self.probes[-1].target)

    def _take_alarm(self, kind: str, event: dict[str, Any]) -> None:
        told = words(event.get("what")) or words(event.get("reason"))
        name = words(event.get("alarm")) or kind
        name = f"{name} over" if kind == "alarm over" else name
        rows = event.get("rows")
        if isinstance(rows, list) and rows:
            told += f" (rows {', '.join(map(str, rows[:5]))})"
        alarm = Alarm(_step(event), name[:80], told[:_LONGEST_TEXT], number(event.get("time")))
        self.alarms.append(alarm)

    def _rewind(self, step: int | None) -> None:
        """Forget what an attempt that goes on from `step` does again."""
        if step is None:
            return
        for track in self.tracks.values():
            track.cut(step + 1)
        self._last_time = self._last_step = None

    def _add(self, name: str, step: int, value: float | None) -> None:
        if value is not None:
            self.tracks.setdefault(str(name)[:80], Track()).add(step, value)


def _answers(told: Any) -> tuple[Answer, ...]:
    """Return the answers that an event tells."""
    return tuple(
        Answer(
            ability=words(one.get("ability")),
            item=words(one.get("item")),
            prompt=words(one.get("prompt")),
            gold=words(one.get("gold")),
            output=words(one.get("output")),
            score=number(one.get("score")),
        )
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, dict)
    )


def _margins(abilities: dict[str, Any]) -> dict[str, float]:
    """Return the margins of the abilities to be kept."""
    kept = {
        name: number(one.get("margin"))
        for name, one in abilities.items()
        if isinstance(one, dict) and one.get("purpose") == "retention"
    }
    return {name: margin for name, margin in kept.items() if margin is not None}


_NO_METRICS = frozenset(
    {"kind", "time", "attempt", "step", "max_steps", "values", "eta_seconds", "schema_version"}
)


def _step(event: dict[str, Any]) -> int | None:
    """Return the step of an event; one that no array holds is none."""
    step = whole(event.get("step"))
    return step if step is not None and 0 <= step < 1 << 62 else None


def _event(line: bytes) -> dict[str, Any] | None:
    """Return a line as an event; a torn one is none."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None
