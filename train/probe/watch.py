"""A run's probes: asked when they are due, kept in its events, judged by the rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from train.checkpoints import CheckpointStore, fault_of
from train.probe.rule import Probed, Rule
from workspace.errors import WorkError
from workspace.events import EventLog, read_events


class Asks(Protocol):
    """Scores a model in training."""

    @property
    def answers(self) -> Sequence[Mapping[str, Any]]:
        """A few answers of the model that was asked last, for people."""
        ...

    def tuned(self, model: Any, alive: Callable[[], None]) -> dict[str, float]:
        """Return the scores of a model as it is now."""
        ...


def history_of(events: Iterable[Mapping[str, Any]], digest: str, *, until: int) -> list[Probed]:
    """Return what earlier attempts probed, in the order of steps; the latest of each step counts.

    Args:
        events: of all attempts, in order.
        digest: of the probe: what another one found is left out.
        until: steps done at the checkpoint; what came after is done again.
    """
    found = {
        int(event["step"]): Probed(int(event["step"]), dict(event["scores"]))
        for event in events
        if event.get("kind") == "probe"
        and event.get("digest") == digest
        and 0 < int(event["step"]) <= until
    }
    return [found[step] for step in sorted(found)]


@dataclass
class ProbeWatch:
    """The probes of one attempt."""

    asks: Asks
    rule: Rule
    digest: str
    every: int
    steps: int
    patience: int | None
    events: EventLog
    store: CheckpointStore
    note: Callable[[str], None]
    history: list[Probed] = field(default_factory=list)

    def begin(self, start: int) -> None:
        """Take up what earlier attempts probed, as far as the best step can still be published."""
        events, _ = read_events(self.events.path)
        self.history = history_of(events, self.digest, until=start)
        best = self.best
        fault = self._fault(best.step) if best is not None and best.step != start else None
        if best is not None and fault is not None:
            what = f"step {best.step} was the best, and its checkpoint cannot be used: {fault}"
            self.events.append("alarm", step=start, alarm="best step lost", what=what)
            self.note(f"! {what}")
            self.history = [
                one for one in self.history if one.step == start or self._fault(one.step) is None
            ]
        self._protect()
        if start == 0:
            self.events.append(
                "probe",
                step=0,
                digest=self.digest,
                scores=dict(self.rule.base),
                abilities={
                    one.name: {"purpose": one.purpose, "margin": one.margin}
                    for one in self.rule.abilities
                },
                answers=list(self.asks.answers),
            )

    def is_due(self, step: int) -> bool:
        """Whether a step is probed."""
        return step % self.every == 0 or step >= self.steps

    @property
    def best(self) -> Probed | None:
        """The best step so far."""
        return self.rule.best(self.history)

    @property
    def is_exhausted(self) -> bool:
        """Whether patience has ended."""
        return self.patience is not None and self.rule.since_best(self.history) >= self.patience

    def ask(self, model: Any, step: int, alive: Callable[[], None] = lambda: None) -> None:
        """Probe a step, record it, protect the best one's checkpoint, raise alarms."""
        began = time.monotonic()
        probed = Probed(step, self.asks.tuned(model, alive))
        before = {one.name for one in self.rule.beyond(self.history[-1])} if self.history else set()
        self.history.append(probed)
        best = self.best
        assert best is not None
        beyond = [one.name for one in self.rule.beyond(probed)]
        self.events.append(
            "probe",
            step=step,
            digest=self.digest,
            scores=dict(probed.scores),
            target=self.rule.target(probed),
            beyond=beyond,
            best=best.step,
            seconds=round(time.monotonic() - began, 2),
            answers=list(self.asks.answers),
        )
        self._protect()
        self._tell(probed, best)
        if set(beyond) - before:
            self._alarm(probed)

    def published(self, last: int) -> dict[str, Any]:
        """Return what `run.json` says of the step that is published.

        Args:
            last: steps done.
        """
        best = self.best
        assert best is not None
        why = self.rule.why(self.history)
        if self.rule.beyond(best):
            self.events.append("alarm", step=last, alarm="no step kept enough", what=why)
            self.note(f"! {why}")
        ended = ""
        if last < self.steps:
            ended = f"{self.patience} probes without a better step"
        return {
            "step": best.step,
            "why": why,
            "steps_done": last,
            "ended_early": ended or None,
            "scores": dict(best.scores),
            "base": dict(self.rule.base),
        }

    def demand_best(self) -> int:
        """Return the best step, whose checkpoint is whole.

        Raises:
            WorkError: it is not.
        """
        assert self.best is not None
        step = self.best.step
        fault = self._fault(step)
        if fault is not None:
            raise WorkError(
                f"the checkpoint of the best step, {step}, cannot be used",
                where=str(self.store.path(step)),
                cause=f"{fault[0].upper()}{fault[1:]}.",
                cure="`temper resume` goes on from the newest whole checkpoint and chooses again.",
            )
        return step

    def _fault(self, step: int) -> str | None:
        path = self.store.path(step)
        return fault_of(path) if path.is_dir() else "it is gone"

    def _protect(self) -> None:
        self.store.protected = self.best.step if self.best is not None else None

    def _tell(self, probed: Probed, best: Probed) -> None:
        kept = sum(one.purpose == "retention" for one in self.rule.abilities)
        target, beyond = self.rule.target(probed), len(self.rule.beyond(probed))
        said = [f"target {target:.3f}"] if target is not None else []
        said += [f"{kept - beyond} of {kept} abilities kept"] if kept else []
        said.append("best so far" if best is probed else f"best: step {best.step}")
        self.note(f"probe at step {probed.step}: {', '.join(said)}")

    def _alarm(self, probed: Probed) -> None:
        told = ", ".join(
            f"{one.name} {self.rule.base[one.name]:.3f} → {probed.scores[one.name]:.3f} "
            f"(margin {one.margin:g})"
            for one in self.rule.beyond(probed)
        )
        what = f"fell by more than its margin: {told}"
        self.events.append("alarm", step=probed.step, alarm="forgetting", what=what)
        self.note(f"! step {probed.step}: {what}")
