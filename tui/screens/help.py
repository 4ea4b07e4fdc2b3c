"""The help: every key, made from the registry of actions, and what the glyphs mean."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.actions import ACTIONS, bindings
from tui.glyphs import ROLES, STATES, Glyphs
from tui.widgets.rows import Line, Rows, fit

_KEYS = 12


class HelpPage(Rows):
    """The text of the help; as high as it needs to be."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="page")
        self.styles.height = len(ACTIONS) + len(STATES) + 5

    def lines(self, width: int, height: int) -> list[Line]:
        """Return all keys, all states, and the way to the rest."""
        more = self.glyphs.ellipsis
        rest = max(0, width - _KEYS)
        lines: list[Line] = [(("Keys", "strong"),)]
        for action in ACTIONS:
            lines.append(
                ((fit(action.shown, _KEYS, more), "accent"), (fit(action.help, rest, more), ""))
            )
        lines += [(), (("States of a run", "strong"),)]
        for state, words in STATES.items():
            mark = f"{self.glyphs.marks[state]} {state}"
            lines.append(((fit(mark, _KEYS, more), ROLES[state]), (fit(words, rest, more), "")))
        last = "Everything shown here is a file; everything done is a command: temper --help."
        return [*lines, (), ((fit(last, width, more), "muted"),)]


class HelpScreen(ModalScreen[None]):
    """Over whatever screen is shown."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("help")]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """Put the page into a box that scrolls on a small screen."""
        with VerticalScroll(id="box", can_focus=False):
            yield HelpPage(self._glyphs)

    def action_move(self, by: int) -> None:
        """Scroll the page."""
        self.query_one("#box").scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        box = self.query_one("#box")
        box.scroll_relative(y=by * max(1, box.size.height - 1), animate=False)

    def action_first(self) -> None:
        """Go to the top."""
        self.query_one("#box").scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the bottom."""
        self.query_one("#box").scroll_end(animate=False)

    def action_back(self) -> None:
        """Go back to the screen below."""
        self.dismiss(None)
