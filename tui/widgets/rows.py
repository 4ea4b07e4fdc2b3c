"""The base of everything drawn here: lines of styled text, of which only changed ones are sent.

Textual sends a widget's whole region at each refresh; over SSH that is two hundred times what a
growing curve needs. So a widget says which lines it has, the lines are compared with those on the
screen, and only the cells from the first to the last that differ are refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.glyphs import Glyphs
from tui.widgets.roles import ROLES, cursor_style, style_of
from workspace.text import plain

Part = tuple[str, str]
"""A text and its role: `muted`, `strong`, `accent`, `good`, `warn`, `bad`, `curve` or empty; with
` cursor` behind it on the selected line."""

Line = tuple[Part, ...]


def fit(text: str, width: int, ellipsis: str) -> str:
    """Return `text` made plain and exactly `width` cells wide, shortened or padded."""
    line = plain(text, limit=max(width, 1) * 4)
    if cell_len(line) <= width:
        return set_cell_size(line, width)
    return set_cell_size(line, max(0, width - cell_len(ellipsis))) + ellipsis[:width]


def right(text: str, width: int, ellipsis: str) -> str:
    """Return `text` as `fit` does, set to the right."""
    missing = width - cell_len(plain(text))
    return " " * missing + plain(text) if missing > 0 else fit(text, width, ellipsis)


def changed_region(y: int, old: Line, new: Line, width: int) -> Region:
    """Return the cells of line `y` that differ, from the first to the last."""
    before = [(character, role) for text, role in old for character in text]
    after = [(character, role) for text, role in new for character in text]
    is_simple = all(cell_len(text) == len(text) for text, _ in (*old, *new))
    if not is_simple or len(before) != len(after):
        return Region(0, y, width, 1)
    places = [x for x, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    return Region(places[0], y, places[-1] - places[0] + 1, 1) if places else Region(0, y, width, 1)


class _Ground(NamedTuple):
    """What the styles of a widget's roles have in common."""

    is_ansi: bool
    variables: Mapping[str, str]
    own: Style
    background: Color


class Rows(Widget):
    """A widget made of lines of text. Subclasses say what the lines are."""

    ALLOW_SELECT = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        self._styles: dict[str, Style] = {}
        self._ground: _Ground | None = None
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lines: list[Line] = []
        self._drawn_size: Size | None = None
        """For which size they are; None before they are first painted."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines to show on `width` x `height` cells, top first."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Ask for the lines anew and send those that changed.

        Lines for a size that was not painted yet are not asked for before they are.
        """
        if self._drawn_size != self.size:
            self.refresh()
            return
        width = self.size.width
        before, self._lines = self._lines, self._all_lines()
        changed = [
            changed_region(y, old, new, width)
            for y, (old, new) in enumerate(zip(before, self._lines, strict=True))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def _all_lines(self) -> list[Line]:
        """Return a line for every line of the widget."""
        width, height = self.size
        lines = self.lines(width, height)[:height] if width and height else []
        return [*lines, *[()] * (height - len(lines))]

    def on_resize(self, event: Resize) -> None:
        """Draw for the new size, unless that was painted already."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Return one line for the screen; every segment has a style, or NO_COLOR would crash."""
        if self._drawn_size != self.size:
            self._drawn_size, self._lines = self.size, self._all_lines()
        parts = self._lines[y] if y < len(self._lines) else ()
        segments = [
            Segment(plain(text, len(text) + 1), self._style_once(role)) for text, role in parts
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self._style_once(""))

    def _style_once(self, role: str) -> Style:
        """Return the style of a role, made once."""
        if role not in self._styles:
            self._styles[role] = self._style(role)
        return self._styles[role]

    def _ground_once(self) -> _Ground:
        """Return what the styles of all roles are made of, asked of Textual once."""
        if self._ground is None:
            app, (_, background) = self.app, self.background_colors
            self._ground = _Ground(
                app.native_ansi_color, app.theme_variables, self.rich_style, background
            )
        return self._ground

    def notify_style_update(self) -> None:
        """Forget the styles: the theme, or what lies below, is another."""
        self._styles.clear()
        self._ground = None
        super().notify_style_update()

    def _style(self, role: str) -> Style:
        """Return the style of a role, its colours blended with what lies below.

        `ROLE cursor` is a role on the selected line; with the terminal's own colours, of which
        one may vanish on another, the whole line is reversed instead.
        """
        name, _, cursor = role.partition(" ")
        is_ansi, variables, own, background = self._ground_once()
        if name == "cursor" or (cursor and is_ansi):
            return cursor_style(variables, own, background, is_ansi=is_ansi)
        if name in ROLES:
            style = style_of(name, variables, own, background, is_ansi=is_ansi)
        else:
            style = self.get_component_rich_style(f"rows--{name}") if name else own
        if not cursor:
            return style
        selected = cursor_style(variables, own, background, is_ansi=is_ansi)
        return style + Style(bgcolor=selected.bgcolor, bold=selected.bold)
