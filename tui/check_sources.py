"""What `temper check` and `temper init` say of raw rows: their formats, and what is no use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curate.recipe import CurateSection, Source
from tui.findings import Finding
from workspace.recipe import Recipe

if TYPE_CHECKING:
    from curate.formats.read import Glance
    from curate.steps.quality.masks import Masks


def source_findings(recipe: Recipe) -> Iterator[Finding]:
    """Look at the first rows of each source on this machine.

    Raises:
        DataError: a source cannot be read.
    """
    from curate.steps.quality.masks import patterns_of

    section = recipe.section("curate", CurateSection)
    if section is None:
        return
    masks = patterns_of(section.steps)
    for source in section.sources:
        if source.path == "-":
            yield Finding("ok", "source", "standard input")
            continue
        if source.hub is not None:
            yield Finding("ok", "source", f"{source.name}, looked at by `temper curate`")
            continue
        if (recipe.base_dir / Path(source.path).expanduser()).is_dir():
            yield from _first_rows(source, recipe.base_dir, f"{source.path}: a folder", masks)
            continue
        files = _matching(recipe.base_dir, source.path)
        if not files:
            yield Finding(
                "fail",
                "source",
                f"{source.path}: no such file",
                f"Paths are relative to {recipe.base_dir}.",
            )
            continue
        size = sum(file.stat().st_size for file in files) / 1e6
        count = f"{len(files):,} file{'s' if len(files) > 1 else ''}, {size:.1f} MB"
        yield from _first_rows(source, recipe.base_dir, f"{source.path}: {count}", masks)


def _first_rows(source: Source, base: Path, what: str, masks: Masks) -> Iterator[Finding]:
    from curate.formats.read import glance

    seen = glance(source, base)
    shown = ", ".join(str(name) for name in seen.formats)
    yield from _choices(seen, source, masks)
    yield from _label_beside_text(seen, source)
    if not seen.fault:
        yield Finding("ok", "source", f"{what}, {shown or 'no rows'}")
        return
    yield Finding(
        "warn" if seen.usable else "fail",
        "source",
        f"{what}; {seen.read - seen.usable:,} of the first {seen.read:,} rows cannot be used: "
        f"{masks.text(seen.fault)}",
        "Mend them, or name the columns beside the source's path, such as "
        "`columns: {prompt: YOURS, completion: YOURS}`.",
    )


def _choices(seen: Glance, source: Source, masks: Masks) -> Iterator[Finding]:
    """Tell what else rows could have been read as."""
    for one in seen.detected:
        columns = ", ".join(masks.mark(column) for column in one.columns)
        if one.also:
            yield Finding(
                "warn",
                "source",
                f"{source.name}: {one.rows:,} of the first {seen.read:,} rows, such as row "
                f"{one.first}, are read as {one.format} by {columns}, and fit "
                f"{', '.join(one.also)} too",
                "If that is not what you mean, name the columns: `columns: {prompt: YOURS, "
                "completion: YOURS}`.",
            )


def _label_beside_text(seen: Glance, source: Source) -> Iterator[Finding]:
    """Tell that of texts with a label the text is learnt: who classifies means the label."""
    if seen.labelled_texts:
        yield Finding(
            "warn",
            "source",
            f"{source.name}: {seen.labelled_texts:,} of the first {seen.read:,} rows are plain "
            "text with a label beside it: the text is learnt, the label is only kept",
            "If the label is to be learnt, name it as the answer: `columns: {prompt: "
            f"{source.columns.text or 'text'}, completion: {seen.label_column}}}`.",
        )


def _matching(base: Path, pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if not path.is_absolute():
        path = base / path
    if path.is_file():
        return [path]
    root = Path(path.anchor)
    return [found for found in root.glob(str(path.relative_to(root))) if found.is_file()]
