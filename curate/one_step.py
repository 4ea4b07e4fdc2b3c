"""A step by itself: files in, rows or a file out; what the commands and the Python API share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from curate.recipe import CurateSection
from curate.steps.configs import StepConfig
from workspace.errors import UsageError
from workspace.layout import Workspace
from workspace.problems import section_problem
from workspace.yaml import Document

if TYPE_CHECKING:
    from curate.pipeline import Curated, Reporter

Config = TypeVar("Config", bound=BaseModel)
_SECTION = "settings"


def section_for(
    inputs: Sequence[str],
    columns: str = "",
    file_format: str = "auto",
    table: Mapping[str, Any] | None = None,
    **settings: Any,
) -> CurateSection:
    """Return the `curate` section that the arguments of a command mean.

    Args:
        inputs: files and globs; `-` is standard input.
        columns: `usual=own` pairs with commas between, for example `prompt=text`.
        file_format: of all inputs; `auto` tells it from each name.
        table: `header` and `quotes` of the inputs, if they are tables.
        settings: other keys of the section.

    Raises:
        UsageError: a value that the section does not take.
    """
    named = {}
    for pair in filter(None, columns.split(",")):
        usual, _, own = pair.partition("=")
        named[usual.strip()] = own.strip()
    source = {"format": file_format, "columns": named, **(table or {})}
    return validated(
        CurateSection, {"sources": [{"path": path, **source} for path in inputs], **settings}
    )


def mix_section(
    inputs: Sequence[str], weights: Sequence[str | float], mix: dict[str, Any], **settings: Any
) -> CurateSection:
    """Return the `curate` section that mixes files by weight.

    Args:
        inputs: files and globs.
        weights: of each of them.
        mix: keys of the section's `mix`.
        settings: other keys of the section.

    Raises:
        UsageError: a value that the section does not take.
    """
    pairs = zip(inputs, weights, strict=True)
    sources = [{"path": path, "weight": weight} for path, weight in pairs]
    return validated(CurateSection, {"sources": sources, "mix": mix, **settings})


def validated(config: type[Config], settings: Mapping[str, Any]) -> Config:
    """Return settings as a section takes them.

    Raises:
        UsageError: the first that it does not.
    """
    try:
        return config.model_validate(dict(settings))
    except ValidationError as error:
        given = {_SECTION: dict(settings)}
        problem = section_problem(
            Document(Path(), given),
            given,
            _SECTION,
            config,
            error.errors(include_url=False)[0],
            frozenset(),
        )
        raise UsageError(
            "this value cannot be used",
            where=problem.key.removeprefix(f"{_SECTION}."),
            cause=f"Found {problem.found}; expected {problem.expected}.",
            cure=problem.hint,
        ) from None


def step_config(name: str, settings: Mapping[str, Any]) -> StepConfig:
    """Return the config of a step, as a recipe's `- name: {settings}` gives it.

    Raises:
        UsageError: there is no such step, or it does not take these settings.
    """
    from workspace.problems import did_you_mean

    if name not in StepConfig.model_fields:
        hint = did_you_mean(name, list(StepConfig.model_fields))
        known = f"There is: {', '.join(StepConfig.model_fields)}."
        raise UsageError("there is no such step", where=name, cause=known, cure=hint)
    return validated(StepConfig, {name: dict(settings)})


@contextlib.contextmanager
def curated_rows(
    section: CurateSection,
    report: Reporter | None = None,
    *,
    base: Path | None = None,
    model: str | None = None,
) -> Iterator[Curated]:
    """Yield the rows that a section makes of its files; they are gone when the block ends.

    Args:
        section: what to do.
        report: told what happens.
        base: what relative paths are relative to; default the current directory.
        model: `builtin` or a model's directory, whose tokenizer counts the tokens.

    Where the workspace has a cache of steps it is used; none is begun for a single command.
    """
    from curate.caching.store import Store
    from curate.curating import steps_cache, work_directory
    from curate.pipeline import curate_rows

    base = base or Path.cwd()
    tokenizer = _model_directory(model, base)
    workspace = Workspace.find(base)
    kept = steps_cache(workspace)
    with work_directory(Path(_temporary())) as work:
        yield curate_rows(
            section,
            workspace,
            base,
            work,
            model=tokenizer,
            report=report,
            cache=Store(kept) if kept.is_dir() else None,
        )


def _model_directory(model: str | None, base: Path) -> Path | None:
    if not model:
        return None
    from evalsuite.models import ModelSection, resolve_model

    return resolve_model(ModelSection(path=model), base).path


def _temporary() -> str:
    import tempfile

    return tempfile.gettempdir()
