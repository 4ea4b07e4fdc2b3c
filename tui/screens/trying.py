"""What a step would keep with other numbers: at once on a sample, then exactly."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.actions import bindings
from tui.browse.changing import dry_run, stepped, write_command
from tui.glyphs import Glyphs
from tui.screens.working import Check, Tell, WorkingScreen
from tui.temper import Outcome, typed
from tui.widgets.hints import Hints
from tui.widgets.said import Said
from tui.widgets.what_if import WhatIf

if TYPE_CHECKING:
    from curate.trying import Trial, Tried
    from tui.app import TemperApp


_FAR = 1 << 40


class TryScreen(WorkingScreen):
    """The numbers of one step; the rows it would keep with others."""

    CSS_PATH = "trying.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("trying")]

    def __init__(self, glyphs: Glyphs, root: Path, dataset: Path, name: str, step: str) -> None:
        super().__init__(glyphs, root)
        self._dataset, self._dataset_name, self._step = dataset, name, step
        self._trial: Trial | None = None
        self._is_counting = False
        self._one_at_a_time = threading.Lock()
        self._title = Said(glyphs, id="title")
        self._view = WhatIf(glyphs, id="what-if")
        self._hints = Hints(glyphs, "trying")

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield self._title
        yield self._view
        yield self.said
        yield self._hints

    def on_mount(self) -> None:
        """Begin to read the rows that reached the step."""
        self._view.focus()
        self._title.show(f"{self._step} {self.glyphs.dot} what if", "strong")
        self.action_refresh()

    def action_refresh(self) -> None:
        """Read the rows anew."""
        self.said.show("reading the rows that reached this step …", "muted")

        def work(tell: Tell, check: Check) -> None:
            from curate.trying import open_trial
            from workspace.layout import Workspace

            trial = open_trial(self._dataset, self._step, Workspace(self.root))
            before = trial.tried(trial.step.settings)
            check()
            self.done(lambda: self._opened(trial, before))

        self.later("open", work)

    def _opened(self, trial: Trial, before: Tried) -> None:
        self._trial = trial
        self._view.open(trial.step.numbers(), before, trial.rows, trial.of)
        self.said.show("" if trial.step.numbers() else "This step has no number to change.", "warn")

    def action_change(self, by: int) -> None:
        """Raise or lower the selected number, and see at once what would be kept."""
        if self._trial is None or self._view.selected is None:
            return
        key, value = self._view.selected
        self._view.set(key, stepped(value, by))
        self._try()

    def _try(self) -> None:
        trial = self._trial
        assert trial is not None
        changed = dict(self._view.values)

        def work(tell: Tell, check: Check) -> None:
            from curate.trying import with_number

            settings = trial.step.settings
            for key, value in changed.items():
                settings = with_number(settings, key, value)
            with self._one_at_a_time:  # the rows compared so far are shared
                check()
                tried = trial.tried(settings)
            check()

            def shown() -> None:
                self._view.show_tried(tried)
                self.said.show("")

            self.done(shown)

        self.later("try", work)

    def action_exact(self) -> None:
        """Run the whole curation with these numbers without writing a dataset."""
        if self._trial is None:
            return
        if self._is_counting:
            self.said.show("It is being counted: wait for the result.", "muted")
            return
        recipe = self.recipe_of(self._dataset_name)
        if recipe is None:
            return
        arguments = dry_run(recipe, self._trial.step, self._view.changed)
        values = dict(self._view.values)
        self._is_counting = True
        self.said.show(f"temper {' '.join(arguments)} …", "muted")
        app = cast("TemperApp", self.app)
        app.run_temper(arguments, lambda outcome: self._counted(outcome, values))

    def _counted(self, outcome: Outcome, values: dict[str, float | int]) -> None:
        self._is_counting = False
        if values != self._view.values:
            self.said.show("The numbers are others now: enter counts these.", "muted")
            return
        if outcome.code:
            self.said.show(_first_lines(outcome), "bad")
            return
        try:
            ledger = json.loads(outcome.output)["ledger"]
            step = next(one for one in ledger["steps"] if one["step"] == self._step)
            dropped = {reason: held["rows"] for reason, held in step["dropped"].items()}
            self._view.show_exact(step["kept"]["rows"], dropped, ledger["rows"]["kept"])
        except (ValueError, KeyError, TypeError, StopIteration):
            self.said.show("The recipe has this step no more, or says something else.", "bad")
            return
        self.said.show(outcome.command, "good")

    def action_write(self) -> None:
        """Write the changed numbers into the recipe."""
        if self._trial is None:
            return
        if not self._view.changed:
            self.said.show("Nothing is changed.", "muted")
            return
        recipe = self.recipe_of(self._dataset_name)
        if recipe is None:
            return
        (key, value), *_ = self._view.changed.items()
        arguments = write_command(recipe, self._trial.step, key, value)
        cast("TemperApp", self.app).run_temper(arguments, lambda one: self._written(one, key))

    def _written(self, outcome: Outcome, key: str) -> None:
        if outcome.code:
            self.said.show(_first_lines(outcome), "bad")
            return
        self._view.keep(key)
        self.said.show(f"{outcome.command}   (curate applies it)", "good")
        if self._view.changed:
            self.action_write()

    def copy_text(self) -> str:
        """Return the command that counts exactly with these numbers."""
        recipe = self.recipe_of(self._dataset_name) if self._trial is not None else None
        if recipe is None or self._trial is None:
            return ""
        return typed(dry_run(recipe, self._trial.step, self._view.changed))

    def action_back(self) -> None:
        """Go back."""
        self.leave()

    def action_move(self, by: int) -> None:
        """Select another number."""
        self._view.move(by)

    def action_page(self, by: int) -> None:
        """Select a number further away."""
        self._view.move(by * 10)

    def action_first(self) -> None:
        """Select the first number."""
        self._view.move(-_FAR)

    def action_last(self) -> None:
        """Select the last number."""
        self._view.move(_FAR)


def _first_lines(outcome: Outcome) -> str:
    return " ".join(line.strip() for line in outcome.said.splitlines()[-6:])
