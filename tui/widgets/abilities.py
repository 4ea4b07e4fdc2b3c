"""What the latest evaluation found for each ability."""

from __future__ import annotations

from tui.glyphs import ROLES, Glyphs
from tui.snapshot import RunRow
from tui.verdicts import Ability
from tui.widgets.rows import Line, Rows, fit, right

_SCORE = 6
_INTERVAL = 16


class Abilities(Rows):
    """A table of abilities: base, tuned, difference with its interval."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._row: RunRow | None = None

    def show(self, row: RunRow) -> None:
        """Show the latest evaluation of `row`."""
        self._row = row
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return a title and a line for each ability, failed ones first."""
        if self._row is None or self._row.verdict is None:
            return [(("No evaluation of this run yet.", "muted"),)]
        abilities = self._row.verdict.abilities
        shown = abilities[: max(0, height - 1)]
        if len(abilities) > len(shown) and shown:
            shown = shown[:-1]
        has_interval = width >= 52
        lines = [self._titles(width, has_interval=has_interval)]
        lines += [self._line(ability, width, has_interval=has_interval) for ability in shown]
        if len(shown) < len(abilities):
            lines.append(((f"  and {len(abilities) - len(shown)} more", "muted"),))
        return lines

    def _titles(self, width: int, *, has_interval: bool) -> Line:
        numbers = "".join(right(title, _SCORE + 1, "") for title in ("base", "tuned", "change"))
        numbers += right("95 % interval", _INTERVAL, "") if has_interval else ""
        name = fit("  ability", max(0, width - len(numbers)), self.glyphs.ellipsis)
        return ((name + numbers, "muted"),)

    def _line(self, ability: Ability, width: int, *, has_interval: bool) -> Line:
        role = ROLES.get(ability.verdict, "muted")
        mark = self.glyphs.marks.get(ability.verdict, "-")
        numbers = f"{_score(ability.base)}{_score(ability.tuned)}"
        change = "" if ability.difference is None else f"{ability.difference:+.3f}"
        interval = ""
        if ability.low is not None and ability.high is not None:
            interval = f"{ability.low:+.3f} {ability.high:+.3f}"
        tail = right(change, _SCORE + 1, "")
        tail += right(interval, _INTERVAL, "") if has_interval else ""
        name_width = max(0, width - 2 - len(numbers) - len(tail))
        return (
            (f"{mark} ", role),
            (fit(ability.name, name_width, self.glyphs.ellipsis), ""),
            (numbers, ""),
            (tail, role),
        )


def _score(value: float | None) -> str:
    return right("-" if value is None else f"{value:.3f}", _SCORE + 1, "")
