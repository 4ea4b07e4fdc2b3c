"""What a text says, against the saved one and against a run."""

from __future__ import annotations

import pytest

from tui.form.parent import changes_since
from tui.form.recipes import find_recipes
from workspace.errors import TemperError
from workspace.recipe import load_recipe
from workspace.yaml import parse_yaml


def test_faults_are_those_of_check_with_their_lines(read, recipe_text, reader, file):
    text = recipe_text.replace("kind: full", "kind: ful").replace("epochs: 8", "epochs: -1")
    file.write_text(text)
    with pytest.raises(TemperError) as raised:
        load_recipe(file, reader._sections)
    faults = read(text).faults
    assert len(faults) == 2
    for fault in faults:
        assert f"{file}:{fault.line}:{fault.column}: {fault.key}: {fault.told}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("name: a\ntrain: [\n", 3), ("name: a\nname: b\n", 2), ("- a\n", 1), ("a: \x01\n", None)],
)
def test_what_is_no_yaml_is_said_with_its_line(read, text, line):
    reading = read(text)
    assert not reading.is_yaml and len(reading.faults) == 1
    assert reading.faults[0].line == line


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (("epochs: 8", "epochs: 3"), ("train.epochs=3",)),
        (("  epochs: 8\n", "  steps: 20\n"), ("train.epochs=null", "train.steps=20")),
        (("{kind: full}", "{kind: lora, r: 8}"), ("train.adapter={kind: lora, r: 8}",)),
        (("name: mine", "name: other"), ("name=other",)),
    ],
)
def test_overrides_say_what_is_not_saved(read, recipe_text, reader, file, changed, expected):
    text = recipe_text.replace(*changed)
    reading = read(text)
    assert not reading.faults
    if "adapter" not in expected[0]:
        assert reading.overrides == expected
    resolved = load_recipe(file, reader._sections, reading.overrides).resolved()
    assert resolved == reading.resolved


def test_a_section_taken_out_cannot_be_said(read, recipe_text):
    saved = recipe_text + "evaluate: {}\n"
    assert read(recipe_text, saved).overrides is None
    assert read(recipe_text, "a: [").overrides is None


def test_changes_since_a_run_name_both_values(read, recipe_text, reader, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    path = tmp_path / "temper.yaml"
    path.write_text(recipe_text)
    (run / "recipe.yaml").write_text(load_recipe(path, reader._sections).to_yaml())
    assert changes_since(run, read(recipe_text).resolved) == ()
    text = recipe_text.replace("epochs: 8", "epochs: 3").replace("2e-4", "1e-4")
    found = {one.key: (one.before, one.now) for one in changes_since(run, read(text).resolved)}
    assert found == {"train.epochs": ("8.0", "3.0"), "train.learning_rate": ("0.0002", "0.0001")}
    (run / "recipe.yaml").write_text("[")
    with pytest.raises(TemperError):
        changes_since(run, read(text).resolved)


def test_recipes_are_told_from_other_yaml(file, reader):
    from tui.form.recipes import SECTIONS

    root = file.parent
    (root / "zeta.yaml").write_text("train: {}\n")
    (root / "other.yaml").write_text("services: {}\n")
    (root / "broken.yaml").write_text("train: [\n")
    (root / "big.yaml").write_text("train: {}\n" + "#" * (2 << 20))
    assert [path.name for path in find_recipes(root)] == ["temper.yaml", "zeta.yaml"]
    file.write_text("train: [")
    assert find_recipes(root)[0].name == "temper.yaml"
    assert set(SECTIONS) == set(reader._sections)


def test_readings_know_what_is_edited(read, recipe_text):
    reading = read(recipe_text.replace("epochs: 8", "epochs: 3"))
    assert ("train", "epochs") in reading.edited
    assert ("train", "learning_rate") not in reading.edited
    assert parse_yaml(reading.text, "x").data["train"]["epochs"] == 3
