"""Changes of a recipe by its fields: what each writes into the text."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tui.form.fields import Field, find
from workspace.errors import UsageError
from workspace.yaml import Key, parse_scalar, scalar
from workspace.yaml_edit import as_yaml, with_value, without


def typed_value(field: Field, typed: str) -> str:
    """Return what was typed for a field as YAML: text is text, whatever it looks like.

    >>> typed_value(Field(("name",), "text"), "2024")
    '"2024"'
    >>> typed_value(Field(("train", "epochs"), "number"), " 2e-1 ")
    '2e-1'
    """
    typed = typed.strip()
    if field.kind == "text" and not (typed == "null" and field.is_optional):
        return as_yaml(typed) if set(typed) & set("[]{},:#") else scalar(typed)
    if field.kind in ("any", "list", "group") and "\n" not in typed:
        return as_yaml(parse_scalar(typed)) if isinstance(parse_scalar(typed), str) else typed
    return typed


def set_field(text: str, fields: Sequence[Field], field: Field, value: str) -> str:
    """Return the text with another value for a field.

    Args:
        text: the recipe.
        fields: its form.
        field: of the form.
        value: YAML on one line.

    Raises:
        UsageError: it cannot be changed by itself.
    """
    if field.is_kind:
        parent = _field_at(fields, field.key[:-1])
        return _put(text, fields, parent.key, as_yaml({field.key[-1]: parse_scalar(value)}))
    return _put(text, fields, field.key, value)


def unset_field(text: str, field: Field) -> str:
    """Return the text without a field, whose default then counts. Raises as `set_field`."""
    return without(text, field.key[:-1] if field.is_kind else field.key)


def add_item(text: str, fields: Sequence[Field], field: Field, value: str) -> str:
    """Return the text with one more item in a list, or entry in a block. Raises as `set_field`."""
    if field.kind == "list":
        count = len(field.value) if isinstance(field.value, list) else 0
        if count and field.is_given:
            return _put(text, fields, (*field.key, count), value)
        return _put(text, fields, field.key, as_yaml([*(field.value or []), parse_scalar(value)]))
    entry = parse_scalar(f"{{{value}}}")
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise UsageError("this is not `key: value`", where=value)
    ((name, said),) = entry.items()
    return _put(text, fields, (*field.key, str(name)), as_yaml(said))


def _put(text: str, fields: Sequence[Field], key: Key, value: str) -> str:
    """Write a value, and around it what the recipe leaves to a default but needs to say now."""
    for length in range(1, len(key)):
        around = find(fields, key[:length])
        if around is None:
            break
        needs_kind = around.tag and not (around.is_given and isinstance(around.value, Mapping))
        if needs_kind or (around.kind == "list" and not around.is_given):
            whole = _whole(around)
            _store(whole, key[length:], parse_scalar(value))
            return with_value(text, around.key, as_yaml(whole))
    return with_value(text, key, value)


def _whole(field: Field) -> Any:
    """Return what a field has to say itself once something in it is said."""
    if field.kind == "list":
        return copy.deepcopy(list(field.value or []))
    kind = next((child.value for child in field.children if child.is_kind), None)
    return {field.tag: kind}


def _store(data: Any, path: Key, value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {}) if isinstance(data, dict) else data[part]
    data[path[-1]] = value


def _field_at(fields: Sequence[Field], key: Key) -> Field:
    found = find(fields, key)
    if found is None:
        raise UsageError("there is no such field", where=".".join(map(str, key)))
    return found
