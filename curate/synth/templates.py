"""The prompts: Jinja files beside this one, or files of the same names from a recipe's directory.

Rendered in the sandbox of `evalsuite.tasks.templates`; what rows hold is put in as text and never
read as a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.tasks.templates import Template, Unrenderable
from workspace.errors import DataError, UsageError

_OURS = Path(__file__).parent / "prompts"
FIELDS: Mapping[str, frozenset[str]] = {
    "paraphrase": frozenset({"question", "label"}),
    "persona": frozenset({"question", "label", "persona"}),
    "self_instruct": frozenset({"examples", "label"}),
    "evolve_deeper": frozenset({"question"}),
    "evolve_wider": frozenset({"question"}),
    "backtranslate": frozenset({"text"}),
    "documents": frozenset({"text", "pairs"}),
    "answer_from_text": frozenset({"text", "question"}),
    "repair": frozenset({"problem"}),
    "judge_grade": frozenset({"first", "second", "rubric"}),
    "judge_compare": frozenset({"question", "first", "second", "rubric"}),
    "judge_score": frozenset({"entry", "rubric", "least", "most"}),
}
"""Every prompt, with the names that it may use."""


@dataclass(frozen=True)
class Prompts:
    """All prompts, read and checked before anything is sent."""

    templates: Mapping[str, Template]

    @classmethod
    def load(cls, directory: Path | None = None) -> Prompts:
        """Read ours, and from `directory` those that replace them.

        Raises:
            UsageError: no such directory, or a file in it that replaces nothing.
            DataError: a template that is not valid or names what is not there.
        """
        files = {name: _OURS / f"{name}.jinja" for name in FIELDS}
        if directory is not None:
            files |= _replacements(directory)
        return cls({name: _checked(name, path) for name, path in files.items()})

    def render(self, name: str, **fields: Any) -> str:
        """Return a prompt.

        Raises:
            DataError: the template fails on these values.
        """
        try:
            return self.templates[name].text(fields).strip()
        except Unrenderable as error:
            raise DataError(
                "this prompt cannot be rendered", where=f"{name}.jinja", cause=f"{error}."
            ) from None


def _replacements(directory: Path) -> dict[str, Path]:
    if not directory.is_dir():
        raise UsageError("there is no such directory of prompts", where=str(directory))
    found = {path.stem: path for path in sorted(directory.glob("*.jinja"))}
    unknown = sorted(found.keys() - FIELDS.keys())
    if unknown or not found:
        raise UsageError(
            f"this file replaces no prompt: {unknown[0]}.jinja"
            if unknown
            else "this directory holds no .jinja file",
            where=str(directory),
            cause=f"The prompts are: {', '.join(FIELDS)}.",
        )
    return found


def _checked(name: str, path: Path) -> Template:
    template = Template(path.read_text(encoding="utf-8"))
    try:
        unknown = sorted(template.names - FIELDS[name])
    except Unrenderable as error:
        raise DataError("this prompt is not valid", where=str(path), cause=f"{error}.") from None
    if unknown:
        raise DataError(
            f"this prompt names {unknown[0]!r}, which it is not given",
            where=str(path),
            cause=f"It is given: {', '.join(sorted(FIELDS[name]))}.",
        )
    return template
