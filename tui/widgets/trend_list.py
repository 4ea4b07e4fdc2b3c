"""One line for each ability of each model: how often it was evaluated, and how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui.glyphs import ROLES, Glyphs
from tui.widgets.picking import Picking, marked
from tui.widgets.rows import Line, Part, fit, right

if TYPE_CHECKING:
    from evalsuite.history.timeline import Line as Trend

_TREND = 14
_FIGURE = 9
_MARKS = 12


def figure(value: float | None, trend: Trend, *, signed: bool = False) -> str:
    """Return a score in per cent, or in its own unit."""
    if value is None or value != value:
        return "-"
    scaled, digits = (value * 100, 1) if trend.bounded else (value, 3)
    return f"{scaled:{'+' if signed else ''}.{digits}f}"


class TrendList(Picking):
    """Abilities of models, one a line."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._trends: Sequence[Trend] = ()

    @property
    def picked(self) -> Trend | None:
        """The line under the cursor."""
        return self._trends[self.cursor] if self._trends else None

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._trends)

    def show(self, trends: Sequence[Trend], model: str, ability: str) -> None:
        """Show the lines, with the cursor on that of a model and an ability."""
        self._trends = trends
        matches: tuple[Callable[[Trend], bool], ...] = (
            lambda one: one.model == model and one.ability == ability,
            lambda one: one.model == model,
        )
        found = (place for match in matches for place, one in enumerate(trends) if match(one))
        self.replaced(next(found, 0))

    def headings(self, width: int) -> list[Line]:
        """Return the titles of the columns."""
        numbers = "".join(right(title, _FIGURE, "") for title in ("latest", "change"))
        tail = fit("  trend", _TREND + 2, "") + numbers + fit("  verdicts", _MARKS + 2, "")
        return [((fit("  model, ability", max(0, width - len(tail)), "") + tail, "muted"),)]

    def entry(self, place: int, width: int, *, is_cursor: bool) -> Line:
        """Return one line."""
        trend = self._trends[place]
        more = self.glyphs.ellipsis
        last = trend.points[-1]
        against = "" if trend.against == "base" else f" against {trend.against}"
        name = f"{trend.model}{against}: {trend.ability}"
        tail = 2 + _TREND + 2 * _FIGURE + 2 + _MARKS
        curve = trend.sparkline[-_TREND:] if self.glyphs.braille else self._plain(trend)
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (fit(f" {name}", max(0, width - 1 - tail), more), "strong" if is_cursor else ""),
            ("  " + fit(curve, _TREND, ""), "curve"),
            (right(figure(last.score, trend), _FIGURE, more), ""),
            (right(figure(trend.change, trend, signed=True), _FIGURE, more), ""),
            ("  ", ""),
        ]
        shown = trend.points[-_MARKS:]
        parts += [
            (self.glyphs.marks.get(one.verdict, "-"), ROLES.get(one.verdict, "muted"))
            for one in shown
        ]
        parts.append((" " * (_MARKS - len(shown)), ""))
        return marked(tuple(parts), is_cursor=is_cursor)

    def _plain(self, trend: Trend) -> str:
        from evalsuite.history.timeline import BLOCKS

        steps = self.glyphs.bars
        low = len(BLOCKS) / len(steps)
        return "".join(steps[int(BLOCKS.index(one) / low)] for one in trend.sparkline[-_TREND:])
