"""What a recipe would take: steps, tokens, lengths, memory, hours, money; and what it changes."""

from __future__ import annotations

import textwrap

from tui.figures import count
from tui.form.estimate import Cost, Estimate
from tui.form.state import RecipeState
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit
from workspace.text import plain

_LABEL = 9


class EstimatePane(Rows):
    """The last answer of `temper plan`, grey until there is one for the text on the screen."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._state = RecipeState()

    def show(self, state: RecipeState) -> None:
        """Show another state."""
        self._state = state
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the facts, by what they are worth on a small screen."""
        state = self._state
        facts: list[tuple[str, Part]] = []
        if state.trouble:
            facts.append(("plan", (state.trouble, "warn")))
        elif not state.estimates:
            facts.append(("plan", ("estimating with `temper plan`", "muted")))
        has_stages = len(state.estimates) > 1
        for one in state.estimates:
            if has_stages:
                facts.append(("stage", (one.stage, "strong")))
            facts += self._facts(one)
        changes = self._changes()
        if changes and height < len(facts) + len(changes):  # the newest news stay in sight
            room = max(4, height - len(changes))
            facts = facts[:room]
        spare = height - len(facts) - len(changes)
        lines: list[Line] = []
        for label, (text, role) in [*facts, *changes]:
            wrapped = textwrap.wrap(plain(text), max(8, width - _LABEL)) or [""]
            if len(wrapped) > 1 + max(0, spare):
                wrapped = [text]
            spare -= len(wrapped) - 1
            lines += [
                self._line(label if y == 0 else "", (part, role), width)
                for y, part in enumerate(wrapped)
            ]
        return lines

    def _line(self, label: str, part: Part, width: int) -> Line:
        text, role = part
        if self._state.is_stale and role not in ("warn", "strong") and label != "since":
            role = "muted"
        return (
            (fit(f" {label}", min(width, _LABEL), ""), "muted"),
            (fit(text, max(0, width - _LABEL), self.glyphs.ellipsis), role),
        )

    def _facts(self, one: Estimate) -> list[tuple[str, Part]]:
        facts: list[tuple[str, Part]] = []
        stale = " (of before the last change)" if self._state.is_stale else ""
        if one.steps is not None:
            kept = f"{one.rows_kept:,} rows" if one.rows_kept is not None else ""
            lost = f"{one.rows_lost:,} lost" if one.rows_lost else ""
            steps = f"{one.steps:,} of {one.batch_size} rows{stale}"
            facts.append(("steps", (self._joined(steps, kept, lost), "")))
            facts.append(("tokens", (self._tokens(one), "")))
        if one.lengths:
            facts.append(("lengths", (self._lengths(one), "")))
        facts += [("on", self._cost(cost)) for cost in one.costs]
        facts += [
            ("warning", (f"{self.glyphs.marks['invalid']} {text}", "warn")) for text in one.warnings
        ]
        if one.recommendation:
            facts.append(("advice", (one.recommendation, "muted")))
        return facts

    def _tokens(self, one: Estimate) -> str:
        seen = f"{count(one.tokens_seen or 0)} read"
        trained = f"{count(one.tokens_trained or 0)} with loss"
        padding = f"{one.padding_share:.0%} padding" if one.padding_share is not None else ""
        return self._joined(seen, trained, padding)

    def _lengths(self, one: Estimate) -> str:
        shares = dict(one.lengths)
        told = [
            f"{share}: {shares[share]:,}"
            for share in ("50%", "90%", "99%", "100%")
            if share in shares
        ]
        limit = f"max_length {one.max_length:,}" if one.max_length else ""
        return self._joined(f"{self._bars(shares)} {', '.join(told)}".strip(), limit)

    def _bars(self, shares: dict[str, int]) -> str:
        """Return the lengths at growing shares of the rows as bars."""
        heights = self.glyphs.bars
        most = max(shares.values(), default=0)
        if not most:
            return ""
        return "".join(
            heights[min(len(heights) - 1, value * len(heights) // (most + 1))]
            for value in shares.values()
        )

    def _cost(self, cost: Cost) -> Part:
        memory = f"{cost.memory_bytes / 2**30:.1f} of {cost.gpu_bytes / 2**30:.0f} GiB"
        hours = _range(cost.hours, "{}", " h")
        money = _range(cost.dollars, "${}", "")
        here = f"{cost.gpu} (here)" if cost.is_here else cost.gpu
        fits = "" if cost.fits else "does not fit"
        text = self._joined(here, memory, *((hours, money) if cost.fits else (fits,)))
        if not cost.fits:
            return f"{self.glyphs.marks['fail']} {text}", "bad"
        mark = self.glyphs.marks["inconclusive" if cost.is_tight else "pass"]
        return f"{mark} {text}", "warn" if cost.is_tight else ""

    def _changes(self) -> list[tuple[str, Part]]:
        """Return what differs from the newest run of the recipe."""
        state = self._state
        if not state.parent:
            return []
        if state.changes is None:
            return []
        if not state.changes:
            return [("since", (f"{state.parent}: nothing differs", "muted"))]
        total = len(state.changes)
        differ = "value differs" if total == 1 else "values differ"
        head = f"{state.parent}: {total} {differ}"
        arrow = "→" if self.glyphs.braille else "->"
        lines: list[tuple[str, Part]] = [("since", (head, "strong"))]
        lines += [
            ("", (f"{one.key}  {one.before} {arrow} {one.now}", "accent")) for one in state.changes
        ]
        return lines

    def _joined(self, *facts: str) -> str:
        return f" {self.glyphs.dot} ".join(fact for fact in facts if fact)


def _range(values: tuple[float, float] | None, shape: str, unit: str) -> str:
    """Return a range of hours or dollars as people read it.

    >>> _range((0.2, 0.5), "{}", " h"), _range((0.001, 0.002), "${}", "")
    ('0.20-0.50 h', '<$0.01')
    """
    if values is None:
        return ""
    low, high = values
    if high < 0.01:
        return f"<{shape.format('0.01')}{unit}"
    places = 2 if high < 10 else 0
    return f"{shape.format(f'{low:,.{places}f}')}-{high:,.{places}f}{unit}"
