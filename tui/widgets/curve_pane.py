"""One metric of one or several runs over their steps, with a cursor that reads values.

The axis goes to the planned last step from the beginning and the vertical one seldom moves, so
that a new point changes a cell or two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tui.curves import axis
from tui.curves.axis import Scale
from tui.curves.choice import Choice
from tui.curves.plot import STYLES, LineStyle, Window, draw, extremes
from tui.curves.record import RunCurves
from tui.curves.track import Track
from tui.figures import measure
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit, right

_LABEL = 7
"""Cells left of the axis."""
_LEAST = (_LABEL + 10, 5)
"""Columns and lines below which nothing is drawn."""


@dataclass(frozen=True)
class Shown:
    """A run on a chart."""

    label: str
    curves: RunCurves
    run: str = ""
    """Its id; empty for the run that the screen is of."""


class CurvePane(Rows):
    """The curves of one metric."""

    def __init__(self, glyphs: Glyphs, *, id: str, metric: str) -> None:
        super().__init__(glyphs, id=id)
        self.metric = metric
        self.is_log = False
        self.is_current = False
        """Whether keys go to this pane."""
        self._runs: Sequence[Shown] = ()
        self._choice = Choice()
        self._known: axis.Range | None = None
        self._known_for: tuple[object, ...] = ()

    def show(self, runs: Sequence[Shown], choice: Choice) -> None:
        """Draw these runs, the first one on top."""
        self._runs, self._choice = runs, choice
        self.redraw()

    @property
    def last_step(self) -> int:
        """Where the axis of the whole ends."""
        return max((shown.curves.last_step for shown in self._runs), default=1)

    @property
    def plot_columns(self) -> int:
        """Columns of the plot."""
        return max(1, self.size.width - _LABEL - 1)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the heading, who is who, the curves, the axis and its labels."""
        if not self._runs:
            return []
        locks = [shown.curves.lock for shown in self._runs]
        for lock in locks:
            lock.acquire()
        try:
            return self._drawn(width, height)
        finally:
            for lock in locks:
                lock.release()

    def _drawn(self, width: int, height: int) -> list[Line]:
        found = [
            (shown, STYLES[place % len(STYLES)], track)
            for place, shown in enumerate(self._runs)
            if (track := shown.curves.track(self.metric, self._choice.smooth)) is not None
        ]
        top = [self._heading(width)]
        if len(self._runs) > 1:
            top.append(self._legend(width))
        window = self._choice.shown(self.last_step)
        extent = extremes([track for _, _, track in found], window, is_log=self.is_log)
        rows = height - len(top) - 2
        if extent is None or width < _LEAST[0] or rows < _LEAST[1] - 3:
            return [
                *top,
                (),
                ((fit(self._why_empty(found), width, self.glyphs.ellipsis), "muted"),),
            ]
        scale = self._scale(extent, window)
        columns = width - _LABEL - 1
        drawn = [(track, style) for _, style, track in found]
        return [
            *top,
            *self._plot(drawn, window, scale, columns, rows),
            *self._axis(window, columns),
        ]

    def _scale(self, extent: axis.Range, window: Window) -> Scale:
        """Return the vertical axis; it is kept as long as the same is shown."""
        shown = (
            self.metric,
            self.is_log,
            self._choice.window,
            self._choice.smooth,
            len(self._runs),
        )
        known = self._known if shown == self._known_for else None
        widen = axis.widened_decades if self.is_log else axis.widened
        self._known, self._known_for = widen(known, *extent), shown
        return Scale(*self._known, is_log=self.is_log)

    def _why_empty(self, found: Sequence[object]) -> str:
        if not found:
            return f"No {self.metric} was recorded yet."
        if self.is_log:
            return "Nothing above zero here, which a logarithmic axis needs."
        if self._choice.window is not None:
            return "Nothing was recorded in these steps."
        return "The curve begins with its first finite value."

    def _heading(self, width: int) -> Line:
        """Say what is shown, and the value under the cursor or the latest one."""
        dot = f" {self.glyphs.dot} "
        name = self.metric.replace("_", " ")
        how = []
        if self._choice.smooth:
            how.append(f"mean of {self._choice.smooth} (EMA)")
        if self.is_log:
            how.append("log scale")
        if self._choice.window is not None:
            window = self._choice.window
            how.append(f"steps {window.first:.0f} to {window.last:.0f}")
        mark = self.glyphs.prompt if self.is_current else " "
        value = "" if len(self._runs) > 1 else f"  {self._value(self._runs[0])}"
        at = "" if self._choice.cursor is None else f" at step {self._choice.cursor}"
        tail = dot.join(how)
        head = fit(f"{mark} {name}{at}{value}", max(0, width - len(tail)), self.glyphs.ellipsis)
        return ((head, "strong"), (tail[:width], "accent"))

    def _legend(self, width: int) -> Line:
        parts: list[Part] = []
        share = max(8, width // len(self._runs))
        for place, shown in enumerate(self._runs):
            style = STYLES[place % len(STYLES)]
            sample = style.sample if self.glyphs.braille else (style.ascii or "'") * 2
            value = self._value(shown)
            name = fit(
                shown.label, max(1, share - len(sample) - len(value) - 4), self.glyphs.ellipsis
            )
            parts += [
                (f"{sample} ", style.role),
                (f"{name.rstrip()} ", ""),
                (f"{value}  ", "muted"),
            ]
        return tuple(parts)

    def _value(self, shown: Shown) -> str:
        """Return the value under the cursor, or the latest one, averaged if the curve is."""
        raw = shown.curves.tracks.get(self.metric)
        track = shown.curves.track(self.metric, self._choice.smooth)
        if raw is None or track is None:
            return "-"
        cursor = self._choice.cursor
        if cursor is None:
            return measure(track.values[-1]) if len(track) else "-"
        odd = raw.value_at(cursor)
        if odd is not None and not math.isfinite(odd):
            return str(odd)
        exact = track.value_at(cursor)
        if exact is not None:
            return measure(exact)
        place = track.nearest(cursor)
        return (
            "-" if place is None else f"{measure(track.values[place])} (step {track.steps[place]})"
        )

    def _plot(
        self,
        drawn: Sequence[tuple[Track, LineStyle]],
        window: Window,
        scale: Scale,
        columns: int,
        rows: int,
    ) -> list[Line]:
        cells = draw(drawn, window, scale, columns, rows, self.glyphs)
        labels = scale.ticks(rows, _LABEL - 1)
        bar, tick = self.glyphs.axis[0], self.glyphs.axis[1]
        at = self._cursor_column(window, columns)
        lines: list[Line] = []
        for y, row in enumerate(cells):
            if at is not None:
                character, _ = row[at]
                row[at] = (bar if character == " " else character, "accent")
            label = right(labels.get(y, ""), _LABEL - 1, "") + " "
            lines.append(
                (
                    (label, "muted"),
                    (tick if y in labels else bar, "muted"),
                    *_parts(row, self.glyphs),
                )
            )
        return lines

    def _cursor_column(self, window: Window, columns: int) -> int | None:
        cursor = self._choice.cursor
        if cursor is None or not window.first <= cursor <= window.last:
            return None
        return min(columns - 1, max(0, window.column(cursor, columns)))

    def _axis(self, window: Window, columns: int) -> list[Line]:
        """Return the axis, marked where something was wrong, and its labels."""
        corner, ahead, done = tuple(self.glyphs.axis[2:])
        first = self._runs[0].curves
        loss = first.tracks.get("loss")
        reached = window.column(loss.last_step if loss is not None else 0, columns)
        row = [(done, "accent") if x < reached else (ahead, "muted") for x in range(columns)]
        for step, character, role in self._marks():
            if window.first <= step <= window.last:
                row[min(columns - 1, max(0, window.column(step, columns)))] = (character, role)
        # No more labels than steps: else two would say the same.
        count = max(1, min(4, int(window.width))) if columns >= 40 else 1
        line = [" "] * columns
        for place in range(count + 1):
            text = f"{window.first + window.width * place / count:.0f}"
            start = round((columns - 1) * place / count) - len(text) // 2
            start = max(0, min(columns - len(text), start))
            line[start : start + len(text)] = text
        return [
            ((" " * _LABEL + corner, "muted"), *_parts(row, self.glyphs)),
            ((" " * (_LABEL + 1) + "".join(line), "muted"),),
        ]

    def _marks(self) -> list[tuple[int, str, str]]:
        """Return the steps of the first run at which something was wrong, with their glyphs."""
        first = self._runs[0].curves
        marks = [
            (alarm.step, self.glyphs.marks["broken"], "warn")
            for alarm in first.alarms
            if alarm.step is not None
        ]
        track = first.tracks.get(self.metric)
        odd = self.glyphs.marks["odd"]
        return marks + [(step, odd, "bad") for step in (track.odd_steps if track else ())]


def _parts(cells: Sequence[tuple[str, str]], glyphs: Glyphs) -> list[Part]:
    """Return cells as texts of one role each.

    Blanks between drawn cells become blank braille cells: a font that lends braille to another
    may have cells of another width, and pictures of the screen would shift what follows a space.
    """
    parts = [
        ("".join(character for character, _ in found), role)
        for role, found in groupby(cells, key=lambda cell: cell[1])
    ]
    if not glyphs.braille:
        return parts
    last = max((place for place, (_, role) in enumerate(parts) if role), default=0)
    return [
        (text.replace(" ", "\u2800") if 0 < place < last else text, role)
        for place, (text, role) in enumerate(parts)
    ]
