"""The slow part of a recipe's form: what is read, checked and estimated; call it from threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tui.form.estimate import Estimate, read_estimates
from tui.form.parent import Change, changes_since
from tui.form.reading import Reading, RecipeReader
from tui.temper import TOO_LATE, run_temper
from workspace.errors import TemperError

_DEADLINE_SECONDS = 180.0


@cache
def _recipe_reader() -> RecipeReader:
    """Return the reader of recipes, made once: that takes seconds."""
    return RecipeReader()


class Desk:
    """Reads recipes and asks `temper` about them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()

    def read(self, text: str, path: Path, saved: str) -> Reading:
        """Return what a text says; the first time imports every section."""
        with self._lock:
            return _recipe_reader().read(text, path, saved)

    def command(self, verb: str, path: Path, overrides: Sequence[str], *more: str) -> list[str]:
        """Return the arguments of `temper VERB` for a recipe with overrides."""
        arguments = [verb, self.shown(path)]
        for override in overrides:
            arguments += ["--set", override]
        return [*arguments, *more]

    def shown(self, path: Path) -> str:
        """Return a path as it is typed in the workspace."""
        return os.path.relpath(path, self.root) if path.is_relative_to(self.root) else str(path)

    def estimate(
        self, path: Path, overrides: Sequence[str], is_unwanted: Callable[[], bool]
    ) -> tuple[tuple[Estimate, ...], str]:
        """Return what `temper plan` answers, or nothing and why not."""
        arguments = self.command("plan", path, overrides, "--json")
        outcome = run_temper(
            arguments, self.root, deadline_seconds=_DEADLINE_SECONDS, is_unwanted=is_unwanted
        )
        if outcome.code == TOO_LATE:
            return (), "`temper plan` takes more than three minutes: run it in a terminal"
        if outcome.code and not outcome.output.strip():
            told = [line for line in outcome.said.splitlines() if line.strip()]
            return (), " ".join(told[-3:]) or f"`temper plan` ended with exit code {outcome.code}"
        try:
            return read_estimates(outcome.output), ""
        except (ValueError, TypeError, AttributeError, KeyError):
            return (), "`temper plan` answered what cannot be read"

    def changes(self, run: Path, reading: Reading) -> tuple[Change, ...] | None:
        """Return what differs from a run; None where that cannot be told."""
        if reading.resolved is None:
            return None
        try:
            return changes_since(run, reading.resolved)
        except TemperError:
            return None
