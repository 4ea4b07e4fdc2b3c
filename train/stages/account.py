"""`jobs/ID/stages.json`: which stage a job is in, and which run each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workspace.errors import DataError, TemperError
from workspace.files import read_json, write_json
from workspace.layout import Workspace

FILE = "stages.json"
COPY = "recipe.yaml"
"""Beside it: the recipe as it was resolved, for when its file is gone."""


@dataclass(frozen=True)
class Entry:
    """One stage of a job."""

    name: str
    method: str
    run: str | None = None
    """The run's id, known before anything of it is written."""
    job: str | None = None
    """The job within the job: a run's own events and attempts."""
    done: bool = False

    @property
    def state(self) -> str:
        """Where it is."""
        return "done" if self.done else "begun" if self.run else "waiting"


@dataclass(frozen=True)
class Account:
    """The stages of a job; every change of it is on disk before the next is made."""

    directory: Path
    """Of the job."""
    recipe: Path
    overrides: tuple[str, ...]
    name: str
    """Of the last run; the others are called after it."""
    entries: tuple[Entry, ...]
    accepted: tuple[dict[str, str], ...] = ()
    """Differences of finished stages that a person went on with: stage, name, before, now."""

    @property
    def is_done(self) -> bool:
        """Whether every stage is."""
        return all(entry.done for entry in self.entries)

    @property
    def latest(self) -> str:
        """What it has last begun: a run's id, or its own where there is none yet."""
        return next((one.run for one in reversed(self.entries) if one.run), self.directory.name)

    def made(self, workspace: Workspace) -> dict[str, Path]:
        """Return the runs of finished stages by the stages' names."""
        return {
            entry.name: workspace.runs / entry.run
            for entry in self.entries
            if entry.done and entry.run is not None
        }

    def run_name(self, number: int) -> str:
        """Return what the run of a stage (from 0) is called."""
        is_last = number == len(self.entries) - 1
        return self.name if is_last else f"{self.name}-{self.entries[number].name}"

    def place(self, number: int) -> dict[str, Any]:
        """Return what the record of a stage's run says of the job."""
        entry = self.entries[number]
        shown = {"name": entry.name, "number": number + 1, "of": len(self.entries)}
        return {"stage": {**shown, "job": self.directory.name}}

    def changed(self, number: int, **fields: Any) -> Account:
        """Return and write the account with another entry at `number`."""
        entries = list(self.entries)
        entries[number] = replace(entries[number], **fields)
        return replace(self, entries=tuple(entries)).written()

    def written(self) -> Account:
        """Write it."""
        shown = [{**asdict(entry), "state": entry.state} for entry in self.entries]
        document = {
            "schema_version": 1,
            "recipe": str(self.recipe),
            "overrides": list(self.overrides),
            "name": self.name,
            "stages": shown,
            "accepted": list(self.accepted),
        }
        write_json(self.directory / FILE, document)
        return self


def read_account(directory: Path) -> Account:
    """Read the account of a job's directory.

    Raises:
        DataError: there is none, or it is damaged.
    """
    document = read_json(directory / FILE, kind="account of stages")
    try:
        entries = [
            Entry(one["name"], one["method"], one["run"], one["job"], one["done"])
            for one in document["stages"]
        ]
        recipe, overrides = Path(document["recipe"]), tuple(document["overrides"])
        accepted = tuple(dict(one) for one in document.get("accepted", ()))
        name = str(document["name"])
        return Account(directory, recipe, overrides, name, tuple(entries), accepted)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "this account of stages is not whole",
            where=str(directory / FILE),
            cause=f"{type(error).__name__}: {error}.",
            cure="Restore it from a copy, or begin anew with `temper train`.",
        ) from error


def unfinished(workspace: Workspace, name: str) -> Account | None:
    """Return the newest account of stages called `name` that are not done, or None."""
    return next((one for one in _accounts(workspace) if _is_meant(one, name)), None)


def _is_meant(account: Account, name: str) -> bool:
    return not account.is_done and name in (account.name, account.directory.name)


def _accounts(workspace: Workspace) -> Sequence[Account]:
    """Return all that can be read, newest first."""
    out = []
    for file in sorted(workspace.jobs.glob(f"*/{FILE}"), reverse=True):
        try:
            out.append(read_account(file.parent))
        except TemperError:
            continue
    return out
