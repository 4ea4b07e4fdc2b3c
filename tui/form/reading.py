"""What a recipe's text says, and what is wrong with it: the same words as `temper check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.form.fields import Field, form_of
from tui.form.overrides import overrides_between, short_overrides
from workspace.errors import Problem, RecipeError, TemperError
from workspace.yaml import Document, Key, parse_yaml


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the text."""

    key: str
    """Dotted, or what the error calls its place."""
    told: str
    """What was found and what was expected."""
    line: int | None = None
    """From 1; None where it has no line."""
    column: int = 1

    @property
    def shown(self) -> str:
        """With its line, on one line."""
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.key}: {self.told}"


@dataclass(frozen=True)
class Reading:
    """A text as it was understood."""

    text: str
    is_yaml: bool
    """Whether it can be read at all; otherwise there are no fields."""
    fields: tuple[Field, ...] = ()
    faults: tuple[Fault, ...] = ()
    lines: Mapping[Key, int] | None = None
    """Key → its line, from 1."""
    edited: frozenset[Key] = frozenset()
    """Keys whose value is not the saved one."""
    overrides: tuple[str, ...] | None = ()
    """What `--set` must say to make the saved recipe this one; None where it cannot."""
    resolved: Mapping[str, Any] | None = None
    """Every value in effect, of a recipe without faults."""
    name: str = ""


class RecipeReader:
    """Reads texts of recipes. Making it imports every section: do it, and call it, in a worker."""

    def __init__(self) -> None:
        from tui.schema import compose, json_schema

        self._sections = compose()
        self._schema = json_schema()

    def read(self, text: str, path: Path, saved: str | None = None) -> Reading:
        """Return what a text says.

        Args:
            text: YAML, as broken as it may be.
            path: of the recipe, which its name and relative paths follow from.
            saved: the text on disk, if it is another.
        """
        from workspace.recipe import check_document

        try:
            document = parse_yaml(text, path)
        except TemperError as error:
            return Reading(text, False, faults=_faults(error))
        faults: tuple[Fault, ...] = ()
        resolved, name = None, ""
        try:
            recipe = check_document(document, self._sections)
            resolved, name = recipe.resolved(), recipe.name
        except TemperError as error:
            faults = _faults(error)
        edited, overrides = self._against(saved, document, resolved)
        return Reading(
            text=text,
            is_yaml=True,
            fields=form_of(self._schema, document.data),
            faults=faults,
            lines={key: line for key, (line, _) in document.places.items()},
            edited=edited,
            overrides=overrides,
            resolved=resolved,
            name=name,
        )

    def _against(
        self, saved: str | None, document: Document, resolved: Mapping[str, Any] | None
    ) -> tuple[frozenset[Key], tuple[str, ...] | None]:
        """Return which keys differ from the saved text, and the overrides that say so."""
        if saved is None:
            return frozenset(), ()
        try:
            before = parse_yaml(saved, document.path)
        except TemperError:
            return frozenset(), None
        changed = frozenset(
            key for key in document.places if _at(before.data, key) != _at(document.data, key)
        )
        short = short_overrides(before, document.data)
        if resolved is not None and self._comes_to(before, short) == resolved:
            return changed, short
        return changed, overrides_between(before, document.data)

    def _comes_to(self, saved: Document, overrides: Sequence[str]) -> Mapping[str, Any] | None:
        """Return every value in effect of the saved recipe with overrides; None of a wrong one."""
        from workspace.recipe import check_document

        try:
            return check_document(saved, self._sections, overrides).resolved()
        except TemperError:
            return None


def _at(data: Any, key: Key) -> Any:
    for part in key:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return _Absent
    return data


class _Absent:
    """What stands where nothing stands; equal to no value."""


def _faults(error: TemperError) -> tuple[Fault, ...]:
    if isinstance(error, RecipeError):
        return tuple(_fault(problem) for problem in error.problems)
    title = f"{error.title}. {error.cause}" if error.cause else error.title
    return (Fault("recipe", title),)


def _fault(problem: Problem) -> Fault:
    parts = problem.where.rsplit(":", 2)
    has_line = len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit()
    hint = f" {problem.hint}" if problem.hint else ""
    # Of a whole block the first words of its YAML say nothing, and take the line's room.
    found = "" if problem.found.startswith("{") else f"found {problem.found}; "
    told = f"{found}expected {problem.expected}.{hint}"
    if not has_line:
        return Fault(problem.key, told)
    return Fault(problem.key, told, int(parts[1]), int(parts[2]))


def faults_by_key(faults: Sequence[Fault]) -> dict[str, Fault]:
    """Return dotted key → the first fault there."""
    out: dict[str, Fault] = {}
    for fault in faults:
        out.setdefault(fault.key, fault)
    return out
