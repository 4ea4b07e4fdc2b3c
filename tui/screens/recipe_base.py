"""What the Train screen does behind its keys: one recipe read, checked and estimated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from tui.form.desk import Desk
from tui.form.draft import Draft
from tui.form.estimate import Estimate
from tui.form.parent import Change
from tui.form.reading import Reading
from tui.form.recipes import find_recipes
from tui.form.state import RecipeState, faults_of
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow
from workspace.errors import TemperError
from workspace.layout import RECIPE

if TYPE_CHECKING:
    from tui.app import TemperApp

_TYPING_SECONDS = 0.25
"""A pause in typing after which the YAML is read."""
_ESTIMATE_SECONDS = 0.5
"""A pause in changes after which what the recipe takes is asked again."""


class RecipeScreen(LiveScreen):
    """Holds a draft and what is known of it; a subclass shows it."""

    @dataclass
    class Found(Message):
        """A recipe was read from disk, or could not be."""

        asked: Path | None
        """What was asked for; None is the workspace's own."""
        path: Path
        draft: Draft | None
        trouble: str = ""

    @dataclass
    class Understood(Message):
        """A text of the draft was checked."""

        reading: Reading

    @dataclass
    class Estimated(Message):
        """`temper plan` answered for a text."""

        text: str
        estimates: tuple[Estimate, ...]
        trouble: str

    @dataclass
    class Compared(Message):
        """A text was compared with a run."""

        run: str
        changes: tuple[Change, ...] | None

    @dataclass
    class Looked(Message):
        """The file on disk was looked at."""

        draft: Draft
        on_disk: str | None
        take: bool
        """Whether what is there is to be taken, whatever was changed here."""

    @dataclass
    class Saved(Message):
        """The draft was written, or not."""

        error: TemperError | None

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.desk = Desk(root)
        self.path: Path | None = None
        self.draft: Draft | None = None
        self.state = RecipeState()
        self.is_behind = False
        self._pauses: dict[str, Timer] = {}
        self._wanted: Path | None = None

    def present(self) -> None:
        """Show the state."""
        raise NotImplementedError

    def unsaved(self) -> str:
        """Return that the recipe's changes are lost, if there are any."""
        draft = self.draft
        if draft is None or not draft.is_changed:
            return ""
        return f"{draft.path.name}: its changes are not saved (w saves them)."

    def open(self, path: Path | None) -> None:
        """Read a recipe from disk; None means the workspace's own."""
        self._wanted = path

        def work() -> None:
            found = path or next(iter(find_recipes(self.root)), self.root / RECIPE)
            try:
                found = found.resolve()
                self.post_message(self.Found(path, found, Draft.read(found)))
            except TemperError as error:
                self.post_message(self.Found(path, found, None, str(error)))

        self._in_thread(work, "open")

    def on_recipe_screen_found(self, message: Found) -> None:
        """Begin with another recipe."""
        if message.asked != self._wanted:
            return  # yet another was asked for meanwhile
        self.path, self.draft = message.path, message.draft
        self.state = RecipeState(trouble=message.trouble)
        self.is_behind = False
        self.present()
        self.read()

    def change(self, text: str) -> None:
        """Take another text for the draft."""
        if self.draft is not None and text != self.draft.text:
            self.draft.change(text)
            self.read()

    def read(self) -> None:
        """Check the draft's text."""
        draft = self.draft
        if draft is None:
            return
        text, saved, path = draft.text, draft.saved, draft.path
        self.state = replace(self.state, is_stale=True)

        def work() -> None:
            self.post_message(self.Understood(self.desk.read(text, path, saved)))

        self._in_thread(work, "read")

    def on_recipe_screen_understood(self, message: Understood) -> None:
        """Show what a text says, and ask what it takes."""
        reading, draft = message.reading, self.draft
        if draft is None or reading.text != draft.text:
            return  # another text is being read
        self.state = replace(self.state, reading=reading, faults=faults_of(reading))
        self.present()
        if reading.is_yaml and not reading.faults:
            self.after(_ESTIMATE_SECONDS, "estimate", self._estimate)
        self._compare()

    def _estimate(self) -> None:
        reading, path = self.state.reading, self.path
        if reading is None or path is None or reading.faults:
            return
        overrides = reading.overrides
        if overrides is None:
            told = "save first: `--set` cannot say what was taken out"
            self.state = replace(self.state, estimates=(), trouble=told)
            self.present()
            return

        def work() -> None:
            worker = get_current_worker()
            found, trouble = self.desk.estimate(path, overrides, lambda: worker.is_cancelled)
            if not worker.is_cancelled:
                self.post_message(self.Estimated(reading.text, found, trouble))

        self._in_thread(work, "estimate")

    def on_recipe_screen_estimated(self, message: Estimated) -> None:
        """Show an estimate, if it is of the text on the screen."""
        if self.draft is None or message.text != self.draft.text:
            return
        found = message.estimates
        self.state = replace(self.state, estimates=found, trouble=message.trouble, is_stale=False)
        self.present()

    def _compare(self) -> None:
        row, reading = self.newest_run(), self.state.reading
        if row is None or reading is None or reading.resolved is None:
            if row is None and self.state.parent:
                self.state = replace(self.state, parent="", changes=None)
                self.present()
            return

        def work() -> None:
            self.post_message(self.Compared(row.label, self.desk.changes(row.path, reading)))

        self._in_thread(work, "compare")

    def on_recipe_screen_compared(self, message: Compared) -> None:
        """Show what differs from the newest run."""
        self.state = replace(self.state, parent=message.run, changes=message.changes)
        self.present()

    def newest_run(self) -> RunRow | None:
        """Return the newest run of this recipe that can be read."""
        runs = cast("TemperApp", self.app).snapshot.runs
        own = [row for row in runs if row.recipe == str(self.path) and row.state != "broken"]
        return max(own, key=lambda row: row.id, default=None)

    def show(self, update: Update) -> None:
        """Look whether the file or the newest run is another."""
        if self.draft is None:
            return
        newest = self.newest_run()
        if (newest.label if newest is not None else "") != self.state.parent:
            self._compare()
        self.look()

    def look(self, *, take: bool = False) -> None:
        """Look whether the file is still what was read, and take it as it is if `take`."""
        draft = self.draft
        if draft is None:
            self.open(self._wanted)
            return

        def work() -> None:
            self.post_message(self.Looked(draft, draft.look(), take))

        self._in_thread(work, "look")

    def on_recipe_screen_looked(self, message: Looked) -> None:
        """Follow the file where nothing was changed here; else say that it is another."""
        draft, found = message.draft, message.on_disk
        if draft is not self.draft:
            return
        is_behind = found != draft.saved
        if is_behind and found is not None and (message.take or not draft.is_changed):
            draft.take(found)
            self.is_behind = False
            self.read()
        elif is_behind != self.is_behind:
            self.is_behind = is_behind
            self.present()

    def save(self, *, over: bool = False) -> None:
        """Write the draft."""
        draft = self.draft
        if draft is None:
            return

        def work() -> None:
            error: TemperError | None = None
            try:
                draft.save(over=over)
            except TemperError as found:
                error = found
            self.post_message(self.Saved(error))

        self._in_thread(work, "save")

    def after(self, seconds: float, name: str, then: object) -> None:
        """Call `then` after a pause; a later call of the same name begins the pause anew."""
        if name in self._pauses:
            self._pauses[name].stop()
        self._pauses[name] = self.set_timer(seconds, then)  # type: ignore[arg-type]

    def _in_thread(self, work: object, group: str) -> None:
        self.run_worker(
            work,  # type: ignore[arg-type]
            thread=True,
            exclusive=True,
            group=group,
            exit_on_error=False,
        )
