"""Folders: what `datasets` saved with `save_to_disk`, and what `load_dataset` would read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.formats.files import SourceFile
from curate.formats.splits import chosen_split
from curate.recipe import Source
from workspace.errors import DataError

_STATE, _INFO, _DICT = "state.json", "dataset_info.json", "dataset_dict.json"


def folder_files(folder: Path, source: Source, base: Path) -> list[SourceFile]:
    """Return the files of the split that a source names.

    Raises:
        DataError: it is no dataset, it is not whole, or has several splits and none is named.
    """
    if (folder / _DICT).is_file():
        splits = _json(folder / _DICT).get("splits", [])
        return _saved(folder / chosen_split(splits, source.split, source.path), source, base)
    if (folder / _STATE).is_file():
        return _saved(folder, source, base)
    from curate.formats.loading import loadable_files

    return loadable_files(folder, source, base)


def _saved(folder: Path, source: Source, base: Path) -> list[SourceFile]:
    state, info = _json(folder / _STATE), _json(folder / _INFO)
    names = [str(one.get("filename")) for one in state.get("_data_files") or []]
    split = state.get("_split")
    if source.split not in (None, split, folder.name):
        chosen_split([split or folder.name], source.split, source.path)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise DataError(
            "this saved dataset is not whole",
            where=_shown(folder, base),
            cause=f"{missing[0]} is not there." if missing else f"{_STATE} names no file.",
            cure="Save it again with `save_to_disk`, or copy the whole folder.",
        )
    features = info.get("features")
    return [
        SourceFile(
            folder / name,
            f"{_shown(folder, base)}/{name}",
            "arrow",
            features=features if isinstance(features, dict) else None,
            dataset={"name": source.path, "split": str(split or folder.name)},
            folder=folder,
        )
        for name in names
    ]


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            "this saved dataset is not whole",
            where=str(path),
            cause=f"{error}.",
            cure="Save it again with `save_to_disk`, or copy the whole folder.",
        ) from error
    return found if isinstance(found, dict) else {}


def _shown(folder: Path, base: Path) -> str:
    inside = folder.is_relative_to(base)
    return folder.relative_to(base).as_posix() if inside else folder.name
