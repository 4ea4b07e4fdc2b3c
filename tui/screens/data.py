"""Data: the datasets of the workspace, and what became of the rows of the selected one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message

from tui.actions import bindings
from tui.browse.datasets import DatasetRow, Funnel, dataset_text, list_datasets, read_funnel
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.screens.rows import RowsScreen
from tui.temper import Outcome
from tui.widgets.dataset_list import DatasetList
from tui.widgets.funnel_rows import FunnelRows
from tui.widgets.hints import Hints
from tui.widgets.said import Said

_FAR = 1 << 40


def shortened(path: Path) -> str:
    """Return a path with `~` for the home directory."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


_NONE = "There is no dataset here yet. c curates the recipe of this workspace, o opens a file."


class DataScreen(LiveScreen):
    """The list of datasets beside the funnel of the selected one."""

    CSS_PATH = "data.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("data")]

    @dataclass
    class Found(Message):
        """The datasets were looked for."""

        rows: tuple[DatasetRow, ...]

    @dataclass
    class FunnelRead(Message):
        """The account of a dataset was read."""

        path: Path
        funnel: Funnel

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._glyphs, self._root = glyphs, root
        self._title = Said(glyphs, id="title")
        self._list = DatasetList(glyphs, id="datasets")
        self._funnel = FunnelRows(glyphs, id="funnel", selects=False)
        self._said = Said(glyphs)
        self._hints = Hints(glyphs, "data")
        self._shown: Path | None = None

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._title
        with Container(id="body"):
            yield self._list
            yield self._funnel
        yield self._said
        yield self._hints

    def on_mount(self) -> None:
        """Look for datasets."""
        self._title.show("Data", "strong", shortened(self._root))
        self._look()

    def show(self, update: Update) -> None:
        """Look again: something in the workspace is new."""
        self._look()

    def _look(self) -> None:
        def work() -> None:
            self.post_message(self.Found(list_datasets(self._root)))

        self.run_worker(work, thread=True, exclusive=True, group="look", exit_on_error=False)

    def on_data_screen_found(self, message: Found) -> None:
        """Show the datasets."""
        self._list.show(message.rows)
        self._said.show("" if message.rows else _NONE)
        if not message.rows:
            self._shown = None
            self._funnel.show(Funnel())

    def on_dataset_list_moved(self) -> None:
        """Read what became of the rows of the selected dataset."""
        row = self._list.selected
        if row is None or row.path == self._shown:
            return
        self._shown = path = row.path

        def work() -> None:
            self.post_message(self.FunnelRead(path, read_funnel(path)))

        self.run_worker(work, thread=True, exclusive=True, group="funnel", exit_on_error=False)

    def on_data_screen_funnel_read(self, message: FunnelRead) -> None:
        """Show it, if it is still of the selected dataset."""
        if message.path == self._shown:
            self._funnel.show(message.funnel)

    def on_dataset_list_opened(self) -> None:
        """Open the dataset that was clicked twice."""
        self.action_open()

    def action_open(self) -> None:
        """Open the rows of the selected dataset."""
        if self._list.selected is not None:
            self.open_rows(self._list.selected.path)

    def open_rows(self, path: Path) -> None:
        """Show the rows of a dataset or a file on a screen of their own."""
        self.app.push_screen(RowsScreen(self._glyphs, self._root, path))

    def action_dropped(self) -> None:
        """Show what became of the rows of the selected dataset, step by step."""
        from tui.screens.funnel import FunnelScreen

        if self._list.selected is not None:
            self.app.push_screen(FunnelScreen(self._glyphs, self._root, self._list.selected.path))

    def action_balance(self) -> None:
        """Show what the selected dataset is made of."""
        from tui.screens.balance import BalanceScreen

        if self._list.selected is not None:
            self.app.push_screen(BalanceScreen(self._glyphs, self._root, self._list.selected.path))

    def action_made(self) -> None:
        """Show the made rows of the selected dataset beside those they were made from."""
        from tui.screens.made import MadeScreen

        if self._list.selected is not None:
            self.app.push_screen(MadeScreen(self._glyphs, self._root, self._list.selected.path))

    def action_whole(self) -> None:
        """Show all that is known of the selected dataset: its path, why it is broken."""
        from tui.screens.whole import WholeScreen

        row = self._list.selected
        if row is not None:
            parts = [(dataset_text(row), "")]
            self.app.push_screen(WholeScreen(self._glyphs, row.name, parts=parts))

    def copy_text(self) -> str:
        """Return the path of the selected dataset."""
        return str(self._list.selected.path) if self._list.selected is not None else ""

    def action_open_file(self) -> None:
        """Ask which file of rows to open."""
        from tui.screens.dialog import Ask

        def opened(answer: str | None) -> None:
            if answer and answer.strip():
                self.open_rows(self._root / Path(answer.strip()).expanduser())

        self.app.push_screen(Ask("Open which file or directory?", hint="rows.jsonl"), opened)

    def action_curate(self) -> None:
        """Ask which recipe to curate, that of the selected dataset first; start it as a job."""
        from tui.app import TemperApp
        from tui.screens.dialog import Choose

        app = cast(TemperApp, self.app)
        recipes = [one for one in app.snapshot.recipes if "curate" in one.sections]
        if not recipes:
            self._said.show("No recipe here curates rows. 1 and then d writes one.", "warn")
            return

        def started(place: int | None) -> None:
            if place is not None:
                app.run_temper(["curate", *recipes[place].arguments, "--detach"], self._told)

        names = [one.name for one in recipes]
        wanted = self._list.selected.name if self._list.selected is not None else ""
        width = max(map(len, names))
        shown = [f"{one.name:<{width}}  {one.file}" for one in recipes]
        question = "Curate which recipe? It runs as a job of its own."
        place = names.index(wanted) if wanted in names else 0
        app.push_screen(Choose(question, shown, place), started)

    def _told(self, outcome: Outcome) -> None:
        from tui.app import TemperApp

        if outcome.code:
            cast(TemperApp, self.app).tell(outcome)
            return
        self._said.show(f"Started: {outcome.command}   {outcome.output.strip()}", "good")

    def action_refresh(self) -> None:
        """Look at the disk now."""
        self._shown = None
        self._look()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._list.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._list.move(by * max(1, self._list.size.height - 2))

    def action_first(self) -> None:
        """Go to the first dataset."""
        self._list.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last dataset."""
        self._list.move(_FAR)
