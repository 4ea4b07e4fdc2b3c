"""The learn/forget frontier as a picture and as a page. No script; no text in them can act."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from evalsuite import sentences
from evalsuite.report.axis import round_step
from evalsuite.report.environment import HOUSE_STYLE, report_environment
from evalsuite.report.environment import TEMPLATES as HOUSE
from train.dial.document import HALVES, RULE, Dial, Row

TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 72.0, 736.0, 44.0, 372.0
_LABEL_HEIGHT, _LETTER = 14.0, 7.2


@dataclass(frozen=True)
class Axis:
    """A linear axis, in user units of the picture."""

    low: float
    high: float
    start: float
    """Where `low` lies."""
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value, cut to the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + (self.end - self.start) * min(1.0, max(0.0, share)), 1)

    def ticks(self) -> list[tuple[float, float]]:
        """Return places and values of round numbers on it."""
        step = round_step((self.high - self.low) / 6)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(self.at(index * step), index * step) for index in range(first, last + 1)]


@dataclass(frozen=True)
class Mark:
    """A point as it is drawn."""

    row: Row
    x: float
    y: float
    left: float
    """Ends of the error bars."""
    right: float
    low: float
    high: float
    label_x: float
    label_y: float
    is_chosen: bool


@dataclass(frozen=True)
class Picture:
    """Everything the template draws."""

    marks: tuple[Mark, ...]
    path: tuple[tuple[float, float], ...]
    """The points of the finished model, from scale 0 to 1."""
    horizontal: Axis
    vertical: Axis
    margin: float | None
    """Place of the largest acceptable loss, where all abilities share it."""


def lay_out(dial: Dial) -> Picture:
    """Return where everything lies."""
    margins = {one.margin for row in dial.rows for one in row.standing.abilities if _is_kept(one)}
    margin = -margins.pop() if len(margins) == 1 else None
    xs = [0.0, *([] if margin is None else [margin])]
    ys = []
    for row in dial.rows:
        one = row.standing
        xs += [v for v in (one.worst_change, one.worst_low, one.worst_high) if v is not None]
        ys += [v for v in (one.gain, one.gain_low, one.gain_high) if v is not None]
    horizontal = _axis(xs, _LEFT, _RIGHT)
    vertical = _axis(ys, _BOTTOM, _TOP)
    path = tuple(
        (horizontal.at(row.standing.worst_change), vertical.at(row.standing.gain))
        for row in dial.rows
        if not row.point.step
    )
    marks = _marks(dial, horizontal, vertical)
    place = None if margin is None else horizontal.at(margin)
    return Picture(tuple(marks), path, horizontal, vertical, place)


def _is_kept(ability: object) -> bool:
    return getattr(ability, "purpose", "") == "retention"


def _axis(values: Sequence[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    pad = max(0.06 * (high - low), 0.005)
    return Axis(low - pad, high + pad, start, end)


def _marks(dial: Dial, horizontal: Axis, vertical: Axis) -> list[Mark]:
    chosen = dial.chosen
    centres = [
        (horizontal.at(row.standing.worst_change), vertical.at(row.standing.gain))
        for row in dial.rows
    ]
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in centres]
    marks = []
    for row, (x, y) in zip(dial.rows, centres, strict=True):
        one = row.standing
        label = _free_place(x, y, len(row.point.name), taken)
        low, high = _or(one.worst_low, one.worst_change), _or(one.worst_high, one.worst_change)
        marks.append(
            Mark(
                row=row,
                x=x,
                y=y,
                left=horizontal.at(low),
                right=horizontal.at(high),
                low=vertical.at(_or(one.gain_low, one.gain)),
                high=vertical.at(_or(one.gain_high, one.gain)),
                label_x=label[0],
                label_y=label[1],
                is_chosen=chosen is not None and chosen.point == row.point,
            )
        )
    return marks


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _free_place(
    x: float, y: float, letters: int, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float]:
    """Return where a label begins so that it covers no other, and remember its place."""
    width = letters * _LETTER
    places = [
        (x + 10 + 8 * ring * dx - (width + 20) * (dx < 0), y - 8 + dy * (12 + 14 * ring))
        for ring in range(4)
        for dx, dy in ((1, 0), (-1, 0), (1, 1.6), (-1, 1.6), (1, -1), (-1, -1))
    ]
    for left, base in places:
        box = (left, base - _LABEL_HEIGHT + 3, left + width, base + 3)
        inside = box[0] > _LEFT and box[2] < WIDTH and box[1] > _TOP - 20 and box[3] < _BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return round(left, 1), round(base, 1)
    return round(places[0][0], 1), round(places[0][1], 1)


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def render_picture(dial: Dial) -> str:
    """Return `frontier.svg`, which stands alone."""
    return _render("frontier.svg.j2", dial)


def render_page(dial: Dial) -> str:
    """Return `dial.html`: one file that asks the network for nothing."""
    return _render("dial.html.j2", dial)


def _render(template: str, dial: Dial) -> str:
    environment = report_environment(TEMPLATES, HOUSE)
    environment.filters.update(score=sentences.score, change=sentences.change, size=sentences.size)
    style = "\n".join(
        path.read_text(encoding="utf-8") for path in (HOUSE / HOUSE_STYLE, TEMPLATES / "dial.css")
    )
    return environment.get_template(template).render(
        dial=dial,
        picture=lay_out(dial),
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        style=Markup(style),
        svg_style=Markup((TEMPLATES / "frontier.css").read_text(encoding="utf-8")),
        bounded=bounded(dial),
        rule=RULE,
        halves=HALVES,
        sentence=recommendation(dial),
    )


def bounded(dial: Dial) -> bool:
    """Return whether all scores lie between 0 and 1."""
    return all(one.bounded for row in dial.rows for one in row.standing.abilities)


def recommendation(dial: Dial) -> str:
    """Return what follows, in one or two sentences."""
    chosen = dial.chosen
    b = bounded(dial)
    unit = sentences.unit(b)
    if chosen is None:
        return _REFUSED[str(dial.choice)]
    one = chosen.expected
    tuned = dial.tuned.standing
    share = ""
    if tuned.gain > 0 and dial.row(chosen.point).point != dial.tuned.point:
        part = dial.row(chosen.point).standing.gain / tuned.gain
        share = f" (on all items {part:.0%} of what the run as trained gains)"
    return (
        f"Take {chosen.point.name}. On the {one.items:,} items that had no say in the choice it "
        f"gains {sentences.change(one.gain, bounded=b)}{unit}{share}; "
        f"nearest to its margin is {one.worst}, {sentences.change(one.worst_change, bounded=b)}"
        f"{unit} of {sentences.size(one.worst_margin, bounded=b)} allowed"
        + ("." if one.keeps else "; on these items alone that is not shown to be within it.")
    )


_REFUSED = {
    "invalid": "Not valid: a check of the measurement failed, so no number may be trusted.",
    "nothing gained": "No point is recommended: none gains anything on the targets.",
    "lost": "No point is recommended: every one that gains certainly loses more than a margin.",
    "undecided": "No point is recommended: of none that gains is it shown that every ability stays "
    "within its margin. More items per ability, or smaller scales, may show it.",
}
