"""The help, made from the registry of actions: the keys of this screen first, then the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.actions import HELPED, SCOPES, Action, Scope, bindings, of_scope
from tui.actions.common import MOVES
from tui.glyphs import ROLES, STATES, Glyphs
from tui.keymap import Keymap
from tui.widgets.rows import Line, Rows, fit

if TYPE_CHECKING:
    from tui.app import TemperApp

_KEYS = 14
_LAST = "Everything shown is a file; everything done is a command: temper --help."


def sections(scope: Scope) -> list[tuple[str, list[Action]]]:
    """Return the actions under headings: of `scope`, of everywhere, then of other screens.

    An action that several screens have is told once.
    """
    here = [action for action in of_scope(scope) if action in HELPED]
    here.sort(key=lambda action: action in MOVES)  # what is another on each screen comes first
    everywhere = [action for action in of_scope("app") if action in HELPED]
    told = {*here, *everywhere}
    found = [("On this screen", here), ("Everywhere", everywhere)]
    for other in SCOPES:
        rest = [action for action in of_scope(other) if action in HELPED and action not in told]
        told |= set(rest)
        found.append((f"On the screen {other}", rest))
    return [(title, actions) for title, actions in found if actions]


def page(scope: Scope, keymap: Keymap, glyphs: Glyphs, width: int) -> list[Line]:
    """Return the lines of the help."""
    more, rest = glyphs.ellipsis, max(0, width - _KEYS)
    lines: list[Line] = []
    for title, actions in sections(scope):
        lines.append(((title, "strong"),))
        lines += [
            (
                (fit(keymap.shown(action), _KEYS - 1, more) + " ", "accent"),
                (fit(action.help, rest, more), ""),
            )
            for action in actions
        ]
        lines.append(())
    lines.append((("States of a run", "strong"),))
    for state, words in STATES.items():
        mark = f"{glyphs.marks[state]} {state}"
        lines.append(((fit(mark, _KEYS, more), ROLES[state]), (fit(words, rest, more), "")))
    return [*lines, (), ((fit(_LAST, width, more), "muted"),)]


class HelpPage(Rows):
    """The text of the help; as high as it needs to be."""

    def __init__(self, glyphs: Glyphs, scope: Scope, keymap: Keymap) -> None:
        super().__init__(glyphs, id="page")
        self._scope: Scope = scope
        self._keymap = keymap
        self.styles.height = len(page(scope, keymap, glyphs, _KEYS))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return all keys, all states, and the way to the rest."""
        return page(self._scope, self._keymap, self.glyphs, width)


class HelpScreen(ModalScreen[None]):
    """Over whatever screen is shown."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("help")]

    def __init__(self, glyphs: Glyphs, scope: Scope) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._scope: Scope = scope

    def compose(self) -> ComposeResult:
        """Put the page into a box that scrolls on a small screen."""
        with VerticalScroll(id="box", can_focus=False):
            yield HelpPage(self._glyphs, self._scope, cast("TemperApp", self.app).keymap)

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
