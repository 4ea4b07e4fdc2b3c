"""The output is JSON that a schema accepts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from evalsuite.scorers.json_text import NotJson, parse
from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

    from evalsuite.tasks.item import Item


class JsonSchemaScorer(Section):
    """Right if the output is valid under `schema`; needs no gold answer."""

    kind: Literal["json_schema"] = "json_schema"
    """The output is JSON that a schema accepts."""
    json_schema: dict[str, Any] = Field(alias="schema")
    """A JSON Schema (draft 2020-12 unless `$schema` says otherwise); nothing is fetched."""

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import Draft202012Validator, validator_for

        try:
            validator_for(schema, default=Draft202012Validator).check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"a valid JSON Schema ({error.message})") from None
        outside = [ref for ref in _references(schema) if not ref.startswith("#")]
        if outside:
            raise ValueError(f"a schema complete in itself; nothing is fetched ({outside[0]})")
        return schema

    @cached_property
    def _validator(self) -> Validator:
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        # An empty registry: the default one would fetch a `$ref` to a URL.
        registry: Registry[Any] = Registry()
        kind = validator_for(self.json_schema, default=Draft202012Validator)
        return kind(self.json_schema, registry=registry)

    def refusal(self, gold: str) -> str | None:
        """Return None: the schema is all that is needed."""
        return None

    def score(self, output: str, item: Item) -> Score:
        """Validate `output`."""
        from jsonschema.exceptions import best_match

        try:
            found = parse(output)
        except NotJson as error:
            return wrong(f"not JSON: {error}")
        worst = best_match(self._validator.iter_errors(found))
        return RIGHT if worst is None else wrong(f"at {worst.json_path}: {worst.message}")


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _references(part)
