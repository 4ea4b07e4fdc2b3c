"""The recipe's schema as a form: every key is in it, with what it may be."""

from __future__ import annotations

from tui.form.edits import add_item, set_field, typed_value, unset_field
from tui.form.fields import Field, find, walk
from workspace.recipe import check_document
from workspace.yaml import parse_yaml


def change(read, text, key, typed):
    fields = read(text).fields
    field = find(fields, key)
    return set_field(text, fields, field, typed_value(field, typed))


def test_fields_have_kind_help_bounds_and_default(read, recipe_text):
    fields = read(recipe_text).fields
    assert [field.label for field in fields] == [
        "name", "model", "curate", "augment", "train", "plan", "evaluate",
    ]  # fmt: skip
    rate = find(fields, ("train", "learning_rate"))
    assert (rate.kind, rate.is_given, rate.value) == ("number", True, 2e-4)
    assert rate.bounds == "a number, above 0, below 1"
    assert "Highest rate of the schedule" in rate.help
    schedule = find(fields, ("train", "schedule"))
    assert (schedule.kind, schedule.value, schedule.is_given) == ("choice", "cosine", False)
    assert schedule.choices == ("cosine", "linear", "constant")
    assert find(fields, ("train", "steps")).is_optional
    assert find(fields, ("train", "tempering", "replay")).kind == "group"
    assert find(fields, ("train", "adapter", "r")) is None  # that is a key of lora


def test_fields_of_a_block_follow_its_kind(read, recipe_text):
    lora = change(read, recipe_text, ("train", "adapter", "kind"), "lora")
    assert "adapter: {kind: lora}" in lora
    fields = read(lora).fields
    assert find(fields, ("train", "adapter", "r")).value == 16
    assert find(fields, ("train", "adapter")).shown == "lora"
    smaller = change(read, lora, ("train", "adapter", "r"), "8")
    assert "adapter: {kind: lora, r: 8}" in smaller
    method = change(read, recipe_text, ("train", "method", "kind"), "dpo")
    beta = change(read, method, ("train", "method", "beta"), "0.2")
    assert "method: {kind: dpo, beta: 0.2}" in beta
    assert "# the loss is on the answers" in beta
    assert not read(beta).faults


def test_a_value_of_a_default_block_is_written_with_its_kind(read):
    text = "model: {path: builtin}\ntrain: {}\n"
    assert "train: {adapter: {kind: lora, r: 8}}" in change(
        read, text, ("train", "adapter", "r"), "8"
    )


def test_what_is_typed_for_text_is_text(read, recipe_text):
    for typed in ("2024", "a: b", "[x", "no", "a # b"):
        text = change(read, recipe_text, ("train", "dataset"), typed)
        assert find(read(text).fields, ("train", "dataset")).value == typed
    assert typed_value(Field(("a",), "text", is_optional=True), "null") == "null"


def test_items_are_added_to_lists_and_blocks(read, recipe_text):
    fields = read(recipe_text).fields
    trackers = find(fields, ("train", "trackers"))
    assert trackers.item.choices
    text = add_item(recipe_text, fields, trackers, "tensorboard")
    again = read(text).fields
    text = add_item(text, again, find(again, ("train", "trackers")), "mlflow")
    assert find(read(text).fields, ("train", "trackers")).value == ["tensorboard", "mlflow"]
    steps = find(fields, ("curate", "steps")) or find(
        read("curate: {sources: [{path: x}]}\n").fields, ("curate", "steps")
    )
    assert {"near_duplicates", "decontaminate"} <= {one.label for one in steps.item.children}


def test_unknown_keys_and_wrong_types_are_shown(read, recipe_text):
    reading = read(recipe_text + "  learnin_rate: 3\ntrian: {a: 1}\n")
    assert find(reading.fields, ("train", "learnin_rate")).is_unknown
    assert find(reading.fields, ("trian",)).is_unknown
    assert {fault.key for fault in reading.faults} == {"train.learnin_rate", "trian"}
    assert all(fault.line for fault in reading.faults)
    assert "Did you mean `learning_rate`?" in reading.faults[0].told
    for text in ("train: 3\n", "train: [1]\n", "train: {method: {kind: 7}, adapter: [x]}\n",
                 "train: {method: {beta: {a: {b: [1, [2]]}}}}\nmodel: builtin\n"):  # fmt: skip
        found = read(text)
        assert found.faults and list(walk(found.fields))


def test_a_field_taken_out_has_its_default_again(read, recipe_text):
    fields = read(recipe_text).fields
    text = unset_field(recipe_text, find(fields, ("train", "epochs")))
    assert text == recipe_text.replace("  epochs: 8\n", "")
    kind = find(fields, ("train", "adapter", "kind"))
    assert "adapter" not in unset_field(recipe_text, kind)


def test_every_default_of_the_form_is_that_of_the_checked_recipe(reader, read, tmp_path):
    text = "name: a\nmodel: {path: builtin}\ntrain: {steps: 3}\nevaluate: {}\n"
    document = parse_yaml(text, tmp_path / "temper.yaml")
    resolved = check_document(document, reader._sections).resolved()
    seen = 0
    for field in walk(read(text).fields):
        at = resolved
        for part in field.key:
            at = at.get(part) if isinstance(at, dict) else None
        if field.children or at is None or field.value is None:
            continue
        seen += 1
        assert field.value == at, field.key
    assert seen > 40
