"""Changes of a recipe by the keys of its form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from tui.form.draft import ChangedOnDisk
from tui.form.edits import add_item, set_field, typed_value, unset_field
from tui.form.fields import Field
from tui.form.recipes import find_recipes
from tui.form.state import dotted
from tui.glyphs import Glyphs
from tui.screens.dialog import Ask, Choose, Confirm
from tui.screens.recipe_base import RecipeScreen
from tui.screens.train_jobs import TrainJobs
from tui.temper import Outcome
from tui.widgets.recipe_form import RecipeForm
from workspace.errors import TemperError
from workspace.layout import Workspace
from workspace.text import plain
from workspace.yaml_edit import as_yaml

_Edit = Callable[[str, Sequence[Field]], str]


class TrainEdit(TrainJobs):
    """The keys that change the form, and those that find something in it."""

    @dataclass
    class Listed(Message):
        """The recipes of the workspace."""

        recipes: tuple[Path, ...]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__(glyphs, root)
        self.form = RecipeForm(glyphs, id="form")
        self._sought = ""

    def _apply(self, edit: _Edit) -> None:
        """Change the text by its fields, if both are of the same moment."""
        reading, draft = self.state.reading, self.draft
        if draft is None or reading is None or not reading.is_yaml or reading.text != draft.text:
            self.notify("The YAML cannot be read: mend it first (tab).", markup=False)
            return
        try:
            self.change(edit(draft.text, reading.fields))
        except TemperError as error:
            self.notify(plain(str(error), limit=400), severity="warning", markup=False)

    def action_edit(self) -> None:
        """Unfold the selected block, or ask for another value of the field."""
        field = self.form.view.selected
        if field is None:
            return
        if field.children:
            self.form.view.unfold()
            self.form.changed()
        elif field.kind in ("choice", "switch"):
            self._choose(field)
        elif field.kind == "group" and field.value is None:
            self._apply(lambda text, fields: set_field(text, fields, field, "{}"))
        elif field.kind == "list" and field.item is not None:
            self.action_add()
        else:
            self._ask(field)

    def _choose(self, field: Field) -> None:
        options = [as_yaml(value) for value in field.choices]
        if field.is_optional:
            options.append("null")
        now = as_yaml(field.value)
        selected = options.index(now) if now in options else 0

        def answered(place: int | None) -> None:
            if place is not None and (options[place] != now or not field.is_given):
                self._apply(lambda text, fields: set_field(text, fields, field, options[place]))

        self.app.push_screen(Choose(dotted(field.key), options, selected), answered)

    def _ask(self, field: Field) -> None:
        is_text = isinstance(field.value, str) and field.kind == "text"
        now = "" if field.value is None else field.value if is_text else as_yaml(field.value)
        if plain(now, limit=len(now)) != now:
            self.notify("It has characters that no line can show: mend it in the YAML (tab).")
            return

        def answered(typed: str | None) -> None:
            if typed is None or typed == now:
                return
            if not typed.strip():
                self.action_unset()
                return
            self._apply(
                lambda text, fields: set_field(text, fields, field, typed_value(field, typed))
            )

        question = f"{dotted(field.key)}: {field.bounds}" if field.bounds else dotted(field.key)
        self.app.push_screen(Ask(question, now, "empty: the default counts"), answered)

    def action_unset(self) -> None:
        """Take the selected value out of the recipe."""
        field = self.form.view.selected
        if field is not None and field.is_given:
            self._apply(lambda text, _: unset_field(text, field))

    def action_add(self) -> None:
        """Add an item to the selected list, or a key to the selected block."""
        field = self.form.view.selected
        if field is None:
            return
        item = field.item
        if field.kind != "list" or item is None:
            self._ask_item(field, "a key and its value, as `name: 3`", None)
            return
        names = list(item.choices) if item.tag or item.kind == "choice" else []
        one_of = [child.label for child in item.children]
        if item.kind == "group" and not item.tag and all(one.is_optional for one in item.children):
            names = one_of
        if not names:
            self._ask_item(field, f"one more: {item.bounds or 'a value'}", item)
            return
        shown = [as_yaml(name) for name in names]

        def answered(place: int | None) -> None:
            if place is None:
                return
            value = shown[place]
            if item.kind == "group":
                said = {item.tag: names[place]} if item.tag else {names[place]: {}}
                value = as_yaml(said)
            self._apply(lambda text, fields: add_item(text, fields, field, value))

        self.app.push_screen(Choose(f"{dotted(field.key)}: add", shown), answered)

    def _ask_item(self, field: Field, hint: str, item: Field | None) -> None:
        def answered(typed: str | None) -> None:
            if typed and typed.strip():
                value = typed_value(item, typed) if item is not None else typed
                self._apply(lambda text, fields: add_item(text, fields, field, value))

        self.app.push_screen(Ask(f"{dotted(field.key)}: {hint}"), answered)

    def action_fold(self) -> None:
        """Fold the selected block, or go to the one around."""
        self.form.view.fold()
        self.form.changed()

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.draft is not None and self.draft.undo():
            self.read()
        else:
            self.notify("Nothing to undo.", markup=False)

    def action_redo(self) -> None:
        """Make the change again that was taken back."""
        if self.draft is not None and self.draft.redo():
            self.read()
        else:
            self.notify("Nothing to redo.", markup=False)

    def action_save(self) -> None:
        """Write the recipe, unless somebody else has written it meanwhile."""
        self.save()

    def on_recipe_screen_saved(self, message: RecipeScreen.Saved) -> None:
        """Say that it is saved, or ask what is to become of the other text."""
        error = message.error
        if isinstance(error, ChangedOnDisk):

            def answered(is_wanted: bool | None) -> None:
                if is_wanted:
                    self.save(over=True)

            question = f"{plain(str(error), limit=300)} Save over it?"
            self.is_behind = True
            self.app.push_screen(Confirm(question, error.difference), answered)
        elif error is not None:
            self.notify(plain(str(error), limit=400), severity="error", markup=False)
        else:
            self.is_behind = False
            self.read()
        self.present()

    def action_refresh(self) -> None:
        """Read the file again, and look at the workspace."""
        self.look(take=True)
        self.temper.poller.look_now()

    def action_search(self) -> None:
        """Find a field by its key or help."""

        def answered(words: str | None) -> None:
            if words:
                self._sought = words
                self.action_again(1)

        self.app.push_screen(Ask("Find a key, or a word of its help", self._sought), answered)

    def action_again(self, by: int) -> None:
        """Go to the next field that was sought."""
        if not self.form.view.search(self._sought, by):
            self.notify("Nothing found.", markup=False)
        self.form.changed()

    def action_problem(self) -> None:
        """Go to the next thing that is wrong."""
        faults = list(self.state.faults)
        field = self.form.view.selected
        here = dotted(field.key) if field is not None else ""
        place = faults.index(here) + 1 if here in faults else 0
        if not faults or not self.form.view.go_to_nearest(faults[place % len(faults)]):
            self.notify("Nothing is wrong in the form.", markup=False)
        self.form.changed()

    def action_recipes(self) -> None:
        """Look which recipes the workspace has."""
        self._in_thread(lambda: self.post_message(self.Listed(find_recipes(self.root))), "list")

    def on_train_edit_listed(self, message: Listed) -> None:
        """Choose among the recipes of the workspace."""
        found = message.recipes
        if not found:
            self.notify("There is no recipe here: ctrl+n makes one.", markup=False)
            return
        selected = found.index(self.path) if self.path in found else 0

        def answered(place: int | None) -> None:
            if place is not None:
                self.leave_for(found[place])

        names = [self.desk.shown(path) for path in found]
        self.app.push_screen(Choose("Which recipe?", names, selected), answered)

    def action_new_recipe(self) -> None:
        """Make a recipe for a dataset of the workspace."""
        found = sorted(path.name for path in Workspace(self.root).datasets.glob("[!.]*"))
        if not found:
            self.notify("No dataset yet: `temper curate` makes one.", markup=False)
            return

        def chosen(place: int | None) -> None:
            if place is not None:
                self._name_recipe(found[place])

        self.app.push_screen(Choose("A new recipe for which dataset?", found), chosen)

    def _name_recipe(self, dataset: str) -> None:
        """Ask for the name of a new recipe, and make it with the model of the one on the screen."""
        resolved = self.state.reading.resolved if self.state.reading is not None else None
        model = str(((resolved or {}).get("model") or {}).get("path", "builtin"))
        if self.path is not None and (self.path.parent / model).is_dir():
            model = str(self.path.parent / model)

        def made(outcome: Outcome) -> None:
            self.temper.tell(outcome)
            if not outcome.code:
                self.leave_for(self.root / f"{outcome.arguments[-1]}.yaml")

        def named(name: str | None) -> None:
            if name and name.strip():
                options = ["--dataset", dataset, "--model", model, "--name", name.strip()]
                self.temper.run_temper(["init", ".", *options], made)

        self.app.push_screen(Ask("Its name", dataset), named)

    def leave_for(self, path: Path) -> None:
        """Open another recipe, asking about what is not saved; the open one stays as it is."""
        if self.draft is not None and path.resolve() == self.path:
            self._wanted = path  # another that is still being read is wanted no more
            self.look()
            return
        if self.draft is None or not self.draft.is_changed:
            self.open(path)
            return
        if path.resolve() == self.path:
            return

        def answered(is_wanted: bool | None) -> None:
            if is_wanted:
                self.open(path)

        self.app.push_screen(Confirm(f"Leave {self.draft.path.name}?", self.unsaved()), answered)
