"""Train: a recipe as a form beside its YAML, what it would take, and the command that starts it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import DescendantBlur, DescendantFocus

from tui.actions import bindings
from tui.form.state import dotted
from tui.glyphs import Glyphs
from tui.screens.dialog import Notice
from tui.screens.train_edit import TrainEdit
from tui.widgets.estimate import EstimatePane
from tui.widgets.field_help import FieldHelp, help_of
from tui.widgets.hints import Hints
from tui.widgets.recipe_bars import CommandLine, RecipeTitle
from tui.widgets.recipe_form import RecipeForm
from tui.widgets.recipe_text import RecipeText
from tui.widgets.rows import Part
from workspace.yaml_edit import as_yaml

_FAR = 1 << 40
_TYPING_SECONDS = 0.25
"""A pause in typing after which the YAML is read."""


class TrainScreen(TrainEdit):
    """The form, its help, the YAML, the estimate and the command."""

    CSS_PATH = "train.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("train")]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__(glyphs, root)
        self._title = RecipeTitle(glyphs)
        self._yaml = RecipeText()
        self._help = FieldHelp(glyphs, id="help")
        self._estimates = EstimatePane(glyphs, id="estimate")
        self._command = CommandLine(glyphs)
        self._hints = Hints(glyphs, "train")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._title
        with Container(id="body"):
            yield self.form
            yield self._yaml
            yield self._help
            yield self._estimates
        yield self._command
        yield self._hints

    def on_mount(self) -> None:
        """Read the workspace's recipe, unless another was asked for."""
        if self._wanted is None:
            self.open(None)

    def present(self) -> None:
        """Show the state."""
        is_changed = self.draft is not None and self.draft.is_changed
        self._title.show(self.path, self.state, is_changed=is_changed, is_behind=self.is_behind)
        self.form.show(self.state)
        self._estimates.show(self.state)
        command, is_possible = self.start_command()
        self._command.show(command, is_possible=is_possible)
        if self.draft is not None:
            self._yaml.show(self.draft.text)
        self._yaml.mark(one.line for one in self.state.faults.values() if one.line)
        self._show_help()

    def on_recipe_form_moved(self, message: RecipeForm.Moved) -> None:
        """Show the help of the field, and its line in the YAML."""
        self._show_help()
        reading, field = self.state.reading, message.field
        line = (reading.lines or {}).get(field.key) if reading is not None and field else None
        if line and not self._yaml.has_focus:
            self._yaml.move_cursor((line - 1, 0))

    def on_recipe_form_opened(self) -> None:
        """Change the field that was clicked twice."""
        self.action_edit()

    def _show_help(self) -> None:
        self._help.show(self._told())

    def _told(self) -> list[Part]:
        """Return what is known of the place where the cursor is."""
        reading = self.state.reading
        if self.draft is None:
            return [(self.state.trouble, "bad")] if self.state.trouble else []
        if self._yaml.has_focus or (reading is not None and not reading.is_yaml):
            return self._told_of_line()
        field = self.form.view.selected
        return help_of(field, self.state) if field is not None else []

    def _told_of_line(self) -> list[Part]:
        if self.state.reading is None:
            return [("Reading the recipe.", "muted")]
        faults = self.state.reading.faults
        line = self._yaml.cursor_location[0] + 1
        here = [one for one in faults if one.line == line]
        others = [one for one in faults if one.line != line]
        told: list[Part] = [(one.shown, "bad") for one in (*here, *others)]
        if self._yaml.read_only:
            told.append(("This file has control characters: mend it in an editor.", "warn"))
        return told or [("Every key and value is known and within its bounds.", "good")]

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Say the keys of the YAML while it is edited."""
        self._hints.scope = "train-yaml"
        self._hints.redraw()
        self._show_help()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """Say the keys of the form again."""
        self._hints.scope = "train"
        self._hints.redraw()
        self._show_help()

    def on_text_area_changed(self) -> None:
        """Take what was typed, after a pause."""
        if self._yaml.typed is not None:
            self.after(_TYPING_SECONDS, "typing", self._take_typed)

    def on_text_area_selection_changed(self) -> None:
        """Say what is wrong in the line of the cursor."""
        if self._yaml.has_focus:
            self._show_help()

    def _take_typed(self) -> None:
        typed = self._yaml.take()
        if typed is not None:
            self.change(typed)

    def unsaved(self) -> str:
        """Return that the recipe's changes are lost, with what was just typed."""
        self._take_typed()
        return super().unsaved()

    def leave_for(self, path: Path) -> None:
        """Open another recipe, with what was just typed counted as a change."""
        self._take_typed()
        super().leave_for(path)

    def action_save(self) -> None:
        """Write the recipe, with what was just typed."""
        self._take_typed()
        super().action_save()

    def action_pane(self) -> None:
        """Go from the form to its YAML, or back."""
        if self._yaml.has_focus:
            self._take_typed()
            self.remove_class("-yaml")
            self.set_focus(None)
        else:
            self.add_class("-yaml")
            self._yaml.focus()

    def action_whole(self) -> None:
        """Show all of the help and the whole value."""
        field = self.form.view.selected
        if field is not None:
            told = "\n\n".join(text for text, _ in self._told())
            self.app.push_screen(
                Notice(dotted(field.key), f"{told}\n\nvalue: {as_yaml(field.value)}")
            )

    def action_proofs(self) -> None:
        """Show the checks, the mask of a row and the rehearsal."""
        from tui.screens.proofs import ProofsScreen

        reading = self.state.reading
        if self.path is None or reading is None or not reading.is_yaml:
            self.notify("There is no recipe that can be read yet.", markup=False)
            return
        if reading.overrides is None:
            self.notify("Save first: `--set` cannot say what was taken out.", markup=False)
            return
        row = self.newest_run()
        run = row.path if row is not None else None
        self.app.push_screen(
            ProofsScreen(self.glyphs, self.desk, self.path, reading.overrides, run)
        )

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.form.view.move(by)
        self.form.changed()

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self.action_move(by * max(1, self.form.size.height - 1))

    def action_first(self) -> None:
        """Go to the first field."""
        self.action_move(-_FAR)

    def action_last(self) -> None:
        """Go to the last field."""
        self.action_move(_FAR)
