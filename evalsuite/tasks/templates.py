"""Jinja templates from files: sandboxed, and a name that does not exist is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

_ONE_EXPRESSION = re.compile(r"\A\s*\{\{(?P<expression>(?:(?!\}\}|\{\{).)*)\}\}\s*\Z", re.DOTALL)


class Unrenderable(ValueError):
    """A template is not valid, or a row does not have what it names."""


def _no_null(value: Any) -> Any:
    if value is None:
        raise Unrenderable("a null value, which would be written as `None`")
    return value


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, finalize=_no_null
)


@dataclass(frozen=True)
class Template:
    """A template for one field of a task."""

    source: str

    @cached_property
    def names(self) -> frozenset[str]:
        """The fields of a row that the template may read."""
        try:
            return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(self.source)))
        except TemplateError as error:
            raise Unrenderable(f"not a valid template: {error}") from None

    @cached_property
    def _compiled(self) -> Any:
        try:
            return _ENVIRONMENT.from_string(self.source)
        except TemplateError as error:
            raise Unrenderable(f"not a valid template: {error}") from None

    @cached_property
    def _expression(self) -> Any:
        """The template as one expression whose value keeps its type, or None."""
        match = _ONE_EXPRESSION.match(self.source)
        if match is None:
            return None
        try:
            return _ENVIRONMENT.compile_expression(match["expression"], undefined_to_none=False)
        except TemplateError:
            return None

    def text(self, row: Mapping[str, Any]) -> str:
        """Render for `row`.

        Raises:
            Unrenderable: a name that the row does not have, or a failure in the template.
        """
        self._check_names(row)
        try:
            return str(self._compiled.render(row))
        except Unrenderable:
            raise
        except Exception as error:  # a template can raise anything that Python can
            raise Unrenderable(f"{type(error).__name__}: {error}") from None

    def value(self, row: Mapping[str, Any]) -> Any:
        """Return the value of a template that is one `{{ expression }}`, else its text."""
        if self._expression is None:
            return self.text(row)
        self._check_names(row)
        try:
            found = self._expression(row)
        except Exception as error:
            raise Unrenderable(f"{type(error).__name__}: {error}") from None
        if isinstance(found, StrictUndefined):
            raise Unrenderable(f"{self.source.strip()} has no value in this row")
        return found

    def _check_names(self, row: Mapping[str, Any]) -> None:
        missing = sorted(self.names - row.keys() - _ENVIRONMENT.globals.keys())
        if missing:
            known = ", ".join(sorted(row)) or "nothing"
            raise Unrenderable(f"no field {missing[0]!r} in this row, which has {known}")


def as_text(value: Any) -> str | None:
    """Return a gold value as text: objects and lists as JSON, numbers as written, null as None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
