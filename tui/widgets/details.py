"""What is known of the selected run, the most useful lines first, and the command that goes on."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path

from tui.figures import count, duration, measure, moment
from tui.glyphs import ROLES, Glyphs
from tui.snapshot import RunRow, unstamped
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain

_LABEL = 9


def next_command(row: RunRow) -> str:
    """Return the `temper` command that takes this run one step further."""
    run = shlex.quote(row.label)
    if row.state == "broken":
        return ""
    if row.is_active:
        return f"temper logs {shlex.quote(unstamped(row.job.name))}" if row.job is not None else ""
    if row.state != "finished":
        return f"temper resume {run}"
    if row.verdict is None:
        return f"temper eval {run}"
    return f"temper report {shlex.quote(unstamped(row.verdict.evaluation.name))}"


class Details(Rows):
    """Facts about one run, a line each."""

    def __init__(self, glyphs: Glyphs, root: Path, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._root = root.resolve()
        self._row: RunRow | None = None

    def show(self, row: RunRow | None) -> None:
        """Show another run, or the same at a later moment."""
        self._row = row
        self.redraw()

    @property
    def command(self) -> str:
        """The command that goes on from here; empty if there is none."""
        return next_command(self._row) if self._row is not None else ""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the facts, by what they are worth on a small screen."""
        facts = [(label, part) for label, part in self.facts() if part[0]]
        spare = max(0, height - len(facts))
        lines: list[Line] = []
        for label, (text, role) in facts:
            wrapped = textwrap.wrap(plain(text), max(8, width - _LABEL)) or [""]
            if len(wrapped) > 1 + spare:
                wrapped[spare:] = [" ".join(wrapped[spare:])]
            spare -= len(wrapped) - 1
            lines += [
                self._line(label if y == 0 else "", (part, role), width)
                for y, part in enumerate(wrapped)
            ]
        return lines

    def facts(self) -> list[tuple[str, Part]]:
        """Return what is known, each with its label and colour; what is empty is left out."""
        return self._facts(self._row) if self._row is not None else []

    def _line(self, label: str, part: Part, width: int) -> Line:
        text, role = part
        return (
            (fit(label, min(width, _LABEL), ""), "muted"),
            (fit(text, max(0, width - _LABEL), self.glyphs.ellipsis), role),
        )

    def _facts(self, row: RunRow) -> list[tuple[str, Part]]:
        command = next_command(row)
        return [
            ("state", (self._state(row), ROLES.get(row.state, ""))),
            ("because", (row.reason, "")),
            ("next", (f"{self.glyphs.prompt} {command}" if command else "", "accent")),
            ("verdict", self._verdict(row)),
            ("recipe", (self.joined(self.short(row.recipe), row.method, row.adapter), "")),
            ("dataset", (self.short(row.dataset), "")),
            ("step", (self._step(row), "")),
            ("event", (row.last_event, "")),
            ("run", (self.short(str(row.path.resolve())), "")),
            ("job", (self.short(str(row.job.resolve())) if row.job is not None else "", "")),
            ("base", (self._tail(row.base), "")),
        ]

    def joined(self, *facts: str) -> str:
        """Return facts side by side, those that are empty left out."""
        return f" {self.glyphs.dot} ".join(fact for fact in facts if fact)

    def _state(self, row: RunRow) -> str:
        started = "" if row.started is None else f"since {moment(row.started)}"
        attempt = f"attempt {row.attempt}" if row.attempt > 1 else ""
        mark = self.glyphs.marks.get(row.state, "?")
        return self.joined(f"{mark} {row.state}", started if row.is_active else "", attempt)

    def _verdict(self, row: RunRow) -> Part:
        if row.verdict is None:
            return ("not evaluated yet" if row.state == "finished" else ""), "muted"
        word = row.verdict.verdict
        mark = self.glyphs.marks.get(word, "?")
        return f"{mark} {row.verdict.headline or word}", ROLES.get(word, "")

    def _step(self, row: RunRow) -> str:
        metrics = row.metrics
        if metrics.step is None:
            return ""
        speed = metrics.tokens_per_second
        norm = metrics.grad_norm
        left = row.remaining_seconds
        return self.joined(
            f"{metrics.step} of {metrics.max_steps or '?'}",
            f"{duration(left)} left" if left is not None else "",
            f"{count(speed)} tokens/s" if speed is not None else "",
            f"gradient {measure(norm)}" if norm is not None else "",
        )

    def _tail(self, path: str) -> str:
        """Return the last two parts of an absolute path; a hub name stays as it is."""
        parts = Path(path).parts
        is_long = path.startswith("/") and len(parts) > 3
        return f"{self.glyphs.ellipsis}/{'/'.join(parts[-2:])}" if is_long else path

    def short(self, path: str) -> str:
        """Return a path relative to the workspace if it is in it."""
        if path and Path(path).is_relative_to(self._root):
            return str(Path(path).relative_to(self._root))
        return path
