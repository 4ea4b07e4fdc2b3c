"""What differs between two things, a line each; what is equal is folded into a count."""

from __future__ import annotations

from collections.abc import Iterator

from tui.comparing.comparison import Abilities, Comparison, Fact, Part
from tui.glyphs import ROLES, Glyphs
from tui.verdicts import Ability
from tui.widgets.rows import Line, Rows, fit, right

_CHANGE = 9
_COUNT = 9
_FAR = 1 << 40


class Differences(Rows):
    """A comparison as lines that scroll."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._found: Comparison | None = None
        self._top = 0
        self._is_unfolded = False

    def show(self, found: Comparison | None) -> None:
        """Show another comparison, from its beginning."""
        self._found, self._top = found, 0
        self.redraw()

    def unfold(self) -> None:
        """Show what is equal too, or not."""
        self._is_unfolded = not self._is_unfolded
        self.redraw()

    def scroll(self, by: int) -> None:
        """Move by lines."""
        self._top = max(0, self._top + by)
        self.redraw()

    def scroll_page(self, by: int) -> None:
        """Move by pages."""
        self.scroll(by * max(1, self.size.height - 1))

    def scroll_far(self, by: int) -> None:
        """Go to one of the ends."""
        self.scroll(_FAR * by)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines from where it was scrolled to."""
        if self._found is None:
            return []
        whole = [*self._whole(self._found, max(20, width))]
        self._top = min(self._top, max(0, len(whole) - height))
        return whole[self._top : self._top + height]

    def _whole(self, found: Comparison, width: int) -> Iterator[Line]:
        room = max(20, width - _CHANGE - 1) if found.abilities else width
        key, value = _widths(room)
        more = self.glyphs.ellipsis
        names = (fit(found.names[0], value, more), fit(found.names[1], value, more))
        yield ((" " * key, ""), (f"  {names[0]}  {names[1]}", "strong"))
        for note in found.notes:
            yield ((fit(f" {note}", width, more), "warn"),)
        first, *rest = found.parts
        yield from self._part(first, room)
        if found.abilities:
            yield from self._abilities(found.abilities, width)
        if found.rows or found.rows_equal is not None:
            yield from self._rows(found, width)
        for part in rest:
            yield from self._part(part, room)

    def _part(self, part: Part, width: int) -> Iterator[Line]:
        more = self.glyphs.ellipsis
        yield ()
        differing, equal = part.differing, part.equal
        told = f" {len(differing)} differ" if differing else " nothing differs"
        folded = "" if self._is_unfolded else ": space shows them"
        told += f", {len(equal)} equal{folded}" if equal else ""
        title = fit(f" {part.title}", min(width, len(part.title) + 2), more)
        yield ((title, "strong"), (fit(part.note or told, width - len(title), more), "muted"))
        for fact in differing:
            yield self._fact(fact, width)
        if self._is_unfolded:
            for fact in equal:
                yield self._fact(fact, width)

    def _fact(self, fact: Fact, width: int) -> Line:
        key, value = _widths(width)
        more, none = self.glyphs.ellipsis, "-"
        left = none if fact.left is None else fact.left
        right_ = none if fact.right is None else fact.right
        mark = "≠" if fact.differs and self.glyphs.braille else "!" if fact.differs else " "
        role = "" if fact.differs else "muted"
        return (
            (f" {mark} ", "warn"),
            (fit(fact.key, key - 3, more), "muted"),
            ("  " + fit(left, value, more), role),
            ("  " + fit(right_, value, more), "accent" if fact.differs else "muted"),
        )

    def _abilities(self, abilities: tuple[Abilities, ...], width: int) -> Iterator[Line]:
        more = self.glyphs.ellipsis
        differing = sum(one.differs for one in abilities)
        key, value = _widths(max(20, width - _CHANGE - 1))
        yield ()
        told = f"{differing} of {len(abilities)} verdicts differ"
        head = fit(f" abilities  {told}", max(0, width - _CHANGE - 1), more)
        yield ((head, "strong"), (right("change", _CHANGE, "") + " ", "muted"))
        for one in abilities:
            mark = "≠" if one.differs and self.glyphs.braille else "!" if one.differs else " "
            change = "" if one.change is None else f"{one.change:+.3f}"
            yield (
                (f" {mark} ", "warn"),
                (fit(one.name, key - 3, more), "" if one.differs else "muted"),
                *self._verdict(one.left, value),
                *self._verdict(one.right, value),
                (right(change, _CHANGE, more), ""),
            )

    def _verdict(self, ability: Ability | None, width: int) -> tuple[tuple[str, str], ...]:
        if ability is None:
            return (("  " + fit("- not judged", width, self.glyphs.ellipsis), "muted"),)
        mark = self.glyphs.marks.get(ability.verdict, "-")
        score = "" if ability.tuned is None else f"{ability.tuned:.3f} "
        told = f"{mark} {score}{ability.verdict}"
        return (("  " + fit(told, width, self.glyphs.ellipsis), ROLES.get(ability.verdict, "")),)

    def _rows(self, found: Comparison, width: int) -> Iterator[Line]:
        more = self.glyphs.ellipsis
        yield ()
        same = f"{found.rows_equal or 0:,} are the same"
        yield ((" rows of text  ", "strong"), (fit(same, max(0, width - 15), more), "muted"))
        for what, why, rows in found.rows:
            told = fit(why, max(0, width - _COUNT - 14), more)
            yield (
                (right(f"{rows:,}", _COUNT, more) + " ", ""),
                (fit(what, 10, more), "accent"),
                (told, ""),
            )


def _widths(width: int) -> tuple[int, int]:
    """Return the cells of a key, and of each value."""
    key = max(12, min(44, width * 2 // 5))
    return key, max(4, (width - key - 4) // 2)
