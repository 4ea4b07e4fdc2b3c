"""Recipes: YAML checked by pydantic, every problem told at once, every value with its origin.

This module knows the names of sections only through the mapping it is given: each package owns
the model of its section, and the `temper` command composes the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from workspace.errors import Problem, RecipeError, UsageError
from workspace.layout import RECIPE, Workspace
from workspace.overrides import overridden
from workspace.problems import (
    did_you_mean,
    dotted,
    secret_literals,
    section_problem,
    short,
    unknown_sections,
    where,
)
from workspace.yaml import Document, Key, load_yaml

SectionT = TypeVar("SectionT", bound=BaseModel)


class Section(BaseModel):
    """Base of every recipe section: frozen, unknown keys refused.

    What stands below a field describes it; `workspace.describing` puts it into a schema.
    """

    # Built with the section that is read, once, and not for each section that it holds.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    moved: ClassVar[Mapping[str, str]] = {}
    """Keys that were here once → where they are now; an error names the new place."""


@dataclass(frozen=True)
class Recipe:
    """A recipe that passed its checks."""

    path: Path
    name: str
    """Names the dataset and the runs; the file's `name`, or its file name."""
    sections: Mapping[str, BaseModel]
    """The sections that the file or the command line gives."""
    origins: Mapping[str, str]
    """Dotted key → `file:line:column`, `command line` or `default`."""

    @property
    def base_dir(self) -> Path:
        """What relative paths in the recipe are relative to."""
        return self.path.parent

    @property
    def workspace(self) -> Workspace:
        """The workspace that the recipe belongs to: the directory it lies in, or one above."""
        return Workspace.find(self.base_dir)

    def section(self, name: str, model: type[SectionT]) -> SectionT | None:
        """Return section `name`, or None if the recipe has none."""
        found = self.sections.get(name)
        return found if isinstance(found, model) else None

    def required(self, name: str, model: type[SectionT], *, command: str) -> SectionT:
        """Return section `name`.

        Raises:
            UsageError: the recipe has no such section, which `command` needs.
        """
        found = self.section(name, model)
        if found is None:
            raise UsageError(
                f"this recipe has no `{name}` section",
                where=str(self.path),
                cause=f"`{command}` reads it.",
                cure="`temper init` writes a commented example; `temper schema` lists its keys.",
            )
        return found

    def resolved(self) -> dict[str, Any]:
        """Return every value in effect, as plain data."""
        out: dict[str, Any] = {"name": self.name}
        for name, section in self.sections.items():
            out[name] = section.model_dump(mode="json", by_alias=True)
        return out

    def to_yaml(self) -> str:
        """Return every value in effect as YAML, its origin beside it as a comment."""
        return _annotated_yaml(self.resolved(), self.origins)


def load_recipe(
    path: Path | None,
    sections: Mapping[str, type[BaseModel]],
    overrides: Sequence[str] = (),
) -> Recipe:
    """Read and check a recipe.

    Args:
        path: the file; None finds `temper.yaml` here or above; a directory means its recipe.
        sections: section name → its pydantic model.
        overrides: `a.b=c` as given to `--set`, applied in order over the file.

    Raises:
        UsageError: no such file or an override that is not `key=value`.
        RecipeError: all problems, each with its place, what was found and what was expected.
    """
    return check_document(load_yaml(_recipe_path(path)), sections, overrides)


def check_document(
    document: Document,
    sections: Mapping[str, type[BaseModel]],
    overrides: Sequence[str] = (),
) -> Recipe:
    """Check a recipe that was read already, of a file or of a text being written.

    Raises as `load_recipe`, apart from a file that is not there.
    """
    data, from_command_line = overridden(document, overrides)
    problems = list(secret_literals(document, data, from_command_line))
    problems += unknown_sections(document, data, sections, from_command_line)
    name, name_problems = _name(document, data, from_command_line)
    problems += name_problems
    found: dict[str, BaseModel] = {}
    for section_name, model in sections.items():
        if section_name not in data:
            continue
        value = {} if data[section_name] is None else data[section_name]
        try:
            found[section_name] = model.model_validate(value)
        except ValidationError as error:
            details = error.errors(include_url=False)
            problems += [
                section_problem(document, data, section_name, model, detail, from_command_line)
                for detail in details
                if not _follows(detail["loc"], [other["loc"] for other in details])
            ]
    if problems:
        count = len(problems)
        raise RecipeError(
            f"{count} problem{'s' if count > 1 else ''} in this recipe",
            sorted(problems, key=lambda problem: _line(problem.where)),
        )
    origins = dict(_origins(document, found, from_command_line))
    return Recipe(document.path, name, found, origins)


def _follows(place: Key, places: Sequence[Key]) -> bool:
    """Whether an error says only that something inside is wrong, which is told by itself."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _recipe_path(path: Path | None) -> Path:
    if path is None:
        found = Workspace.find().root / RECIPE
        if not found.is_file():
            raise UsageError(
                f"there is no {RECIPE} here or in a directory above",
                where=str(Path.cwd()),
                cure="Name a recipe, or make a workspace with `temper init DIR`.",
            )
        return found
    file = path / RECIPE if path.is_dir() else path
    if not file.exists():
        beside = sorted(other.name for other in file.absolute().parent.glob("*.yaml"))
        hint = did_you_mean(file.name, beside)
        raise UsageError(
            "there is no such file",
            where=str(file.absolute()),
            cure=f"{hint} Check the path, or make a workspace with `temper init DIR`.".strip(),
        )
    return file.resolve()


def _name(
    document: Document, data: Mapping[str, Any], from_command_line: frozenset[Key]
) -> tuple[str, list[Problem]]:
    from workspace.layout import checked_name

    default = document.path.stem.lower()
    name = data.get("name", default)
    try:
        if not isinstance(name, str):
            raise UsageError("not text")
        return checked_name(name, what="recipe"), []
    except UsageError:
        expected = "at most 63 lower-case letters, digits, dots, underscores and hyphens"
        place = where(document, ("name",), from_command_line)
        return default, [Problem(place, "name", short(name), expected)]


def _origins(
    document: Document, sections: Mapping[str, BaseModel], from_command_line: frozenset[Key]
) -> Iterator[tuple[str, str]]:
    yield "name", document.where(("name",)) if "name" in document.data else "file name"
    for name, section in sections.items():
        for key in _leaves(section.model_dump(mode="json", by_alias=True), (name,)):
            yield dotted(key), _origin(document, key, from_command_line)


def _origin(document: Document, key: Key, from_command_line: frozenset[Key]) -> str:
    for length in range(len(key), 0, -1):
        if key[:length] in from_command_line:
            return "command line"
    return document.where(key) if key in document.places else "default"


def _leaves(value: Any, key: Key) -> Iterator[Key]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, (*key, name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*key, index))
    else:
        yield key


def _annotated_yaml(data: dict[str, Any], origins: Mapping[str, str]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    def node(value: Any, key: Key) -> Any:
        if isinstance(value, dict):
            mapping = CommentedMap()
            for name, item in value.items():
                mapping[name] = node(item, (*key, name))
                origin = origins.get(dotted((*key, name)))
                if origin:
                    short = origin.rsplit("/", 1)[-1]
                    mapping.yaml_add_eol_comment(short, name)
            return mapping
        if isinstance(value, list):
            return CommentedSeq(node(item, (*key, index)) for index, item in enumerate(value))
        return value

    yaml = YAML()
    yaml.width = 4096
    stream = StringIO()
    yaml.dump(node(data, ()), stream)
    return stream.getvalue()


def _line(where: str) -> tuple[int, int]:
    parts = where.rsplit(":", 2)
    return (int(parts[1]), int(parts[2])) if len(parts) == 3 and parts[1].isdigit() else (0, 0)
