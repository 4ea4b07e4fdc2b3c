"""The lines of the form: folding, the cursor, searching."""

from __future__ import annotations

from tui.form.view import FormView


def shown(view):
    return [row.field.label for row in view.rows]


def test_blocks_fold_and_the_cursor_stays_on_its_field(read, recipe_text):
    view = FormView()
    assert view.selected is None and not view.fold() and not view.unfold()
    view.show(read(recipe_text).fields)
    assert view.selected.key == ("train",)
    assert "learning_rate" in shown(view) and "path" not in shown(view)
    assert view.go_to(("train", "epochs"))
    view.show(read(recipe_text.replace("kind: full", "kind: lora")).fields)
    assert view.selected.key == ("train", "epochs")
    assert "rslora" in shown(view)
    assert view.fold() and view.selected.key == ("train",)
    assert view.fold() and "epochs" not in shown(view)
    assert not view.fold()
    view.move(99)
    assert view.selected.label == "evaluate"
    view.move(-99)
    assert view.selected.label == "name"


def test_search_finds_keys_before_help_and_goes_round(read, recipe_text):
    view = FormView()
    view.show(read(recipe_text).fields)
    assert view.search("rate") and view.selected.key == ("train", "learning_rate")
    first = view.selected.key
    assert view.search("rate") and view.selected.key != first
    assert view.search("rate", -1) and view.selected.key == first
    assert view.search("NEFTune's") and view.selected.label == "neftune"
    assert not view.search("no such thing at all")


def test_a_fault_leads_to_the_nearest_field(read, recipe_text):
    view = FormView()
    view.show(read(recipe_text).fields)
    assert view.go_to_nearest("train.adapter.kind.deeper.still")
    assert view.selected.key == ("train", "adapter", "kind")
    assert not view.go_to_nearest("elsewhere")
