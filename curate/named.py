"""One of several things by its name, as recipes write it: `- name: {settings}`, or `- name`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import model_serializer, model_validator

from workspace.recipe import Section


class Named(Section):
    """Exactly one field is given; its name says what is meant, and its value is the settings."""

    what: ClassVar[str]
    """What is named, for errors."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            return {name: {} if settings is None else settings for name, settings in value.items()}
        return value

    @model_validator(mode="after")
    def _only_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"one {self.what}, one of: {', '.join(type(self).model_fields)}")
        return self

    @model_serializer
    def _only_what_is_named(self) -> dict[str, Any]:
        return {self.name: self.settings.model_dump(mode="json", by_alias=True)}

    @property
    def name(self) -> str:
        """Which one."""
        return next(iter(self.model_fields_set))

    @property
    def settings(self) -> Section:
        """Its settings."""
        settings: Section = getattr(self, self.name)
        return settings
