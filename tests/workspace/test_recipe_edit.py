"""A number of a recipe, written anew."""

from __future__ import annotations

import pytest

from workspace.errors import UsageError
from workspace.recipe_edit import set_number, with_number
from workspace.yaml import parse_yaml

STEPS = """\
# mine
curate:
  steps:
    - first   # alone
    - second: {a: 1}  # in a line
    - third:
        name: x   # below
        b: 2
    - fourth: {}
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("curate", "steps", 0, "first", "a"), "    - {first: {a: 0.5}} # alone"),
        (("curate", "steps", 1, "second", "a"), "    - second: {a: 0.5}  # in a line"),
        (("curate", "steps", 1, "second", "b"), "    - second: {a: 1, b: 0.5}  # in a line"),
        (("curate", "steps", 2, "third", "b"), "        b: 0.5"),
        (("curate", "steps", 3, "fourth", "b"), "    - fourth: {b: 0.5}"),
    ],
)
def test_only_the_number_changes(tmp_path, key, line):
    path = tmp_path / "temper.yaml"
    path.write_text(STEPS)
    set_number(path, key, 0.5)
    text = path.read_text()
    assert line in text.splitlines()
    assert len({*text.splitlines()} ^ {*STEPS.splitlines()}) == 2
    found = parse_yaml(text, path).data
    for part in key:
        found = found[part]
    assert found == 0.5


def test_what_is_absent_below_goes_where_its_neighbours_are():
    text = with_number(STEPS, ("curate", "steps", 2, "third", "c"), 3)
    assert "        b: 2\n        c: 3\n    - fourth" in text


@pytest.mark.parametrize(
    "key", [("curate", "steps"), ("curate", "steps", 9, "x", "y"), ("curate", "steps", 0, "x", "y")]
)
def test_a_place_that_is_none_is_refused(key):
    with pytest.raises(UsageError, match="no place"):
        with_number(STEPS, key, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a:\n  b:\n  keep: x\n", "a:\n  b: 0.9\n  keep: x\n"),
        ("a:\n  b: |\n    1\n  keep: x\n", "a:\n  b: 0.9\n  keep: x\n"),
        ("a:\r\n  b: 1\r\n", "a:\r\n  b: 0.9\r\n"),
        ("a:\r\n  keep: 1\r\nz: 1\r\n", "a:\r\n  keep: 1\r\n  b: 0.9\r\nz: 1\r\n"),
    ],
)
def test_what_stands_there_is_replaced_wholly_and_lines_end_as_before(tmp_path, text, found):
    path = tmp_path / "temper.yaml"
    path.write_bytes(text.encode())
    set_number(path, ("a", "b"), 0.9)
    assert path.read_bytes().decode() == found


def test_an_alias_is_refused():
    with pytest.raises(UsageError, match="by itself"):
        with_number("z: &x 1\na:\n  b: *x\n", ("a", "b"), 2)


def test_every_digit_is_written():
    assert with_number("a: {b: 1}\n", ("a", "b"), 1234567.0) == "a: {b: 1234567}\n"
