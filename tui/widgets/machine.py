"""The machine: its GPUs as they were asked last, who has them and who waits, and the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.events import MouseScrollDown, MouseScrollUp

from tui.figures import duration, moment
from tui.glyphs import Glyphs
from tui.jobs import JobRow
from tui.snapshot import Disk, unstamped
from tui.widgets.rows import Line, Part, Rows, fit, right

if TYPE_CHECKING:
    from tui.gpus.reading import Gauge, GpuReport, Waiter

_GIB = 1024**3
_BAR = 10
_HOT_CELSIUS = 85
_FULL_SHARE = 0.05


class Machine(Rows):
    """GPUs, processes, queue and disk, a line each."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._report: GpuReport | None = None
        self._disk: Disk | None = None
        self._jobs: dict[int, JobRow] = {}
        self.is_active = False
        self._top = 0

    def show(self, disk: Disk | None, jobs: tuple[JobRow, ...]) -> None:
        """Show how much room the disk has, and which processes are jobs of this workspace."""
        self._disk = disk
        self._jobs = {job.pid: job for job in jobs if job.pid is not None and job.is_active}
        self.redraw()

    def show_gpus(self, report: GpuReport) -> None:
        """Show what the driver said, or that it said nothing."""
        self._report = report
        self.redraw()

    def activate(self, is_active: bool) -> None:
        """Say whether this is the pane that is shown."""
        self.is_active = is_active
        self.redraw()

    @property
    def selected(self) -> None:
        """Nothing is chosen here: the keys scroll."""
        return

    def move(self, by: int) -> None:
        """Scroll, to the ends at most."""
        width, height = self.size
        most = max(0, len(self._gpus(width)) - self._room(height, width))
        self._top = min(most, max(0, min(most, self._top) + by))
        self.redraw()

    def move_page(self, by: int) -> None:
        """Scroll by a page."""
        self.move(by * max(1, self.size.height - 2))

    @property
    def remark(self) -> str:
        """The whole in a word, for the name of the pane."""
        if self._report is not None and self._report.silent_since is not None:
            return self.glyphs.marks["failed"]
        gauges = self._report.gauges if self._report is not None else ()
        return f"{len(gauges)} GPU" if gauges else ""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the disk, and a line for each GPU with its processes below it, and who waits."""
        rest, room = self._gpus(width), self._room(height, width)
        top = min(self._top, max(0, len(rest) - room))
        title: Line = (("    machine", "strong" if self.is_active else "muted"),)
        if 0 < room < len(rest):
            shown = f"  {top + 1}-{top + room} of {len(rest)}"
            title = (*title, (fit(shown, max(0, width - 11), self.glyphs.ellipsis), "muted"))
        return [title, *self._disk_line(width), *rest[top : top + room]]

    @property
    def is_cut(self) -> bool:
        """Whether there is more than is seen at once."""
        width, height = self.size
        return len(self._gpus(width)) > self._room(height, width)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll down."""
        self.move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll up."""
        self.move(-1)

    def _room(self, height: int, width: int) -> int:
        """Return how many lines there are below the title and the disk."""
        return max(0, height - 1 - len(self._disk_line(width)))

    def _gpus(self, width: int) -> list[Line]:
        report = self._report
        if report is None:
            return []
        lines: list[Line] = []
        if report.silent_since is not None:
            text = f"The GPU driver does not answer since {moment(report.silent_since)}."
            mark = self.glyphs.marks["failed"]
            lines.append(((fit(f"  {mark} {text}", width, self.glyphs.ellipsis), "bad"),))
            if report.gauges:
                lines.append(((fit("    As it was before:", width, ""), "muted"),))
        elif report.said or not report.gauges:
            said = report.said or "No NVIDIA GPU: jobs run on the CPU."
            lines.append(((fit(f"    {said}", width, self.glyphs.ellipsis), "muted"),))
        for gauge in report.gauges:
            lines.append(self._gpu(gauge, width))
            lines += [self._process(gauge, place, width) for place in range(len(gauge.processes))]
        return [*lines, *(self._waiter(one, width) for one in report.waiting)]

    def _gpu(self, gauge: Gauge, width: int) -> Line:
        if gauge.is_silent:
            text = f"  {self.glyphs.marks['failed']} {gauge.index} does not answer"
            return ((fit(text, width, self.glyphs.ellipsis), "bad"),)
        heat = f"{gauge.celsius:.0f} C" if gauge.celsius is not None else ""
        used = f"{gauge.used_bytes / _GIB:.0f}/{gauge.total_bytes / _GIB:.0f} GiB"
        busy = "" if gauge.utilisation is None else f"{gauge.utilisation:.0%}"
        tail = f"  {right(busy, 4, '')}  {right(used, 12, '')}  {right(heat, 5, '')}"
        name_width = max(8, width - 4 - _BAR - 2 - len(tail))
        filled = round((gauge.utilisation or 0) * _BAR)
        full, empty = (self.glyphs.bars[-1], self.glyphs.axis[3])
        is_hot = gauge.celsius is not None and gauge.celsius >= _HOT_CELSIUS
        return (
            (f"    {fit(f'{gauge.index} {gauge.name}', name_width, self.glyphs.ellipsis)}  ", ""),
            (full * filled, "curve"),
            (empty * (_BAR - filled), "muted"),
            (tail, "warn" if is_hot else ""),
        )

    def _process(self, gauge: Gauge, place: int, width: int) -> Line:
        process = gauge.processes[place]
        job = next((self._jobs[pid] for pid in process.lineage if pid in self._jobs), None)
        mark: Part = ("      ", "")
        if job is not None:
            mark = (f"    {self.glyphs.marks[job.state]} ", "curve")
        who = unstamped(job.id) if job is not None else process.name or "a process"
        memory = f"{process.used_bytes / _GIB:.1f} GiB" if process.used_bytes else ""
        facts = [who, f"pid {process.pid}", process.user, memory]
        told = f" {self.glyphs.dot} ".join(fact for fact in facts if fact)
        role = "" if job is not None else "muted"
        return (mark, (fit(told, max(0, width - 6), self.glyphs.ellipsis), role))

    def _waiter(self, one: Waiter, width: int) -> Line:
        since = f"for {duration(one.seconds)}" if one.seconds else ""
        facts = [f"{one.place}. waits: {one.job or one.kind}", one.user, one.workspace, since]
        told = f" {self.glyphs.dot} ".join(fact for fact in facts if fact)
        mark = self.glyphs.marks["queued"]
        return ((fit(f"    {mark} {told}", width, self.glyphs.ellipsis), "muted"),)

    def _disk_line(self, width: int) -> list[Line]:
        if self._disk is None:
            return []
        share = self._disk.free_bytes / max(1, self._disk.total_bytes)
        free, total = self._disk.free_bytes / _GIB, self._disk.total_bytes / _GIB
        is_full = share < _FULL_SHARE
        text = f"disk: {free:,.0f} of {total:,.0f} GiB free"
        text += ". Checkpoints may not fit." if is_full else ""
        mark = self.glyphs.marks["failed"] if is_full else " "
        role = "bad" if is_full else ""
        return [((fit(f"  {mark} {text}", width, self.glyphs.ellipsis), role),)]
