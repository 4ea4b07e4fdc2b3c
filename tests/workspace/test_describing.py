"""A schema says of every field what stands below it in the source."""

from __future__ import annotations

from pydantic import Field

from workspace.describing import described_schema, field_texts
from workspace.recipe import Section


class Parent(Section):
    """Shared."""

    first: int = 1
    """How many:
    of what."""
    second: str = Field("", description="Its own words.")
    """Not these."""


class Child(Parent):
    """Of the parent."""

    other: int = Field(0, alias="third")
    """Has another name outside."""
    bare: int = 0
    first: int = 2
    """How many more."""


def test_fields_are_described_by_what_stands_below_them() -> None:
    shown = described_schema(Child)["properties"]
    assert {name: one.get("description") for name, one in shown.items()} == {
        "first": "How many more.",
        "second": "Its own words.",
        "third": "Has another name outside.",
        "bare": None,
    }
    assert field_texts(Parent)["first"] == "How many:\nof what."


def test_nested_models_are_described_too() -> None:
    class Outer(Section):
        inner: Child = Child()

    found = described_schema(Outer)["$defs"]["Child"]["properties"]
    assert found["third"]["description"] == "Has another name outside."
