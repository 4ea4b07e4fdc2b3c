"""What `datasets` makes of a folder or a hub name: configurations, splits, files, features.

Its files are read by our own readers where they are of a format that these know, line by line and
row by row, so that a row of another shape costs only itself. Anything else (images in folders,
archives, plain text …) is loaded by `datasets` into its cache, and read from there. `datasets` runs
no code of a dataset.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.formats.files import SourceFile, named_format
from curate.formats.splits import chosen_split
from curate.recipe import Source
from workspace.errors import DataError, TemperError

_OURS = frozenset({"parquet", "json", "csv", "arrow"})
_PLAIN: dict[str, tuple[Any, ...]] = {
    "field": (None,),
    "sep": (None, ","),
    "delimiter": (None,),
    "column_names": (None,),
    "names": (None,),
    "skiprows": (None, 0),
    "columns": (None,),
    "filters": (None,),
    "encoding": (None, "utf-8"),
}
"""Settings of a configuration with which our readers read the same as `datasets`."""


@dataclass(frozen=True)
class Layout:
    """Where the rows of one split are."""

    files: tuple[str, ...]
    """Paths, or `hf://` addresses; as `datasets` found them."""
    ours: bool
    """Our own readers read them."""
    split: str
    config: str
    features: Mapping[str, Any] | None
    builder: Any
    """`datasets.DatasetBuilder`."""


def loadable_files(folder: Path, source: Source, base: Path) -> list[SourceFile]:
    """Return the files of a split of a folder that `load_dataset` would read.

    Raises:
        DataError: it would not read it, or there are several splits and none is named.
    """
    layout = layout_of(str(folder), source, source.path)
    told = {"name": source.path, "config": layout.config, "split": layout.split}
    inside = folder.is_relative_to(base)
    shown = folder.relative_to(base).as_posix() if inside else folder.name
    if not layout.ours:
        return prepared_files(layout, shown, told, folder)
    _check_shards(layout.files, shown)
    real = folder.resolve()
    names = [
        (Path(file), Path(file).relative_to(real if Path(file).is_relative_to(real) else folder))
        for file in layout.files
    ]
    return [
        SourceFile(
            path,
            f"{shown}/{name.as_posix()}",
            named_format(path),
            features=layout.features,
            dataset=told,
            folder=folder,
        )
        for path, name in names
    ]


def layout_of(name: str, source: Source, where: str, **options: Any) -> Layout:
    """Ask `datasets` what a folder or hub name consists of; no row is read yet.

    Args:
        name: a folder, or a name on the hub.
        source: of the recipe, for its configuration and split.
        where: what errors call it.
        options: for `load_dataset_builder`.

    Raises:
        DataError: it is no dataset, or configuration and split are not clear.
    """
    from datasets import load_dataset_builder

    with telling(where), quiet():
        builder = load_dataset_builder(name, source.config, **options)
    found = builder.config.data_files or {}
    split = chosen_split(map(str, found), source.split, where)
    files = tuple(str(file) for file in found[split])
    features = builder.info.features.to_dict() if builder.info.features else None
    module = type(builder).__module__.rsplit(".", 1)[-1]
    ours = module in _OURS and _is_plain(builder.config) and all(map(_known, files))
    return Layout(files, ours, split, builder.config.name, features, builder)


def _is_plain(config: Any) -> bool:
    return all(getattr(config, key, None) in plain for key, plain in _PLAIN.items())


def _known(file: str) -> bool:
    with contextlib.suppress(DataError):
        return bool(named_format(Path(file)))
    return False


def prepared_files(
    layout: Layout, shown: str, told: Mapping[str, str], folder: Path | None
) -> list[SourceFile]:
    """Let `datasets` load a split into its cache, and return the Arrow files there.

    Raises:
        DataError: it cannot.
    """
    with telling(shown), quiet():
        layout.builder.download_and_prepare()
    features = layout.builder.info.features
    return cached_files(
        Path(layout.builder.cache_dir),
        layout.split,
        shown,
        told,
        folder,
        features.to_dict() if features else None,
    )


def cached_files(
    directory: Path,
    split: str,
    shown: str,
    told: Mapping[str, str],
    folder: Path | None,
    features: Mapping[str, Any] | None,
) -> list[SourceFile]:
    """Return the Arrow files of a split in a directory of the cache of `datasets`."""
    name = re.compile(rf".*-{re.escape(split)}(-\d{{5}}-of-\d{{5}})?\.arrow")
    paths = sorted(path for path in directory.glob("*.arrow") if name.fullmatch(path.name))
    if not paths:
        raise DataError(
            "this split is not in the cache of `datasets`",
            where=shown,
            cause=f"{directory.name} holds no Arrow file of `{split}`.",
            cure="Load it once again with `datasets.load_dataset`.",
        )
    return [
        SourceFile(
            path,
            f"{shown}/{path.name}",
            "arrow",
            features=features,
            dataset=told,
            folder=folder or directory,
        )
        for path in paths
    ]


_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(.*)")


def _check_shards(files: tuple[str, ...], where: str) -> None:
    """Refuse a folder that lacks a numbered part, as a download that was stopped leaves it.

    Raises:
        DataError: with the part.
    """
    there: dict[tuple[str, str, int], set[int]] = {}
    for file in files:
        found = _SHARD.fullmatch(file)
        if found:
            stem, number, of, rest = found.groups()
            there.setdefault((stem, rest, int(of)), set()).add(int(number))
    for (stem, rest, of), numbers in there.items():
        missing = sorted({*range(of)} - numbers)
        if missing:
            raise DataError(
                "a part of this dataset is not there",
                where=where,
                cause=f"{Path(stem).name}-{missing[0]:05d}-of-{of:05d}{rest} is missing.",
                cure="Download it again; files that came whole are kept.",
            )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the progress bars and warnings of `datasets` to itself."""
    from datasets.utils import logging
    from datasets.utils.tqdm import are_progress_bars_disabled
    from datasets.utils.tqdm import disable_progress_bars as disable
    from datasets.utils.tqdm import enable_progress_bars as enable

    was, level = are_progress_bars_disabled(), logging.get_verbosity()
    disable()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if not was:
            enable()


@contextlib.contextmanager
def telling(where: str) -> Iterator[None]:
    """Say what an error of `datasets` means and what to do about it."""
    try:
        yield
    except TemperError:
        raise
    except Exception as error:
        raise _told(where, error) from error


def _told(where: str, error: Exception) -> DataError:
    said = f"{error}".strip()
    first = (said.splitlines() or [type(error).__name__])[0][:300].rstrip(".")
    if "scripts are no longer supported" in said:
        return DataError(
            "this dataset is a script, and scripts are never run",
            where=where,
            cause=f"{first}.",
            cure="The hub keeps most of them as Parquet too: `revision: refs/convert/parquet`.",
        )
    configs = re.search(r"\[([^\]]*)\]", said)
    if configs and ("onfig" in said):
        named = configs.group(1).replace("'", "`")
        missing = "missing" in said or "specify" in said
        return DataError(
            "this dataset has several configurations"
            if missing
            else "this dataset has no such configuration",
            where=where,
            cause=f"It has {named}; none is guessed.",
            cure=f"Add `config: {configs.group(1).split(',')[0].strip(chr(39))}` to the source, "
            "or another of them.",
        )
    cause = error.__cause__ or error
    detail = (f"{cause}".strip().splitlines() or [type(cause).__name__])[0][:300].rstrip(".")
    return DataError(
        "`datasets` cannot load this",
        where=where,
        cause=f"{type(error).__name__}: {first}." + (f" {detail}." if detail != first else ""),
        cure="Name its files instead, such as `path: FOLDER/*.jsonl`.",
    )
