"""JSON Schema of recipe sections, each field described by the text that stands below it.

pydantic does the same with `use_attribute_docstrings`, but reads the source of every model whenever
it is imported; here that is done only for those who ask for a schema.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return field → the text below it, of the model and what it is derived from."""
    out: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            out |= dict(_texts_of(parent))
    return out


def _texts_of(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):  # made while the program runs
        return
    (definition,) = ast.parse(dedent(source)).body
    body = getattr(definition, "body", [])
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)


class DescribedSchema(GenerateJsonSchema):
    """Adds the descriptions, where a field does not give its own."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a model with its fields described."""
        out = super().model_schema(schema)
        model = schema["cls"]
        shown = out.get("properties", {})
        for name, text in field_texts(model).items():
            if name in model.model_fields:
                key = model.model_fields[name].alias or name
                shown[key].setdefault("description", text)
        return out


def described_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model, with every field's description."""
    return model.model_json_schema(schema_generator=DescribedSchema)
