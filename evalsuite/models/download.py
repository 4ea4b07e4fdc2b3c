"""Hub models that are not on this machine yet: downloaded as a job of their own.

It runs before the job that needs the model and before any GPU is claimed, so that nothing waits on
a GPU for a network. Files that came whole are kept, so the same command typed again continues with
the others; of a file that was interrupted nothing is used, since huggingface_hub 2 begins each
attempt anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from evalsuite.models.section import ModelSection
from evalsuite.models.source import HUB_FILES, hub_error, hub_offline, is_hub_name
from workspace.context import Progress
from workspace.errors import ModelError, TemperError
from workspace.jobs import Job, run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe

_PARALLEL_FILES = 4
_CURE = "Files that came whole are kept: the same command continues with the others."


@dataclass(frozen=True)
class Pending:
    """What the cache lacks of a hub model."""

    name: str
    commit: str
    files: tuple[str, ...]
    size_bytes: int
    """Together, as far as the hub says; 0 if it does not."""


def ensure_model(recipe: Recipe, argv: Sequence[str]) -> None:
    """Download the hub model that a recipe names, if it is not here.

    Args:
        recipe: without a `model` section, or with one that names no hub model, nothing is done.
        argv: the command that needs it; typed again it continues an interrupted download.

    Raises:
        ModelError: the hub refuses or the disk is too small; with the way out.
        Stopped: a signal arrived; files that came whole are kept.
    """
    section = recipe.section("model", ModelSection)
    if section is not None and is_hub_name(section, recipe.base_dir):
        fetch(section, recipe.workspace, argv)


def is_missing(recipe: Recipe) -> bool:
    """Tell whether a recipe names a hub model of which something must be downloaded first."""
    section = recipe.section("model", ModelSection)
    if section is None or hub_offline() or not is_hub_name(section, recipe.base_dir):
        return False
    with _telling(section):
        return bool(find_pending(section).files)


def fetch(section: ModelSection, workspace: Workspace, argv: Sequence[str]) -> None:
    """Download what the cache lacks of a hub model. Raises as `ensure_model`."""
    if hub_offline():
        return  # what is missing is told where the model is used
    with _telling(section):
        pending = find_pending(section)
    if not pending.files:
        return
    with run_job(workspace, "download", argv) as job:
        path = _download(section, pending, job)
        job.result(path)


def find_pending(section: ModelSection) -> Pending:
    """Ask the hub what the model consists of and return what the cache lacks."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    info = HfApi().model_info(section.path, revision=section.revision, files_metadata=True)
    commit = str(info.sha)
    sizes = {one.rfilename: int(one.size or 0) for one in info.siblings or ()}
    missing = {
        name: sizes[name]
        for name in sizes
        if any(fnmatch(name, pattern) for pattern in HUB_FILES)
        and not isinstance(try_to_load_from_cache(section.path, name, revision=commit), str)
    }
    return Pending(section.path, commit, tuple(missing), sum(missing.values()))


def _download(section: ModelSection, pending: Pending, job: Job) -> Path:
    from huggingface_hub import snapshot_download

    _check_space(pending)
    what = f"downloading {pending.name}"
    job.events.append("download", name=pending.name, commit=pending.commit, **_size(pending))
    with Progress(what, max(1, pending.size_bytes // 2**20), unit="MiB") as progress:
        watch = _Watch(job, progress, pending.size_bytes)
        try:
            with _telling(section):
                path = snapshot_download(
                    pending.name,
                    revision=pending.commit,
                    allow_patterns=list(pending.files),
                    max_workers=_PARALLEL_FILES,
                    tqdm_class=watch.bar(),
                )
        except ModelError:
            job.check_stop(cure=_CURE)  # the library may wrap what stopped it in its own error
            raise
        job.check_stop(cure=_CURE)
        progress.update(max(1, pending.size_bytes // 2**20))
    job.events.append("downloaded", path=str(path), **_size(pending))
    return Path(path)


def _size(pending: Pending) -> dict[str, int]:
    return {"files": len(pending.files), "size_bytes": pending.size_bytes}


def _check_space(pending: Pending) -> None:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    there = next(path for path in (cache, *cache.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if pending.size_bytes > free:
        raise ModelError(
            "no space left for this download",
            where=pending.name,
            cause=f"It needs {pending.size_bytes / 2**30:.1f} GiB; {there} has "
            f"{free / 2**30:.1f} GiB.",
            cure="Free some, or set HF_HOME to a larger disk.",
        )


class _Watch:
    """Turns the library's bars into our progress, its events, and a place to stop at."""

    _EVENT_BYTES = 256 * 2**20

    def __init__(self, job: Job, progress: Progress, total: int) -> None:
        self.job = job
        self.progress = progress
        self.total = total
        self.done = self.told = 0

    def bytes_done(self, done: int) -> None:
        """Show how much came, and raise `Stopped` if a signal asked for it.

        The library has two bars for the same bytes, as they come and as they are written.
        """
        self.done = max(self.done, done)
        self.progress.update(self.done // 2**20)
        if self.done - self.told >= self._EVENT_BYTES:
            self.told = self.done
            self.job.events.append("progress", done_bytes=self.done, total_bytes=self.total)
        self.job.check_stop(cure=_CURE)

    def bar(self) -> Any:
        """Return what the library takes for its bar: it counts, and draws nothing."""
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        watch = self

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                self.counts_bytes = options.get("unit") == "B"
                options.pop("name", None)
                super().__init__(*args, **{**options, "disable": True})
                self.came = int(options.get("initial") or 0)

            def update(self, n: float | None = 1) -> bool | None:
                self.came += int(n or 0)
                if self.counts_bytes:
                    watch.bytes_done(self.came)
                return None

        return Bar


@contextmanager
def _telling(section: ModelSection) -> Iterator[None]:
    try:
        yield
    except TemperError:
        raise
    except Exception as error:
        raise hub_error(section.path, section.revision, error) from error


__all__ = ["Pending", "ensure_model", "fetch", "find_pending", "is_missing"]
