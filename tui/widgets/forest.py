"""A forest plot in text: each ability's change with its interval, the limit and zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.glyphs import ROLES, Glyphs
from tui.widgets.picking import marked
from tui.widgets.rows import Line, Part, fit, right
from tui.widgets.sectioned import ROW, Sectioned

if TYPE_CHECKING:
    from evalsuite.report.plot import Forest as ForestPart
    from evalsuite.report.plot import Row
    from evalsuite.verdict import AbilityResult

ORDERS = ("worst first", "by change", "by name", "as in the suite")
_RANK = {"fail": 0, "not measured": 1, "inconclusive": 2}
_STATES = {"too_few": "too few", "not_run": "not run", "error": "error", "incompatible": "unlike"}
_NARROWEST_PLOT = 16
_VERDICT = 10


@dataclass(frozen=True)
class _Marks:
    """The characters of the picture."""

    line: str
    left: str
    right: str
    limit: str
    zero: str


_UNICODE = _Marks("─", "├", "┤", "┊", "│")
_ASCII = _Marks("-", "[", "]", ":", "|")


@dataclass(frozen=True)
class _Column:
    """One column of figures and from which width on it is shown."""

    title: str
    width: int
    from_width: int
    text: Callable[[AbilityResult], str]


class Forest(Sectioned):
    """Abilities, one a line, in parts that share an axis; one is picked."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._parts: tuple[ForestPart, ...] = ()
        self._rows: list[Row] = []
        self.order = 0

    def show(self, parts: tuple[ForestPart, ...], picked: str | None = None) -> None:
        """Show other abilities, or the same in another order, with the cursor on `picked`."""
        self._parts = parts
        self._rows = []
        layout = []
        for number, part in enumerate(parts):
            layout.append(("title", number))
            for row in self._ordered(part.rows):
                layout.append((ROW, len(self._rows)))
                self._rows.append(row)
            layout.append(("axis", number))
        names = [row.ability.name for row in self._rows]
        self.lay_out(layout, names.index(picked) if picked in names else 0)

    def sort(self) -> str:
        """Go to the next order and return its name."""
        self.order = (self.order + 1) % len(ORDERS)
        self.show(self._parts, self.picked.name if self.picked is not None else None)
        return ORDERS[self.order]

    @property
    def picked(self) -> AbilityResult | None:
        """The ability under the cursor."""
        return self._rows[self.cursor].ability if self._rows else None

    def _ordered(self, rows: Sequence[Row]) -> list[Row]:
        keys: tuple[Callable[[Row], object], ...] = (
            lambda row: (_RANK.get(row.ability.verdict, 3), row.ability.difference or 0.0),
            lambda row: row.ability.difference if row.ability.difference is not None else 9e9,
            lambda row: row.ability.name,
            lambda row: 0,
        )
        return sorted(rows, key=keys[self.order])  # type: ignore[arg-type]

    def drawn(self, kind: str, number: int, width: int) -> Line:
        """Return a title, an ability or an axis."""
        if kind == "title":
            return self._title(number, width)
        if kind == "axis":
            return self._axis(self._parts[number], width)
        return marked(
            self._line(self._rows[number], width, is_cursor=number == self.cursor),
            is_cursor=number == self.cursor,
        )

    def _widths(self, width: int) -> tuple[int, int, list[_Column]]:
        """Return the widths of name and plot, and the columns that fit."""
        columns = [one for one in _COLUMNS if width >= one.from_width]
        rest = width - 3 - sum(one.width for one in columns) - 1 - _VERDICT
        longest = max((len(row.ability.name) for row in self._rows), default=8) + 1
        name = max(4, min(longest, rest // 3 if rest >= 3 * _NARROWEST_PLOT // 2 else rest, 40))
        plot = rest - name
        return (name, plot, columns) if plot >= _NARROWEST_PLOT else (max(0, rest), 0, columns)

    def _title(self, number: int, width: int) -> Line:
        """Return a part's title; the first has those of the columns beside it."""
        part = self._parts[number]
        hint = part.hint.replace("dashed line", self._marks.limit)
        if number:
            is_new = hint != self._parts[number - 1].hint.replace("dashed line", self._marks.limit)
            told = fit(f"  {hint}" if is_new else "", max(0, width - len(part.title) - 1), "")
            title = fit(f" {part.title}", min(width, len(part.title) + 1), "")
            return ((title, "strong"), (told, "muted"))
        name, plot, columns = self._widths(width)
        before = "".join(right(one.title, one.width, "") for one in columns if one.title in _FIRST)
        after = "".join(
            right(one.title, one.width, "") for one in columns if one.title not in _FIRST
        )
        more = self.glyphs.ellipsis
        return (
            (fit(f" {part.title}", 3 + name, more), "strong"),
            (before, "muted"),
            (fit(f" {hint}", plot, more), "muted"),
            (after, "muted"),
        )

    def _line(self, row: Row, width: int, *, is_cursor: bool) -> Line:
        ability = row.ability
        role = ROLES.get(ability.verdict, "muted")
        name, plot, columns = self._widths(width)
        more = self.glyphs.ellipsis
        cells = {one.title: right(one.text(ability), one.width, more) for one in columns}
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f"{self.glyphs.marks.get(ability.verdict, '-')} ", role),
            (fit(ability.name, name, more), "strong" if is_cursor else ""),
            *((cells[one.title], "") for one in columns if one.title in _FIRST),
        ]
        if plot and ability.difference is None:
            parts.append((fit(f" {ability.detail or 'no numbers'}", plot, more), "muted"))
        elif plot:
            parts += self._plot(row, plot, role)
        parts += [(cells[one.title], "") for one in columns if one.title not in _FIRST]
        parts.append((fit(f" {verdict_word(ability)}", 1 + _VERDICT, more), role))
        return tuple(parts)

    @property
    def _marks(self) -> _Marks:
        return _UNICODE if self.glyphs.braille else _ASCII

    def _plot(self, row: Row, width: int, role: str) -> list[Part]:
        """Return the picture of one ability: limit and zero behind, interval and mark above."""
        cells: list[Part] = [(" ", "")] * width
        zero = next(part.zero for part in self._parts if row in part.rows)
        cells[_cell(zero, width)] = (self._marks.zero, "muted")
        cells[_cell(row.threshold, width)] = (self._marks.limit, "warn")
        if row.low is not None and row.high is not None:
            low, high = _cell(row.low, width), _cell(row.high, width)
            for x in range(low, high + 1):
                cells[x] = (self._marks.line, role)
            if low < high:
                cells[low], cells[high] = (self._marks.left, role), (self._marks.right, role)
        if row.centre is not None:
            mark = self.glyphs.marks.get(row.ability.verdict, "-")
            cells[_cell(row.centre, width)] = (mark, role)
        return _joined(cells)

    def _axis(self, part: ForestPart, width: int) -> Line:
        name, plot, columns = self._widths(width)
        before = 3 + name + sum(one.width for one in columns if one.title in _FIRST)
        text = [" "] * max(0, plot)
        taken = -1
        for tick in part.ticks if plot else ():
            label = tick.label if self.glyphs.braille else tick.label.replace("−", "-")
            begin = _cell(tick.at, plot) - len(label) // 2
            if begin > taken and begin + len(label) <= plot:
                text[begin : begin + len(label)] = label
                taken = begin + len(label)
        return ((" " * before, ""), ("".join(text), "muted"))


def verdict_word(ability: AbilityResult) -> str:
    """Return the verdict in a word or two, or why there is none."""
    if ability.verdict == "not measured":
        return _STATES.get(ability.state, "no number")
    words = {"inconclusive": "undecided"}
    if ability.purpose == "target":
        words |= {"pass": "gained", "fail": "no gain"}
    else:
        words |= {"pass": "kept", "fail": "lost"}
    return words[ability.verdict]


def _cell(position: float, width: int) -> int:
    """Return the cell of a position in per cent."""
    return max(0, min(width - 1, round(position / 100 * (width - 1))))


def _joined(cells: Sequence[Part]) -> list[Part]:
    """Return neighbouring cells of one role as one part."""
    parts: list[Part] = []
    for text, role in cells:
        if parts and parts[-1][1] == role:
            parts[-1] = (parts[-1][0] + text, role)
        else:
            parts.append((text, role))
    return parts


def _points(value: float | None, ability: AbilityResult, *, signed: bool = False) -> str:
    """Return a score in per cent or a difference in points, without the unit."""
    if value is None:
        return "-"
    scaled, digits = (value * 100, 1) if ability.bounded else (value, 3)
    return f"{scaled:{'+' if signed else ''}.{digits}f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _interval(one: AbilityResult) -> str:
    if one.low is None or one.high is None:
        return "-"
    return f"{_points(one.low, one, signed=True)} to {_points(one.high, one, signed=True)}"


_FIRST = ("base", "tuned")
_COLUMNS = (
    _Column("base", 7, 60, lambda one: _points(one.base, one)),
    _Column("tuned", 7, 60, lambda one: _points(one.tuned, one)),
    _Column("change", 8, 40, lambda one: _points(one.difference, one, signed=True)),
    _Column("95 % interval", 17, 110, _interval),
    _Column("items", 8, 110, lambda one: f"{one.n:,}"),
    _Column("would see", 11, 128, lambda one: _points(one.minimum_detectable_effect, one)),
    _Column("p Holm", 8, 128, lambda one: _p(one.p_holm)),
)
