"""Datasets of the Hugging Face hub: resolved to a commit, downloaded once, read row by row.

Files that came whole stay in the hub's cache, so that a download that was stopped goes on. What a
name was resolved to is kept in the workspace's `cache/hub` (beside the hub's own cache where there
is no workspace), so that the same source is read again where the hub cannot be reached.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curate.formats.files import SourceFile, named_format
from curate.formats.loading import cached_files, layout_of, prepared_files, quiet
from curate.formats.splits import chosen_split
from curate.recipe import Source
from evalsuite.models.source import hub_error, hub_offline
from workspace.errors import DataError, TemperError
from workspace.files import read_json, write_json
from workspace.layout import RECIPE, Workspace

Tell = Callable[[str], None]
_VERSION = 1


def hub_files(source: Source, base: Path, tell: Tell) -> list[SourceFile]:
    """Return the files of a hub dataset's split, downloading those that are not here yet.

    Args:
        source: has a `hub` name.
        base: below the workspace whose cache remembers what a name was resolved to.
        tell: told what is being downloaded.

    Raises:
        DataError: gated, private, not there, offline, no space; several configurations or splits
            and none named; each with the way out.
    """
    record = _record_path(source, base)
    if hub_offline():
        return _offline(source, record)
    name, where = str(source.hub), source.name
    try:
        commit, sizes = _resolved(name, source.revision)
        _ask_for_card(name, commit)
    except Exception as error:
        if _unreachable(error) and record.is_file():
            return _offline(source, record)
        raise _refused(source, error) from error
    try:
        layout = layout_of(name, source, where, revision=commit)
    except TemperError as error:
        raise _refused_within(source, error) from error
    told = {"name": name, "commit": commit, "config": layout.config, "split": layout.split}
    shown = f"{name}@{commit[:12]}"
    if not layout.ours:
        tell(f"loading {shown} with `datasets`")
        try:
            return prepared_files(layout, shown, told, None)
        except TemperError as error:
            raise _refused_within(source, error) from error
    paths = [_inside(file, commit) for file in layout.files]
    _check_space(source, sum(sizes.get(path, 0) for path in paths))
    files = _downloaded(source, commit, paths, tell)
    _remember(record, told, paths, layout.features)
    return _as_sources(files, paths, shown, told, layout.features)


def _resolved(name: str, revision: str | None) -> tuple[str, dict[str, int]]:
    """Return the commit of a revision, and the size of each file, as far as the hub says it."""
    from huggingface_hub import HfApi

    info = HfApi().dataset_info(name, revision=revision, files_metadata=True)
    sizes = {one.rfilename: int(one.size or 0) for one in info.siblings or ()}
    return str(info.sha), sizes


def _ask_for_card(name: str, commit: str) -> None:
    """Fetch the card, which `datasets` reads: of a gated dataset even that is refused.

    `datasets` would tell it in an error from which the hub's own is gone.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with contextlib.suppress(EntryNotFoundError):
        hf_hub_download(
            name, "README.md", repo_type="dataset", revision=commit, tqdm_class=_silent_bar()
        )


def _inside(address: str, commit: str) -> str:
    """Return the path of an `hf://` address within its repository."""
    return address.split(f"@{commit}/", 1)[-1]


def _downloaded(source: Source, commit: str, paths: Sequence[str], tell: Tell) -> list[Path]:
    from huggingface_hub import hf_hub_download

    found = []
    for number, path in enumerate(paths, 1):
        tell(f"downloading {source.hub}: file {number} of {len(paths)}")
        try:
            local = hf_hub_download(
                str(source.hub),
                path,
                repo_type="dataset",
                revision=commit,
                tqdm_class=_silent_bar(),
            )
        except Exception as error:
            raise _refused(source, error) from error
        found.append(Path(local))
    return found


def _silent_bar() -> Any:
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

    return Bar


def _as_sources(
    files: Sequence[Path],
    paths: Sequence[str],
    shown: str,
    told: dict[str, str],
    features: Any,
) -> list[SourceFile]:
    return [
        SourceFile(
            file,
            f"{shown}/{path}",
            named_format(Path(path)),
            features=features,
            dataset=told,
            folder=file.parent,
        )
        for file, path in zip(files, paths, strict=True)
    ]


def _check_space(source: Source, size: int) -> None:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    there = next(path for path in (cache, *cache.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if size > free:
        raise DataError(
            "no space left for this download",
            where=source.name,
            cause=f"It needs {size / 2**30:.1f} GiB; {there} has {free / 2**30:.1f} GiB.",
            cure="Free some, or set HF_HOME to a larger disk.",
        )


def _refused(source: Source, error: BaseException) -> TemperError:
    if isinstance(error, TemperError):
        return error
    if _unreachable(error):
        return _not_here(source, "the connection failed")
    return hub_error(str(source.hub), source.revision, error, what="dataset", kind=DataError)


def _refused_within(source: Source, error: TemperError) -> TemperError:
    """Return what the hub said, if an error of `datasets` began with it."""
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError) or _unreachable(cause):
            return _refused(source, cause)
        cause = cause.__cause__ or cause.__context__
    return error


def _unreachable(error: BaseException) -> bool:
    """Tell a failed connection; the hub's library has had several clients with errors of theirs."""
    named = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return named or isinstance(error, ConnectionError | TimeoutError)


def _record_path(source: Source, base: Path) -> Path:
    asked = [source.hub, source.revision, source.config, source.split]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
    return _records(Workspace.find(base)) / f"{key}.json"


def _records(workspace: Workspace) -> Path:
    """Return where records are; a directory that is no workspace gets nothing written into it."""
    from huggingface_hub import constants

    if (workspace.root / RECIPE).is_file():
        return workspace.cache / "hub"
    return Path(constants.HF_HOME) / "welltempered" / "datasets"


def _remember(record: Path, told: dict[str, str], paths: Sequence[str], features: Any) -> None:
    record.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record.parent.mkdir(mode=0o700, exist_ok=True)
    found = {"schema_version": _VERSION, **told, "files": [*paths], "features": features}
    write_json(record, found)


def _offline(source: Source, record: Path) -> list[SourceFile]:
    """Return the files as they were found when the hub was last asked.

    Raises:
        DataError: they are not all here.
    """
    from huggingface_hub import try_to_load_from_cache

    if not record.is_file():
        return _loaded_before(source)
    known = read_json(record, kind="hub")
    told = {key: str(known[key]) for key in ("name", "commit", "config", "split")}
    files = []
    for path in known["files"]:
        local = try_to_load_from_cache(
            told["name"], path, revision=told["commit"], repo_type="dataset"
        )
        if not isinstance(local, str):
            raise _not_here(source, f"{path} is not in the hub's cache any more")
        files.append(Path(local))
    shown = f"{told['name']}@{told['commit'][:12]}"
    return _as_sources(files, known["files"], shown, told, known["features"])


def _loaded_before(source: Source) -> list[SourceFile]:
    """Return the Arrow files that `datasets` made when somebody loaded the dataset."""
    from datasets import load_dataset_builder

    name = str(source.hub)
    try:
        with quiet():
            builder = load_dataset_builder(name, source.config)
    except ValueError as error:
        if "onfig" not in f"{error}":
            raise _not_here(source, "HF_HUB_OFFLINE is set") from error
        raise _not_here(source, f"{error}".replace("\n", " ").rstrip(".")) from error
    except Exception as error:
        raise _not_here(source, "the hub cannot be reached") from error
    commit = str(builder.hash)
    if source.revision not in (None, "main", commit):
        raise _not_here(source, f"`datasets` has it at {commit}, not at {source.revision}")
    split = chosen_split(map(str, builder.info.splits or ()), source.split, source.name)
    told = {"name": name, "commit": commit, "config": builder.config.name, "split": split}
    features = builder.info.features.to_dict() if builder.info.features else None
    shown = f"{name}@{commit[:12]}"
    return cached_files(Path(builder.cache_dir), split, shown, told, None, features)


def _not_here(source: Source, why: str) -> DataError:
    return DataError(
        "this dataset is not on this machine and the hub cannot be reached",
        where=source.name,
        cause=f"{why[0].upper()}{why[1:]}.",
        cure="Go online once, set HTTPS_PROXY or HF_ENDPOINT, or give the path of a folder with "
        "its files. HF_HOME says where downloads are kept.",
    )
