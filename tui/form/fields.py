"""A recipe's schema and values as a tree of plain fields, which a screen draws as a form.

The tree is made of the JSON Schema that `temper schema` prints, so that a key, its choices, bounds
and help are in the form once they are in a section's class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workspace.yaml import Key
from workspace.yaml_edit import as_yaml

Schema = Mapping[str, Any]
Kind = Literal["group", "list", "choice", "number", "switch", "text", "any"]
_MISSING = object()
_DEEPEST = 12


@dataclass(frozen=True)
class Field:
    """One value of a recipe, or a block of them."""

    key: Key
    kind: Kind
    help: str = ""
    value: Any = None
    """In effect: what the recipe gives, else the default."""
    is_given: bool = False
    """Whether the recipe gives it, or something in it."""
    default: Any = None
    choices: tuple[Any, ...] = ()
    """Of a choice: the values. Of a block by kind: the kinds."""
    tag: str = ""
    """Of a block by kind: the key that says which kind it is."""
    bounds: str = ""
    """What a number, text or list may be, in words."""
    is_optional: bool = False
    """Whether it may be null."""
    is_unknown: bool = False
    """Whether no such key is known here."""
    children: tuple[Field, ...] = ()
    item: Field | None = None
    """Of a list: what one more item would be."""
    is_kind: bool = False
    """Whether it says which kind the block around it is."""

    @property
    def label(self) -> str:
        """The last part of its key."""
        return str(self.key[-1]) if self.key else ""

    @property
    def shown(self) -> str:
        """The value on one line."""
        if self.value is None:
            return "not set" if self.children or not self.is_given else "null"
        if self.tag:
            return str(_tag_of(self.value, self.tag))
        if self.kind == "list" and self.value and self.children:
            return f"{len(self.value)} item{'s' if len(self.value) > 1 else ''}"
        if self.kind == "group" and isinstance(self.value, Mapping):
            return "" if self.children else as_yaml(self.value)
        return as_yaml(self.value)


def form_of(schema: Schema, data: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the top-level fields of a recipe: its sections, in the schema's order.

    Args:
        schema: of the whole recipe, as `temper schema` prints it.
        data: what the recipe gives, unchecked: values of a wrong type are shown as they are.
    """
    return tuple(_properties(schema, schema, data, {}, (), 0))


def walk(fields: Sequence[Field]) -> Iterator[Field]:
    """Yield every field, each before what is in it."""
    for field in fields:
        yield field
        yield from walk(field.children)


def find(fields: Sequence[Field], key: Key) -> Field | None:
    """Return the field at a key."""
    return next((field for field in walk(fields) if field.key == key), None)


def _properties(
    root: Schema, model: Schema, given: Any, default: Any, key: Key, depth: int
) -> Iterator[Field]:
    properties = model.get("properties", {})
    given_map = given if isinstance(given, Mapping) else {}
    default_map = default if isinstance(default, Mapping) else {}
    for name, part in properties.items():
        if "const" in part and name in ("kind",):
            continue
        found = given_map.get(name, _MISSING)
        fallback = default_map.get(name, part.get("default"))
        yield _field(root, part, found, fallback, (*key, name), depth + 1)
    extra = model.get("additionalProperties")
    for name, value in given_map.items():
        if name in properties:
            continue
        if isinstance(extra, Mapping):
            yield _field(root, extra, value, None, (*key, name), depth + 1)
        else:
            yield Field((*key, name), "any", "", value, True, is_unknown=True)


def _field(root: Schema, part: Schema, given: Any, default: Any, key: Key, depth: int) -> Field:
    """Return the field of one property.

    Args:
        root: the whole schema, where `$ref` leads.
        part: of the property.
        given: what the recipe says, `_MISSING` where it says nothing.
        default: what then counts.
        key: its path.
        depth: how deep it is; schemas may contain themselves.
    """
    help_text = part.get("description", "")
    part = _resolved(root, part)
    is_given = given is not _MISSING
    value = given if is_given else default
    branches = [_resolved(root, one) for one in part.get("anyOf", ())]
    is_optional = any(one.get("type") == "null" for one in branches)
    branches = [one for one in branches if one.get("type") != "null"]
    part = _branch(branches, value, part)
    common = {
        "key": key,
        "help": help_text or part.get("description", ""),
        "value": value,
        "is_given": is_given,
        "default": default,
        "bounds": " or ".join(dict.fromkeys(filter(None, map(_bounds, branches or [part])))),
        "is_optional": is_optional,
    }
    if "oneOf" in part and "discriminator" in part:
        return _by_kind(root, part, common, given, default, depth)
    if part.get("type") == "object" and depth < _DEEPEST:
        inner = {} if default is None else default
        children = (
            ()
            if value is None and is_optional
            else tuple(_properties(root, part, given if is_given else {}, inner, key, depth))
        )
        return Field(kind="group", children=children, **common)
    if part.get("type") == "array" and depth < _DEEPEST and len(branches) < 2:
        children = tuple(_items(root, part, value, key, depth))
        return Field(kind="list", children=children, item=_new_item(root, part, key), **common)
    kind, choices = _simple(part, branches)
    return Field(kind=kind, choices=choices, **common)


def _by_kind(
    root: Schema, part: Schema, common: dict[str, Any], given: Any, default: Any, depth: int
) -> Field:
    """Return a block whose fields follow from its kind."""
    tag = part["discriminator"]["propertyName"]
    models = {
        name: _resolved(root, {"$ref": target})
        for name, target in part["discriminator"]["mapping"].items()
    }
    chosen = _tag_of(common["value"], tag)
    model = models.get(chosen)
    same = _tag_of(default, tag) == chosen
    children = (
        tuple(_properties(root, model, given, default if same else {}, common["key"], depth))
        if model is not None and depth < _DEEPEST
        else ()
    )
    choice = Field(
        key=(*common["key"], tag),
        kind="choice",
        help=_first_lines(models),
        value=chosen,
        is_given=common["is_given"],
        default=_tag_of(default, tag),
        choices=tuple(models),
        is_kind=True,
    )
    return Field(
        kind="group", choices=tuple(models), tag=tag, children=(choice, *children), **common
    )


def _first_lines(models: Mapping[str, Schema]) -> str:
    """Return what each kind is, a line each."""
    told = {name: model.get("description", "").split("\n")[0] for name, model in models.items()}
    return "\n".join(f"{name}: {line}" if line else name for name, line in told.items())


def _items(root: Schema, part: Schema, value: Any, key: Key, depth: int) -> Iterator[Field]:
    items = part.get("items")
    if not isinstance(value, list) or not isinstance(items, Mapping):
        return
    for index, item in enumerate(value):
        yield _field(root, items, item, None, (*key, index), depth + 1)


def _new_item(root: Schema, part: Schema, key: Key) -> Field | None:
    """Return what one more item would be; only its own keys are told."""
    items = part.get("items")
    if not isinstance(items, Mapping):
        return None
    return _field(root, items, _MISSING, None, (*key, -1), _DEEPEST - 1)


def _tag_of(value: Any, tag: str) -> Any:
    """Return which kind a value is of: `sft`, or `{kind: sft}`."""
    found = value.get(tag) if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _resolved(root: Schema, part: Schema) -> Schema:
    for _ in range(_DEEPEST):
        reference = part.get("$ref")
        if not isinstance(reference, str):
            break
        name = reference.rpartition("/")[2]
        part = {
            **root.get("$defs", {}).get(name, {}),
            **{k: v for k, v in part.items() if k == "description"},
        }
    return part


def _branch(branches: Sequence[Schema], value: Any, part: Schema) -> Schema:
    """Return what of `anyOf` a value is; what it would be if there is none."""
    if not branches:
        return part
    wanted = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None
    for one in branches:
        if wanted is not None and (one.get("type") == wanted or "discriminator" in one):
            return one
    return (
        branches[0]
        if len(branches) == 1
        else {**branches[0], "type": None, "oneOf": ()}
        if branches[0].get("type") in ("object", "array")
        else branches[0]
    )


def _simple(part: Schema, branches: Sequence[Schema]) -> tuple[Kind, tuple[Any, ...]]:
    types = {one.get("type") for one in branches} or {part.get("type")}
    choices = [value for one in branches or [part] for value in _values(one)]
    if types == {"boolean"}:
        return "switch", (True, False)
    if choices and all(_values(one) for one in branches or [part]):
        return "choice", tuple(choices)
    if types <= {"integer", "number"}:
        return "number", ()
    if types == {"string"} and not choices:
        return "text", ()
    return "any", tuple(choices)


def _values(part: Schema) -> tuple[Any, ...]:
    return (part["const"],) if "const" in part else tuple(part.get("enum", ()))


def _bounds(part: Schema) -> str:
    """Return what a value may be, in words.

    >>> _bounds({"type": "integer", "minimum": 1}), _bounds({"type": "array", "minItems": 1})
    ('a whole number, at least 1', 'a list, at least 1')
    """
    kind = {
        "integer": "a whole number", "number": "a number", "string": "text",
        "boolean": "true or false", "array": "a list", "object": "a block",
    }.get(part.get("type") or "", "")  # fmt: skip
    if values := _values(part):
        return "one of " + ", ".join(map(str, values))
    words = {
        "minimum": "at least", "ge": "at least", "exclusiveMinimum": "above", "gt": "above",
        "maximum": "at most", "le": "at most", "exclusiveMaximum": "below", "lt": "below",
        "minItems": "at least", "maxItems": "at most", "pattern": "matching",
    }  # fmt: skip
    told = [f"{text} {_plain(part[name])}" for name, text in words.items() if name in part]
    return ", ".join([kind, *dict.fromkeys(told)]) if kind else ""


def _plain(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value)
