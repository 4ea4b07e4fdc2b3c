"""A step by itself: files in, rows or a file out; what the commands and the Python API share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from curate.recipe import CurateSection
from workspace.errors import UsageError
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.pipeline import Curated, Reporter


def section_for(
    inputs: Sequence[str], columns: str = "", file_format: str = "auto", **settings: Any
) -> CurateSection:
    """Return the `curate` section that the arguments of a command mean.

    Args:
        inputs: files and globs; `-` is standard input.
        columns: `usual=own` pairs with commas between, for example `prompt=text`.
        file_format: of all inputs; `auto` tells it from each name.
        settings: other keys of the section.

    Raises:
        UsageError: a value that the section does not take.
    """
    named = {}
    for pair in filter(None, columns.split(",")):
        usual, _, own = pair.partition("=")
        named[usual.strip()] = own.strip()
    source = {"format": file_format, "columns": named}
    try:
        return CurateSection.model_validate(
            {"sources": [{"path": path, **source} for path in inputs], **settings}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "this value cannot be used", where=place, cause=f"{first['msg']}."
        ) from None


@contextlib.contextmanager
def curated_rows(
    section: CurateSection,
    report: Reporter | None = None,
    *,
    base: Path | None = None,
    model: Path | None = None,
) -> Iterator[Curated]:
    """Yield the rows that a section makes of its files; they are gone when the block ends.

    Tokens are counted where `model` is a directory with a tokenizer.
    """
    from curate.curating import work_directory
    from curate.pipeline import curate_rows

    base = base or Path.cwd()
    with work_directory(Path(_temporary())) as work:
        yield curate_rows(section, Workspace.find(base), base, work, model=model, report=report)


def _temporary() -> str:
    import tempfile

    return tempfile.gettempdir()
