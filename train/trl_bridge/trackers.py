"""transformers' own callbacks for trackers, kept from holding up or ending a run.

Each works in a thread of its own: a server that does not answer lets figures wait, not steps. What
fails is an alarm, and that tracker is told nothing more.
"""

from __future__ import annotations

import copy
import importlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import get_reporting_integration_callbacks

from train.trackers import TrackerName, destination, tracker_environment
from workspace.events import EventLog
from workspace.secrets import redact

_PATIENCE_SECONDS = 30.0
"""How long a tracker may take for what is left when the run has ended."""
_MOST_WAITING = 10_000
"""Steps that wait for a tracker; those beyond it are not sent."""
_LONGEST = 300

Note = Callable[[str], None]


class Tracker(TrainerCallback):
    """Passes the beginning, the figures of each step, and the end on to one tracker."""

    def __init__(self, name: TrackerName, run: Path, project: str, events: EventLog, note: Note):
        """Make transformers' callback for `name`; whatever it raises is an alarm."""
        self.name, self.run, self.project = name, run, project
        self._events, self._note = events, note
        self._inner: Any = None
        self._faults: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._failed = threading.Event()
        self._begun = False
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()
        self._send(self._make)

    def _make(self) -> None:
        known: Any = get_reporting_integration_callbacks  # not typed in transformers
        (kind,) = known([self.name])
        self._inner = kind()
        if hasattr(self._inner, "_log_model"):  # weights leave a machine by `temper export` alone
            self._inner._log_model = type(self._inner._log_model)("false")

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Pass on what is trained, once: its settings and its config."""
        if not self._begun:
            self._begun = True
            self._pass("on_train_begin", args, state, control, model=given.get("model"))

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Pass on the figures of a step."""
        self._pass("on_log", args, state, control, logs=dict(given.get("logs") or {}))
        self._tell()

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Pass on the end."""
        self._pass("on_train_end", args, state, control)

    def _pass(self, event: str, args: Any, state: Any, control: Any, **given: Any) -> None:
        # copies: the trainer changes its own while this waits
        told = (self._arguments(args), copy.copy(state), copy.copy(control))
        self._send(lambda: getattr(self._inner, event)(*told, **given))

    def _arguments(self, args: Any) -> Any:
        """Return what the tracker is told of the settings: named as the run, no space made."""
        out = copy.copy(args)
        out.run_name = self.run.name
        for name, value in (
            ("project", os.environ.get("TRACKIO_PROJECT", self.project)),
            ("trackio_space_id", os.environ.get("TRACKIO_SPACE_ID")),
            ("trackio_bucket_id", None),
            ("trackio_static_space_id", False),
        ):
            if hasattr(out, name):
                setattr(out, name, value)
        return out

    def _send(self, work: Callable[[], None]) -> None:
        if self._failed.is_set():
            return
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            self._fail(f"it takes longer than training: {_MOST_WAITING:,} steps wait for it")

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            if self._failed.is_set():
                continue
            try:
                work()
            except BaseException as error:  # also SystemExit, which a tracker's log-in may raise
                self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, what: str) -> None:
        self._failed.set()
        self._faults.put(what)

    def _tell(self) -> None:
        """Raise the alarm, from the trainer's own thread."""
        while not self._faults.empty():
            what = redact(self._faults.get()).split("\n")[0][:_LONGEST]
            self._events.append("alarm", alarm="tracker", tracker=self.name, what=what)
            self._note(f"! {self.name} failed and is told nothing more: {what}")

    def close(self) -> None:
        """End the tracker's own run and wait for it, but not for ever."""
        self._send(self._finish)
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(0.0 if self._failed.is_set() else _PATIENCE_SECONDS)
        if self._thread.is_alive() and not self._failed.is_set():
            self._fail(f"it had not finished {_PATIENCE_SECONDS:.0f} s after the run had ended")
        self._tell()

    def _finish(self) -> None:
        """Close what transformers leaves open: the next run would be written into it."""
        if self.name == "tensorboard":
            if self._inner.tb_writer is not None:
                self._inner.tb_writer.close()
            return
        package: Any = importlib.import_module(self.name)
        if self.name == "wandb":
            if package.run is not None:
                package.finish()
            if hasattr(package, "teardown"):  # it reads its environment once, for all its runs
                package.teardown()
        elif self.name == "mlflow" and package.active_run() is not None:
            package.end_run()
        elif self.name == "trackio" and package.context_vars.current_run.get() is not None:
            package.finish()


@contextmanager
def open_trackers(
    names: Sequence[TrackerName], run: Path, project: str, events: EventLog, note: Note
) -> Iterator[list[Tracker]]:
    """Open the trackers of a run and close them when the body ends, however it ends.

    Args:
        names: of the recipe.
        run: the run's directory.
        project: under which they keep it.
        events: get an alarm for what fails.
        note: tells a person.
    """
    if not names:
        yield []
        return
    # stdout is for results, and some of them greet there
    with tracker_environment(names, run, project), redirect_stdout(sys.stderr):
        opened = []
        for name in names:
            note(f"tracker {name}: figures go to {destination(name, run)}")
            opened.append(Tracker(name, run, project, events, note))
        try:
            yield opened
        finally:
            for one in opened:
                one.close()
