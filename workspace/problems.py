"""What is wrong with a recipe, said with its place, what was found and what was expected."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from workspace.errors import Problem
from workspace.secrets import looks_like_secret
from workspace.text import plain
from workspace.yaml import Document, Key


def unknown_sections(
    document: Document,
    data: Mapping[str, Any],
    sections: Mapping[str, type[BaseModel]],
    from_command_line: frozenset[Key],
) -> Iterator[Problem]:
    """Yield a problem for each top-level key that is no section."""
    known = ["name", *sections]
    for key in data:
        if key not in known:
            yield Problem(
                where(document, (key,), from_command_line),
                key,
                "an unknown section",
                f"one of {', '.join(known)}",
                did_you_mean(key, known),
            )


def secret_literals(
    document: Document, data: Any, from_command_line: frozenset[Key], key: Key = ()
) -> Iterator[Problem]:
    """Yield a problem for each value shaped like a key of a known service; never repeat it."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from secret_literals(document, value, from_command_line, (*key, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from secret_literals(document, value, from_command_line, (*key, index))
    elif isinstance(data, str) and looks_like_secret(data):
        hint = "A key in a file that is shared and copied is a key lost: replace it at its issuer."
        yield Problem(
            where(document, key, from_command_line),
            dotted(key),
            "a secret",
            "an environment variable that holds it",
            hint,
        )


def section_problem(
    document: Document,
    data: Mapping[str, Any],
    section: str,
    model: type[BaseModel],
    detail: ErrorDetails,
    from_command_line: frozenset[Key],
) -> Problem:
    """Say one pydantic error of a section in our words, with its place."""
    location = _in_data(data, (section, *detail["loc"]))
    kind, message = detail["type"], detail["msg"]
    hint = ""
    found = short(detail["input"])
    if kind == "extra_forbidden":
        models, name = _models_at(model, detail["loc"][:-1]), str(detail["loc"][-1])
        fields = sorted({key for one in models for key in _keys(one)})
        found = "an unknown key"
        expected = f"one of {', '.join(fields)}" if fields else "no such key"
        hint = did_you_mean(name, fields)
        for one in models:
            if name in getattr(one, "moved", {}):
                found, hint = "a key that has moved", ""
                expected = f"it in its new place, `{one.moved[name]}`"
    elif kind == "union_tag_invalid":
        context = detail.get("ctx") or {}
        found = short(context.get("tag"))
        allowed = str(context.get("expected_tags", ""))
        expected = f"one of {allowed}"
        hint = did_you_mean(str(context.get("tag")), allowed.split("'")[1::2])
        location = (*location, str(context.get("discriminator", "")).strip("'"))
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        expected = "a mapping of keys"
        expected += " (`{}` gives none of them)" if detail["input"] is None else ""
    elif kind == "too_short":
        expected = f"at least {(detail.get('ctx') or {}).get('min_length', 1)} of them"
    elif kind == "missing":
        found = "nothing"
        expected = _wanted(model, detail["loc"])
    else:
        expected = message.removeprefix("Input should be ").removeprefix("Value error, ")
        expected = expected[:1].lower() + expected[1:]
        allowed = str((detail.get("ctx") or {}).get("expected", ""))
        if isinstance(detail["input"], str) and "'" in allowed:
            hint = did_you_mean(detail["input"], allowed.split("'")[1::2])
    key = location if kind != "missing" else (*location, detail["loc"][-1])
    return Problem(where(document, location, from_command_line), dotted(key), found, expected, hint)


def _wanted(model: type[BaseModel], location: Key) -> str:
    """Return what is to be given for a key that is missing; the value itself if it has only one."""
    name = str(location[-1])
    for one in _models_at(model, location[:-1]):
        field = one.model_fields.get(name)
        allowed = typing.get_args(field.annotation) if field else ()
        if field and typing.get_origin(field.annotation) is typing.Literal and len(allowed) == 1:
            return f"`{name}: {allowed[0]}`"
    return f"a value for {name}"


def _in_data(data: Any, location: Key) -> Key:
    """Drop the parts of a pydantic location that are not keys of the data (union tags)."""
    out: list[str | int] = []
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            continue
        out.append(part)
    return tuple(out)


def where(document: Document, key: Key, from_command_line: frozenset[Key]) -> str:
    """Return the place of `key`: the override that set it, or `file:line:column`."""
    for length in range(len(key), 0, -1):
        if key[:length] in from_command_line:
            return f"--set {dotted(key[:length])}"
    below = sorted(dotted(given) for given in from_command_line if given[: len(key)] == key)
    if below and key not in document.places:  # only an override made this key
        return f"--set {below[0]}"
    return document.where(key)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field's annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, list, dict, tuple):
        for part in typing.get_args(annotation):
            yield from _models_in(part)
    elif typing.get_origin(annotation) is typing.Annotated:
        yield from _models_in(typing.get_args(annotation)[0])


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield the keys of a model as recipes write them."""
    for name, field in model.model_fields.items():
        yield field.alias or name


def _models_at(model: type[BaseModel], location: Sequence[str | int]) -> list[Any]:
    """Return the models that are checked at `location`, over every branch of a union."""
    models: list[Any] = [model]
    for part in location:
        following: list[Any] = []
        for one in models:
            field = one.model_fields.get(str(part))
            following += _models_in(field.annotation) if field else ()
        # A list index or a union's tag names no field: the candidates stay, narrowed by tag.
        tagged = [one for one in models if part in _tags(one)]
        models = following or tagged or models
    return models


def _tags(model: type[BaseModel]) -> set[Any]:
    return {
        value
        for field in model.model_fields.values()
        if typing.get_origin(field.annotation) is typing.Literal
        for value in typing.get_args(field.annotation)
    }


def dotted(key: Key) -> str:
    """Return a key as `train.sources.0.path`."""
    return ".".join(str(part) for part in key)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return a hint if `word` is nearly one of `known`, else nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else ""


def short(value: Any) -> str:
    """Return a found value as an error quotes it."""
    text = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    return plain(text, limit=60)
