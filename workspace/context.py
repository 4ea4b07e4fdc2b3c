"""What every command gets from the top: the whole recipe schema, and where to write.

Results and tables go to stdout; notes and progress to stderr. Progress is a live line on a
terminal and plain lines otherwise, so that logs stay readable.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from workspace.text import plain

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from workspace.recipe import Recipe


@dataclass
class Context:
    """Passed down by the root command as `ctx.obj`."""

    compose: Callable[[], Mapping[str, type[BaseModel]]]
    """Returns section name → model for the whole recipe; called when a recipe is read."""
    argv: tuple[str, ...] = field(default_factory=lambda: ("temper", *sys.argv[1:]))
    """The command as typed, for records."""

    @cached_property
    def sections(self) -> Mapping[str, type[BaseModel]]:
        """The whole recipe schema."""
        return self.compose()

    def load_recipe(self, path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
        """Read a recipe and check all of it, not only the section this command needs."""
        from workspace.recipe import load_recipe

        return load_recipe(path, self.sections, overrides)


def console(*, stderr: bool = False) -> Console:
    """Return a Rich console that neither guesses markup nor highlights text from data."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end in exit code 1, which only a gate may give."""
            raise BrokenPipeError

    return Quiet(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def note(text: str = "") -> None:
    """Say something to a person, on stderr; control characters are made visible."""
    _say(plain(text) + "\n")


def _say(text: str) -> None:
    """Write to stderr; a terminal that is gone must not end the work it was watching."""
    with contextlib.suppress(OSError, ValueError):  # EIO, EPIPE; closed
        sys.stderr.write(text)
        sys.stderr.flush()


def emit_json(document: Any) -> None:
    """Print one JSON document on stdout, and nothing else."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def emit_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> None:
    """Print a table on stdout; every cell is made inert.

    Args:
        title: printed above.
        columns: headers.
        rows: cells as text.
        numeric: positions of the columns that are right-aligned.
        whole: positions of the columns that are never broken over lines, for they are copied.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(plain(title, 200)), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for index, name in enumerate(columns):
        justify: Literal["left", "right"] = "right" if index in numeric else "left"
        table.add_column(
            Text(plain(name, 80)), justify=justify, overflow="fold", no_wrap=index in whole
        )
    for row in rows:
        table.add_row(*(Text(plain(cell, 400)) for cell in row))
    out = console()
    if not out.is_terminal:
        out.width = 160
    out.print(table)


class Progress:
    """Says what is happening and how long it will take.

    On a terminal one line is rewritten; elsewhere a plain line is printed every ten seconds and
    at the end.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        unit: str = "",
        done: int = 0,
        rates: bool = False,
    ) -> None:
        """Start a task called `what` of `total` units (None: not known yet), `done` of them.

        With `rates` the units done in a second are shown.
        """
        self.rates = rates
        self.what = what
        self.total = total
        self.unit = unit
        self.done = self._before = done
        self.detail = ""
        self._live = sys.stderr.isatty()
        self._started = self._begun = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        if not self._live:
            note(f"{self.what} …")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._print(final=True)
        elif self._live:
            _say("\n")

    def update(self, done: int, *, total: int | None = None, detail: str = "") -> None:
        """Set how far the work is, with an optional word on what it shows."""
        self.done, self.detail = done, detail
        self.total = total if total is not None else self.total
        self._print_if_due()

    def _print_if_due(self) -> None:
        now = time.monotonic()
        if now - self._shown >= (0.2 if self._live else 10.0):
            self._shown = now
            self._print()

    def stage(self, what: str, total: int | None = None) -> None:
        """Begin another part of the work: it is counted, and its rate taken, from 0."""
        self.what, self.total, self.detail = what, total, ""
        self.done = self._before = 0
        self._begun = time.monotonic()
        self._print_if_due()

    def advance(self, count: int = 1, *, detail: str = "") -> None:
        """Add `count` to what is done."""
        self.update(self.done + count, detail=detail)

    def line(self, *, final: bool = False) -> str:
        """Return the progress as text."""
        now = time.monotonic()
        elapsed = now - self._begun
        count = f"{self.done:,}" + (f"/{self.total:,}" if self.total else "")
        known = self.done or self.total or self.unit
        parts = [f"{self.what}: {count}{' ' + self.unit if self.unit else ''}"]
        if not known:  # a stage that cannot be counted
            parts = [f"{self.what} …"]
        if self.detail:
            parts.append(self.detail)
        if final:
            parts.append(f"in {duration(now - self._started)}")
        elif self.done > self._before and elapsed > 0:
            rate = (self.done - self._before) / elapsed
            if self.rates:
                parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")
            if self.total:
                parts.append(f"{duration(max(0, self.total - self.done) / rate)} left")
        return " · ".join(parts)

    def _print(self, *, final: bool = False) -> None:
        if not self._live:
            note(plain(self.line(final=final), 200))
            return
        # A line that wraps cannot be rewritten in place.
        width = max(20, shutil.get_terminal_size().columns - 1)
        text = plain(self.line(final=final), width)
        _say(f"\r\x1b[2K{text}" + ("\n" if final else ""))


def duration(seconds: float) -> str:
    """Return a duration as a person would say it: `42 s`, `3 min 20 s`, `2 h 05 min`.

    >>> duration(200)
    '3 min 20 s'
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
