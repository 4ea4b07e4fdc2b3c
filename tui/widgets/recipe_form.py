"""A recipe as a form: one line a field, blocks that fold, the selected line marked."""

from __future__ import annotations

from dataclasses import dataclass

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.form.fields import Field
from tui.form.state import RecipeState
from tui.form.view import FormView, Row
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit

_ORIGIN = 12
_ROLES = {"set": "accent", "line": "", "plan": "muted", "default": "muted", "unknown": "bad"}


class RecipeForm(Rows):
    """The fields of a recipe."""

    @dataclass
    class Moved(Message):
        """Another field is selected."""

        field: Field | None

    class Opened(Message):
        """The selected field was clicked once more."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self.view = FormView()
        self._state = RecipeState()
        self._top = 0
        self._folds = ("▾ ", "▸ ") if glyphs.braille else ("v ", "> ")

    def show(self, state: RecipeState) -> None:
        """Show another state. Of a text that cannot be read the last form stays."""
        self._state = state
        if state.reading is not None and state.reading.is_yaml:
            self.view.show(state.reading.fields)
        self.changed()

    def changed(self) -> None:
        """Draw again after the view has changed, and say what is selected."""
        self.redraw()
        self.post_message(self.Moved(self.view.selected))

    def on_click(self, event: Click) -> None:
        """Select the field on the clicked line; open it if it was selected already."""
        self.screen.set_focus(None)  # keys are the form's again, also after the YAML was clicked
        place = self._top + event.y
        if place < len(self.view.rows):
            if place == self.view.cursor:
                self.post_message(self.Opened())
            self.view.move(place - self.view.cursor)
            self.changed()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self.view.move(1)
        self.changed()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self.view.move(-1)
        self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the fields around the cursor."""
        rows, cursor = self.view.rows, self.view.cursor
        if not rows:
            reading = self._state.reading
            told = "Reading the recipe." if reading is None else "No fields: see what is wrong."
            return [((fit(f" {told}", width, self.glyphs.ellipsis), "muted"),)]
        self._top = max(min(self._top, cursor), cursor - height + 1)
        self._top = max(0, min(self._top, len(rows) - height))
        return [
            self._line(row, width, is_cursor=self._top + y == cursor)
            for y, row in enumerate(rows[self._top : self._top + height])
        ]

    def _line(self, row: Row, width: int, *, is_cursor: bool) -> Line:
        more = self.glyphs.ellipsis
        origin_width = _ORIGIN if width >= 50 else 0
        name_width = max(12, min(36, width * 2 // 5))
        value_width = max(0, width - 2 - name_width - origin_width)
        field = row.field
        fold = self._folds[0 if row.is_open else 1] if field.children else "  "
        name = f"{'  ' * row.depth}{fold}{field.label}"
        kind, origin = self._state.origin_of(field)
        role = _ROLES[kind]
        faults = self._state.faults_in(field.key) if not row.is_open else 0
        wrong = self._state.fault_of(field.key) is not None or bool(faults)
        if wrong:
            role = "bad"
        mark = f"{self.glyphs.marks['fail']} " if wrong else ""
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (fit(name, name_width, more), "strong" if is_cursor else self._name_role(field)),
            (" ", ""),
            (fit(f"{mark}{self._state.value_of(field)}", value_width, more), role),
            (fit(origin, origin_width, more) if origin_width else "", "muted"),
        ]
        if is_cursor:
            return tuple((text, f"{role} cursor".strip()) for text, role in parts)
        return tuple(parts)

    def _name_role(self, field: Field) -> str:
        if self._state.reading is not None and not self._state.reading.is_yaml:
            return "muted"
        return "" if field.is_given else "muted"
