"""Home: the workspace at a glance, and what to do next.

Where there is room all panes are shown at once; else one of them, and `tab` goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Resize, ScreenSuspend
from textual.geometry import Size
from textual.message import Message

from tui.actions import bindings
from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.glyphs import Glyphs
from tui.jobs import JobRow
from tui.next_steps import Step, is_empty, next_steps
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow, Snapshot
from tui.widgets.chart import Chart
from tui.widgets.digest import DigestRows
from tui.widgets.header import Header
from tui.widgets.hints import Hints
from tui.widgets.machine import Machine
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.runs import RunTable
from tui.widgets.selection import Selection
from tui.widgets.steps import NextLine, Steps
from tui.widgets.table import Table
from tui.widgets.tables import DatasetTable, EvalTable, JobTable

if TYPE_CHECKING:
    from tui.app import TemperApp
    from tui.away.digest import Digest
    from tui.gpus.reading import GpuReport
    from tui.gpus.watch import GpuWatch

_FAR = 1 << 40
_WIDE, _TALL = 128, 34
"""From this size on all panes are shown at once."""
Pane = Table[Any] | Steps | Machine


class HomeScreen(LiveScreen):
    """Runs, datasets, evaluations, jobs, the machine, and what to do next."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]

    class GpusRead(Message):
        """The GPUs were asked."""

        def __init__(self, report: GpuReport) -> None:
            super().__init__()
            self.report = report

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._header = Header(glyphs)
        self._pane_tabs = PaneTabs(glyphs, id="pane-tabs")
        self._digest = DigestRows(glyphs)
        self._runs = RunTable(glyphs, id="runs")
        self._datasets = DatasetTable(glyphs, id="datasets")
        self._evals = EvalTable(glyphs, id="evals")
        self._jobs = JobTable(glyphs, id="jobs")
        self._steps = Steps(glyphs, id="steps")
        self._machine = Machine(glyphs, id="machine")
        self._chart = Chart(glyphs, id="chart")
        self._details = Selection(glyphs, root, id="details")
        self._next = NextLine(glyphs, id="next")
        self._hints = Hints(glyphs, "home")
        self._tables: list[Table[Any]] = [self._runs, self._datasets, self._evals, self._jobs]
        for table in self._tables:
            table.add_class("pane", update=False)
        self._panes: list[tuple[str, Pane]] = [
            ("runs", self._runs),
            ("datasets", self._datasets),
            ("evaluations", self._evals),
            ("jobs", self._jobs),
            ("next", self._steps),
            ("machine", self._machine),
        ]
        self._place = 0
        self._is_composed = False
        self._is_chosen = False
        """Whether somebody went to the pane that is shown."""
        self._snapshot = Snapshot(root)
        self._gpus: GpuWatch | None = None

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._header
        yield self._pane_tabs
        with Container(id="body"):
            with Container(id="panes"):
                yield from self._at_first(*self._tables)
            with Container(id="side"):
                yield from self._at_first(self._steps)
                yield self._chart
                yield self._details
                yield from self._at_first(self._machine)
        yield self._next
        yield self._hints

    def _at_first(self, *panes: Pane) -> list[Pane]:
        """Return those that are seen at first; the others are mounted after the first paint."""
        return [pane for pane in panes if self.has_class("-all") or pane is self._pane]

    def on_mount(self) -> None:
        """Begin with the runs, or where the first look at the disk, if that was sooner, led."""
        self._is_composed = True
        self._activate(self._place)
        self.call_after_refresh(self._mount_the_rest)

    def _mount_the_rest(self) -> None:
        """Mount what was not seen at first."""
        if self._digest.is_attached:
            return
        self.mount(self._digest, after=self._header)
        panes, side = self.query_one("#panes"), self.query_one("#side")
        panes.mount(*(one for one in self._tables if not one.is_attached))
        if not self._steps.is_attached:
            side.mount(self._steps, before=self._chart)
        if not self._machine.is_attached:
            side.mount(self._machine)

    def expect(self, size: Size) -> None:
        """Lay out for a size: with all panes where there is room."""
        super().expect(size)
        self.set_class(_has_room(size), "-all", update=False)

    def on_resize(self, event: Resize) -> None:
        """Show all panes where there is room."""
        if self.has_class("-all") != _has_room(event.size):
            self._mount_the_rest()
            self.toggle_class("-all")
            self._activate(self._place)

    def show(self, update: Update) -> None:
        """Show what is new."""
        if self._gpus is None:  # not before what is on disk is painted
            self.call_after_refresh(self._watch_gpus)
        self._snapshot = snapshot = update.snapshot
        self._find_place(snapshot)
        self._header.show(snapshot)
        self._runs.show(snapshot.runs)
        self._datasets.show(snapshot.datasets)
        self._evals.show(snapshot.evals)
        self._jobs.show(snapshot.jobs)
        self._machine.show(snapshot.disk, snapshot.jobs)
        is_new = is_empty(snapshot)
        self._steps.show(next_steps(snapshot), "Nothing is here yet. Begin:" if is_new else "")
        self._next.show(self._steps.selected)
        self._name_tabs()

    def show_digest(self, digest: Digest) -> None:
        """Show what came while nobody was there."""
        self._digest.show(digest)
        self.add_class("-away")

    def action_put_away(self) -> None:
        """Put it away."""
        self._digest.show(None)
        self.remove_class("-away")

    # GPUs

    def _watch_gpus(self) -> None:
        """Begin to ask for the GPUs, if there are signs of any."""
        from tui.gpus.reading import GpuReport
        from tui.gpus.watch import GpuWatch, may_have_gpus

        if self._gpus is not None:
            return
        self._gpus = GpuWatch(lambda report: self.post_message(self.GpusRead(report)))
        if may_have_gpus():
            self._gpus.start()
        else:
            self._machine.show_gpus(GpuReport())

    def on_home_screen_gpus_read(self, message: GpusRead) -> None:
        """Show what the driver said."""
        self._machine.show_gpus(message.report)
        self._name_tabs()

    def on_screen_suspend(self, event: ScreenSuspend) -> None:
        """Ask nothing while another screen is shown."""
        if self._gpus is not None:
            self._gpus.pause(True)

    def on_screen_resume(self) -> None:
        """Go on asking."""
        if self._gpus is not None:
            self._gpus.pause(False)

    def on_unmount(self) -> None:
        """Let the child that asks the driver go."""
        if self._gpus is not None:
            self._gpus.stop()

    # Panes

    @property
    def _pane(self) -> Pane:
        """The pane that the keys are for."""
        return self._steps if self.has_class("-empty") else self._panes[self._place][1]

    def _activate(self, place: int) -> None:
        if place >= self._count:
            place = 0
        self._place = place
        if self._is_composed and not self._pane.is_attached:
            self._mount_the_rest()
        for _, pane in self._panes:
            pane.activate(pane is self._pane)
            pane.set_class(pane is self._pane, "-shown")
        self.set_class(self._pane in (self._steps, self._machine), "-beside")
        self._name_tabs()
        self._show_selected()

    @property
    def _count(self) -> int:
        """How many panes keys go to: the last has no cursor, and needs none where it is whole."""
        is_whole = self.has_class("-all") and not self._machine.is_cut
        return len(self._panes) - is_whole

    def _find_place(self, snapshot: Snapshot) -> None:
        """Until somebody goes to a pane: the runs, or what to do next while there is none."""
        was_empty, place = self.has_class("-empty"), self._place
        self.set_class(is_empty(snapshot), "-empty")
        if not self._is_chosen:
            place = 0 if snapshot.runs else self._place_of(self._steps)
        if place != self._place or was_empty != self.has_class("-empty"):
            self._activate(place)

    def _place_of(self, pane: Pane) -> int:
        return next(place for place, (_, one) in enumerate(self._panes) if one is pane)

    def _name_tabs(self) -> None:
        snapshot = self._snapshot
        remarks = {
            "runs": str(len(snapshot.runs)),
            "datasets": str(len(snapshot.datasets)),
            "evaluations": str(len(snapshot.evals)),
            "jobs": str(len(snapshot.jobs)),
            "machine": self._machine.remark,
        }
        names = [("evals" if name == "evaluations" else name) for name, _ in self._panes]
        shown = [remarks.get(name, "") for name, _ in self._panes]
        self._pane_tabs.show([*zip(names, shown, strict=True)], self._place)

    def _show_selected(self) -> None:
        """Show beside the tables what is selected in the one that has the keys."""
        pane = self._pane
        row = pane.selected if isinstance(pane, Table) else self._runs.selected
        self.set_class(not isinstance(row, RunRow), "-no-curve")
        self._details.select(row)
        self._chart.show(row if isinstance(row, RunRow) else None)

    def action_pane(self, by: int) -> None:
        """Go to another pane."""
        self._go_to((self._place + by) % self._count)

    def action_show_pane(self, place: int) -> None:
        """Go to the pane that was clicked."""
        self._go_to(place)

    def _go_to(self, place: int) -> None:
        self._is_chosen = True
        self._activate(place)

    def on_table_touched(self, message: Table.Touched) -> None:
        """Go to the table that was clicked."""
        self._go_to(self._place_of(message.table))

    def on_table_selected(self, message: Table.Selected) -> None:
        """Show the selected row beside the tables."""
        if message.table is self._pane or self._pane in (self._steps, self._machine):
            self._show_selected()

    async def on_table_opened(self) -> None:
        """Open the row that was clicked twice."""
        await self.action_open()

    async def action_recipe(self) -> None:
        """Show the recipe of the selected run as a form."""
        row = self._runs.selected
        if row is not None and row.recipe:
            await self._temper.open_recipe(Path(row.recipe))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._pane.move(by)
        self._next.show(self._steps.selected)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._pane.move_page(by)
        self._next.show(self._steps.selected)

    def action_first(self) -> None:
        """Go to the first row."""
        self.action_move(-_FAR)

    def action_last(self) -> None:
        """Go to the last row."""
        self.action_move(_FAR)

    # What is done

    @property
    def _temper(self) -> TemperApp:
        return cast("TemperApp", self.app)

    @property
    def _selected(self) -> RunRow | DatasetRow | EvaluationRow | JobRow | Step | None:
        return self._pane.selected

    async def action_open(self) -> None:
        """Open what is selected on a screen of its own; do what is proposed."""
        match self._selected:
            case RunRow() as run:
                self._temper.open_run(run.id)
            case JobRow() as job:
                from tui.doing import open_job

                await open_job(self._temper, job)
            case DatasetRow() as dataset if dataset.record is not None:
                await self._temper.open_dataset(dataset.version)
            case EvaluationRow() as evaluation:
                self._temper.open_eval(evaluation.path)
            case Step():
                self.action_do()

    def action_do(self) -> None:
        """Run what is proposed."""
        if self._steps.selected is not None:
            from tui.doing import do_step

            do_step(self._temper, self._steps.selected)

    def copy_text(self) -> str:
        """Return the command that is shown for the selected line."""
        from tui.doing import command_of

        return command_of(self._selected)

    def action_stop(self) -> None:
        """Ask the selected job, or that of the selected run, to stop."""
        from tui.doing import stop_job

        stop_job(self._temper, self._job())

    def action_resume(self) -> None:
        """Go on with the selected run."""
        from tui.doing import resume_job

        resume_job(self._temper, self._job())

    def _job(self) -> JobRow | None:
        row = self._selected
        if isinstance(row, RunRow):
            name = row.job.name if row.job is not None else ""
            return next((job for job in self._snapshot.jobs if job.id == name), None)
        return row if isinstance(row, JobRow) else None


def _has_room(size: Size) -> bool:
    return size.width >= _WIDE and size.height >= _TALL
