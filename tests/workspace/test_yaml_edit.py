"""Single values are changed; every other character stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from workspace.errors import UsageError
from workspace.yaml import parse_scalar, parse_yaml
from workspace.yaml_edit import as_yaml, with_value, without

RECIPE = """\
# a comment above
name: mine

train:                         # how it learns
  adapter: {kind: full}        # every weight
  learning_rate: 2e-4          # gentle
  epochs: 8

  tempering:
    replay:                    # what it should not forget
      dataset: general
      share: 0.6

evaluate:
  suites:
    - target                   # suites/target.yaml
    - "builtin:retention"
"""


def data(text):
    return parse_yaml(text, Path("recipe")).data


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        (("train", "epochs"), "3", "  epochs: 8\n", "  epochs: 3\n"),
        (
            ("train", "learning_rate"),
            "1.5e-4",
            "  learning_rate: 2e-4          # gentle\n",
            "  learning_rate: 1.5e-4        # gentle\n",
        ),
        (("train", "steps"), "20", "      share: 0.6\n", "      share: 0.6\n  steps: 20\n"),
        (("train", "adapter", "freeze"), "null", "{kind: full}", "{kind: full, freeze: null}"),
        (
            ("train", "limits", "cut"),
            "5%",
            "      share: 0.6\n",
            "      share: 0.6\n  limits:\n    cut: 5%\n",
        ),
        (
            ("evaluate", "suites", 2),
            "third",
            '    - "builtin:retention"\n',
            '    - "builtin:retention"\n    - third\n',
        ),
        (("evaluate", "suites", 0), "other", "    - target   ", "    - other    "),
    ],
)
def test_a_value_is_put_where_it_belongs(key, value, before, after):
    assert RECIPE.count(before) == 1
    found = with_value(RECIPE, key, value)
    assert found == RECIPE.replace(before, after)
    inside = data(found)
    for part in key:
        inside = inside[part]
    assert inside == parse_scalar(value)


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        (("train", "epochs"), "  epochs: 8\n"),
        (("train", "tempering", "replay", "dataset"), "      dataset: general\n"),
        (("evaluate", "suites", 0), "    - target                   # suites/target.yaml\n"),
    ],
)
def test_a_value_is_taken_out_with_its_line(key, gone):
    assert without(RECIPE, key) == RECIPE.replace(gone, "")


def test_the_last_of_a_block_leaves_it_empty():
    text = without(without(RECIPE, ("evaluate", "suites", 0)), ("evaluate", "suites", 0))
    assert data(text)["evaluate"] == {"suites": []}
    assert data(without(RECIPE, ("train", "tempering", "replay")))["train"]["tempering"] == {}
    assert without("a: 1\n", ("a",)) == ""


@pytest.mark.parametrize(
    ("text", "key", "value", "after"),
    [
        ("", ("train", "steps"), "3", "train:\n  steps: 3\n"),
        ("# only a comment\n", ("name",), "x", "# only a comment\nname: x\n"),
        ("train:\n", ("train", "steps"), "3", "train: {steps: 3}\n"),
        ("train:\nplan: {}\n", ("train",), "{}", "train: {}\nplan: {}\n"),
        ("a: |\n  text\n  more\n# c\nb: 1\n", ("a",), "x", "a: x\n# c\nb: 1\n"),
        ("a: {}\r\nb: 1\r\n", ("a", "c"), "2", "a: {c: 2}\r\nb: 1\r\n"),
        ("a: 'it''s'  # why\n", ("a",), "x", "a: x        # why\n"),
        ("l:\n- a\n- b\n", ("l", 1), "c", "l:\n- a\n- c\n"),
        ("l:\n- k: 1\n  m: 2\n", ("l", 0, "n"), "3", "l:\n- k: 1\n  m: 2\n  n: 3\n"),
    ],
)
def test_odd_places(text, key, value, after):
    assert with_value(text, key, value) == after


def test_what_is_shared_by_an_anchor_is_not_changed_behind_ones_back():
    text = "a: &x {k: 1}\nb: *x\n"
    with pytest.raises(UsageError, match="shared with another place"):
        with_value(text, ("b", "k"), "2")
    assert data(with_value(text, ("b",), "3")) == {"a": {"k": 1}, "b": 3}


def test_a_text_that_cannot_be_read_is_refused():
    with pytest.raises(UsageError, match="a cannot be changed"):
        with_value("a: [", ("a",), "1")


@pytest.mark.parametrize(
    "value",
    ["a, b", "", " x", "2024", "a: b", "yes", "null", "a # b", "[x", {"k": [1, {"a": None}]}, 2e-7,
     True, "line\nbreak", "\x1b[2J", "ü"],
)  # fmt: skip
def test_every_value_is_written_so_that_it_reads_back(value):
    assert data(f"key: {as_yaml(value)}\n") == {"key": value}
    assert data(f"key: [{as_yaml(value)}]\n") == {"key": [value]}
