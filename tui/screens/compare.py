"""Two runs, datasets or recipes: differences first, equal things folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message

from tui.actions import bindings
from tui.comparing.comparison import KINDS, Comparison, Kind
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.dialog import Choose
from tui.screens.live import LiveScreen
from tui.snapshot import Snapshot
from tui.temper import typed
from tui.widgets.chat_bar import Said
from tui.widgets.curves import Curves
from tui.widgets.differences import Differences
from tui.widgets.hints import Hints
from tui.widgets.rows import Line, Rows, fit
from workspace.errors import TemperError
from workspace.layout import Workspace

_Pair = tuple[Kind, str, str]
_NOTHING = "press c and choose two runs, datasets or recipes"


class CompareBar(Rows):
    """What is compared, and the command that prints the same."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="compare-bar")
        self._text = _NOTHING

    def show(self, text: str) -> None:
        """Show this."""
        self._text = text
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        head = " compare  "[:width]
        rest = fit(self._text, max(0, width - len(head)), self.glyphs.ellipsis)
        return [((head, "strong"), (rest, "accent" if self._text != _NOTHING else "muted"))]


class CompareScreen(LiveScreen):
    """A comparison, made in a thread when it is asked for."""

    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("compare")]

    @dataclass
    class Compared(Message):
        """A comparison is there, or why there is none."""

        pair: _Pair
        found: Comparison | None
        trouble: str = ""

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._workspace = Workspace(root)
        self._snapshot = Snapshot(root)
        self._pair: _Pair | None = None
        self._bar = CompareBar(glyphs)
        self._curves = Curves(glyphs, id="curves")
        self._differences = Differences(glyphs, id="differences")
        self._said = Said(glyphs)
        self._hints = Hints(glyphs, "compare")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._bar
        with Container(id="body"):
            yield self._curves
            yield self._differences
        yield self._said
        yield self._hints

    def show(self, update: Update) -> None:
        """Know the runs there are; what is compared stays as it was read."""
        self._snapshot = update.snapshot

    def open_pair(self, kind: Kind, left: str, right: str) -> None:
        """Compare these two."""
        self._pair = pair = (kind, left, right)
        self._bar.show(f"{self._glyphs.prompt} {typed(['compare', left, right])}")
        self._said.say("")
        work = partial(self._compare, pair)
        self.run_worker(work, thread=True, exclusive=True, group="compare", exit_on_error=False)

    def _compare(self, pair: _Pair) -> None:
        from tui.comparing.compare import compare

        try:
            found = compare(*pair, self._workspace)
        except TemperError as error:
            parts = (error.title, error.where, error.cause, error.cure)
            told = " ".join(f"{part.rstrip('.')}." for part in parts if part)
            self.post_message(self.Compared(pair, None, told))
        except (OSError, ValueError, RecursionError) as error:
            self.post_message(self.Compared(pair, None, f"They cannot be read: {error}."))
        else:
            self.post_message(self.Compared(pair, found))

    def on_compare_screen_compared(self, message: Compared) -> None:
        """Show it, or say why it cannot be shown; not if others were asked for meanwhile."""
        if message.pair != self._pair:
            return
        found = message.found
        has_curves = found is not None and any(len(one) for one in found.curves)
        self.set_class(has_curves, "-curves")
        if found is not None and has_curves:
            self._curves.show(found.names, found.curves)
        self._differences.show(found)
        self._said.say(message.trouble)

    def action_choose(self) -> None:
        """Choose a kind, then both things."""

        def chosen(place: int | None) -> None:
            if place is not None:
                self._list(KINDS[place])

        told = [f"two {kind}" for kind in KINDS]
        self.app.push_screen(Choose("Compare", told), chosen)

    def _list(self, kind: Kind) -> None:
        """Look what there is, in a thread, and ask."""

        def look() -> None:
            from tui.comparing.compare import datasets_of, recipes_of

            root = self._workspace.root
            names = datasets_of(root) if kind == "datasets" else recipes_of(root)
            self.app.call_from_thread(self._ask, kind, names)

        if kind == "runs":
            self._ask(kind, [row.label for row in self._snapshot.runs if row.state != "broken"])
        else:
            self.run_worker(look, thread=True, group="list", exit_on_error=False)

    def _ask(self, kind: Kind, names: Sequence[str]) -> None:
        if len(names) < 2:
            self._said.say(f"There are not two {kind} in this workspace to compare.")
            return
        self._choose("On the left", names, partial(self._ask_right, kind, names))

    def _ask_right(self, kind: Kind, names: Sequence[str], left: str) -> None:
        others = [name for name in names if name != left]
        self._choose(
            f"{left} on the left; on the right", others, partial(self.open_pair, kind, left)
        )

    def _choose(self, question: str, names: Sequence[str], then: Callable[[str], object]) -> None:
        def chosen(place: int | None) -> None:
            if place is not None:
                then(names[place])

        self.app.push_screen(Choose(question, names), chosen)

    def action_unfold(self) -> None:
        """Show what is equal too, or not."""
        self._differences.unfold()

    def action_swap(self) -> None:
        """Change left and right."""
        if self._pair is not None:
            kind, left, right = self._pair
            self.open_pair(kind, right, left)

    def action_move(self, by: int) -> None:
        """Scroll."""
        self._differences.scroll(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._differences.scroll_page(by)

    def action_first(self) -> None:
        """Go to the first line."""
        self._differences.scroll_far(-1)

    def action_last(self) -> None:
        """Go to the last line."""
        self._differences.scroll_far(1)
