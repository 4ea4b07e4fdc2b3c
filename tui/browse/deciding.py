"""Decisions about the rows of one dataset, on their way into its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.temper import Outcome

UNDECIDED = "undecided"
_COMMANDS = {"keep": "restore", "drop": "drop", UNDECIDED: "undecide"}
Then = Callable[["Outcome"], object]


class Decisions:
    """Writes decisions by `temper curate` commands.

    They run one after the other, for each reads and replaces the same file; all that wait for one
    verdict go together. Where a command of several rows fails, each of them is sent alone.
    """

    def __init__(self, dataset: str, run_temper: Callable[[Sequence[str], Then], object]) -> None:
        self.dataset = dataset
        self._run_temper = run_temper
        self._written: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._alone: set[str] = set()
        self._then: Then = lambda outcome: None

    @property
    def in_force(self) -> dict[str, str]:
        """Rows about which something is decided, written already or not."""
        return _decided({**self._written, **self._sent, **self._waiting})

    def of(self, row: str) -> str:
        """Return what is decided about a row."""
        return self.in_force.get(row, UNDECIDED)

    @property
    def waiting(self) -> int:
        """How many rows no command was started for yet."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether everything is written."""
        return not (self._sent or self._waiting)

    def found(self, written: dict[str, str]) -> None:
        """Take what the file says, unless something is on its way there."""
        if self.is_idle:
            self._written = written

    def decide(self, row: str, verdict: str, then: Then) -> None:
        """Write down another decision.

        Args:
            row: its id.
            verdict: "keep", "drop" or "undecided".
            then: called with the outcome of each command.
        """
        self._waiting.pop(row, None)
        self._waiting[row] = verdict
        self._then = then
        if not self._sent:
            self._next()

    def _next(self) -> None:
        known = self._written
        self._waiting = {
            row: verdict
            for row, verdict in self._waiting.items()
            if verdict != known.get(row, UNDECIDED)
        }
        if not self._waiting:
            return
        rows = self._batch()
        self._sent = {row: self._waiting.pop(row) for row in rows}
        verb = _COMMANDS[self._sent[rows[0]]]
        self._run_temper(["curate", verb, *rows, "--dataset", self.dataset], self._ended)

    def _batch(self) -> list[str]:
        """Return the rows of the next command."""
        first, verdict = next(iter(self._waiting.items()))
        if first in self._alone:
            return [first]
        return [
            row for row, one in self._waiting.items() if one == verdict and row not in self._alone
        ]

    def _ended(self, outcome: Outcome) -> None:
        sent, self._sent = self._sent, {}
        is_again = outcome.code != 0 and len(sent) > 1
        if is_again:
            self._alone.update(sent)
            self._waiting = {**sent, **self._waiting}
        else:
            self._alone.difference_update(sent)
        if not outcome.code:
            self._written = _decided({**self._written, **sent})
        self._next()
        if not is_again:
            self._then(outcome)


def _decided(verdicts: dict[str, str]) -> dict[str, str]:
    return {row: verdict for row, verdict in verdicts.items() if verdict != UNDECIDED}


def read_decided(root: Path, dataset: Path) -> dict[str, str]:
    """Return what is decided about rows of a dataset. Raises as `decided_in`."""
    from curate.restoring import decided_in
    from workspace.layout import Workspace

    found = decided_in(Workspace(root), dataset)
    return {**dict.fromkeys(found.keep, "keep"), **dict.fromkeys(found.drop, "drop")}


def short_name(dataset: Path, root: Path) -> str:
    """Return what to call a dataset in a command: `name/digest`, or its path."""
    parent = (root / "datasets").resolve()
    return str(dataset.relative_to(parent) if dataset.is_relative_to(parent) else dataset)
