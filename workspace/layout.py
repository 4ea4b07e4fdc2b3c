"""Where things live: a workspace and the names of what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workspace.errors import DataError, UsageError
from workspace.files import read_json, telling_disk_errors
from workspace.secrets import looks_like_secret
from workspace.text import plain

RECIPE = "temper.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SECONDS = len("20261120-233000")
"""How much of an id says when it was made."""


def checked_name(name: str, *, what: str) -> str:
    """Return `name` if it is safe as a directory name.

    Raises:
        UsageError: it has other characters than lower-case letters, digits, `.`, `_`, `-`.
    """
    if looks_like_secret(name):
        raise UsageError(
            f"this {what}'s name is shaped like a key of a service",
            cause="Names are written into results, which are shared and copied.",
            cure="Replace the key at its issuer, and give another name.",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"this cannot be the name of a {what}",
            where=plain(name, 80),
            cause="A name has lower-case letters, digits, dots, underscores and hyphens, begins "
            "with a letter or digit and has at most 63 characters.",
            cure="Give another name.",
        )
    return name


def new_id(name: str) -> str:
    """Return an identifier that sorts by time: `20261120-233000-name-1a2b`."""
    import secrets  # the app's first paint needs none of the cryptography below it

    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{checked_name(name, what='run')}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Workspace:
    """A directory with one or more recipes and the results made from them."""

    root: Path
    cache_elsewhere: Path | None = None
    """Where to keep what can be computed again, if not below the root."""

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Return the workspace at or above `start`: the nearest directory with a recipe.

        Without one, `start` itself is the workspace.
        """
        here = (start or Path.cwd()).resolve()
        for directory in (here, *here.parents):
            if (directory / RECIPE).is_file():
                return cls(directory)
        return cls(here)

    @property
    def datasets(self) -> Path:
        """Datasets by name, then digest."""
        return self.root / "datasets"

    @property
    def jobs(self) -> Path:
        """One directory for every long command."""
        return self.root / "jobs"

    @property
    def runs(self) -> Path:
        """What training jobs made."""
        return self.root / "runs"

    @property
    def evals(self) -> Path:
        """What evaluations found."""
        return self.root / "evals"

    @property
    def cache(self) -> Path:
        """What can be computed again; safe to delete at any time."""
        return self.cache_elsewhere or self.root / "cache"

    def make(self, directory: Path) -> Path:
        """Create one of the directories above, private to its owner (mode 0700)."""
        with telling_disk_errors(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def dataset(self, name: str) -> Path:
        """Return the dataset directory for a name (its current digest), `name/digest` or a path.

        Raises:
            DataError: there is none.
        """
        for candidate in (Path(name), self.root / name, self.datasets / name):
            if (candidate / "ledger.json").is_file():
                return candidate.resolve()
            if (candidate / "current" / "ledger.json").is_file():
                return (candidate / "current").resolve()
        recipe = f" {name}.yaml" if (self.root / f"{name}.yaml").is_file() else ""
        whole = self.datasets.glob("[!.]*/current/ledger.json")
        known = sorted(path.parent.parent.name for path in whole)
        raise DataError(
            f"there is no dataset called {name!r}",
            where=str(self.datasets),
            cause=f"There is: {', '.join(known) or 'none yet'}.",
            cure=_with_hint(name, known, f"Make one with `temper curate{recipe}`."),
        )

    def run(self, name: str) -> Path:
        """Return the run directory for an id, a unique part of one, a recipe name or a path."""
        found = self._one(self.runs, name, "run", "run.json", "Make one with `temper train`.")
        if name == "latest":  # of runs that were made together the whole is meant
            group = read_json(found / "run.json", kind="run record").get("group")
            whole = self.runs / str(group["of"]) if isinstance(group, dict) else found
            return whole if (whole / "run.json").is_file() else found
        return found

    def evaluation(self, name: str) -> Path:
        """Return the evaluation directory for an id, a unique part of one, or a path."""
        return self._one(
            self.evals, name, "evaluation", "results.json", "Make one with `temper eval`."
        )

    def job(self, name: str) -> Path:
        """Return the job directory for an id, a unique part of one, a path, or a run's name."""
        try:
            return self._one(self.jobs, name, "job", "job.json", "See `temper jobs`.")
        except UsageError as unknown:
            try:
                run = self.run(name)
            except UsageError:
                raise unknown from None
            return self.jobs / str(read_json(run / "run.json", kind="run record")["job"])

    def _one(self, parent: Path, name: str, what: str, marker: str, cure: str) -> Path:
        for candidate in (Path(name), parent / name):
            if (candidate / marker).is_file():
                return candidate.resolve()
        known = sorted(path for path in parent.glob("[!.]*") if (path / marker).is_file())
        found = known if name == "latest" else [path for path in known if name in path.name]
        # Several runs of one recipe: the newest is meant.
        exact = [path for path in found if _title(path) == name] or found
        if exact and (exact is not found or name == "latest"):
            return _newest(exact, marker).resolve()
        if len(found) == 1:
            return found[0].resolve()
        if found:
            raise UsageError(
                f"{name!r} names more than one {what}",
                where=str(parent),
                cause=f"It may be: {', '.join(path.name for path in found[:5])}.",
                cure="Give more of the name.",
            )
        return self._none(parent, name, what, cure, known)

    def _none(self, parent: Path, name: str, what: str, cure: str, known: Sequence[Path]) -> Path:
        newest = reversed(known)
        titles = [*dict.fromkeys(_title(path) for path in newest)]
        choices = [*titles, *(path.name for path in known)]
        raise UsageError(
            f"there is no {what} called {name!r}",
            where=str(parent),
            cause=f"There is: {_listed(titles)}." if known else "There is none yet.",
            cure=_with_hint(name, choices, "Name one of them." if known else cure),
        )


def _listed(titles: Sequence[str], most: int = 8) -> str:
    more = f" and {len(titles) - most} more" if len(titles) > most else ""
    return f"{', '.join(titles[:most])}{more}"


def _newest(found: Sequence[Path], marker: str) -> Path:
    """Return the newest of directories sorted by id, which tells seconds; records tell more."""
    second = found[-1].name[:_SECONDS]
    tied = [path for path in found if path.name.startswith(second)]
    if len(tied) == 1:
        return tied[0]
    return max(tied, key=lambda path: (_created(path / marker), path.name))


def _created(marker: Path) -> float:
    created = read_json(marker, kind="record").get("created", 0.0)
    return float(created) if isinstance(created, int | float) else 0.0


def _title(path: Path) -> str:
    """Return the name within an id: `name` of `20261120-233000-name-1a2b`."""
    return path.name.split("-", 2)[-1].rsplit("-", 1)[0]


def _with_hint(name: str, known: Sequence[str], cure: str) -> str:
    from workspace.problems import did_you_mean

    return f"{did_you_mean(name, known)} {cure}".strip()
