"""What `temper resume` goes on with: a run, or the stages or groups that it is one of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from train.each.run import EachResumption, is_whole, open_each, resume_each
from train.finishing import finish_published, finish_stages, finish_whole
from train.record import read_record
from train.reporter import Reporter
from train.resume import Loader, Resumption, open_run, resume_train
from train.stages.account import FILE, Account, read_account, unfinished
from train.stages.run import StagesResumption, open_stages, resume_stages
from workspace.errors import UsageError
from workspace.jobs import Job
from workspace.layout import Workspace


@dataclass
class Again:
    """Something that was stopped."""

    directory: Path
    """Of the run, of the whole of several groups, or of the job of stages."""
    workspace: Workspace
    job: str = ""
    """The id of its job."""
    _opened: Resumption | EachResumption | StagesResumption | None = field(default=None, repr=False)
    _load: Loader | None = field(default=None, repr=False)

    def open(self, load: Loader, reporter: Reporter, accept: Sequence[str]) -> None:
        """Check that it may go on; raises as `open_run`, `open_each` and `open_stages`."""
        self._load = load
        if (self.directory / FILE).is_file():
            self._opened = open_stages(
                self.directory, self.workspace, load, reporter, accept=accept
            )
            self.job = self.directory.name
            return
        if is_whole(self.directory):
            whole = open_each(self.directory, self.workspace, load, reporter, accept=accept)
            self._opened, self.job = whole, str(whole.record["job"])
            return
        opened = open_run(self.directory, self.workspace, load, reporter, accept=accept)
        self._opened, self.job = opened, str(opened.record["job"])

    def finish(self) -> bool:
        """Finish the job of what was killed after its last model was published.

        Return whether it was such a run, or runs; nothing is changed otherwise.
        """
        if (self.directory / FILE).is_file():
            return finish_stages(self.directory, self.workspace)
        if is_whole(self.directory):
            return finish_whole(self.directory, self.workspace)
        done = finish_published(self.directory, self.workspace)
        job = _stages_of(self.directory, self.workspace)
        return (finish_stages(job, self.workspace) if job else False) or done

    def work(self, job: Job, argv: Sequence[str], reporter: Reporter) -> Path:
        """Go on with it, once it is open; return the directory of the whole or the last run."""
        opened = self._opened
        if isinstance(opened, StagesResumption):
            return resume_stages(opened, self.workspace, job, argv, reporter)
        assert opened is not None and self._load is not None  # by open
        if isinstance(opened, EachResumption):
            return resume_each(opened, self.workspace, job, self._load, reporter)
        return resume_train(opened, job, reporter)


def find_again(name: str, workspace: Workspace) -> Again:
    """Return what `name` means; of stages and a run that share a name, what was begun last.

    Args:
        name: id, name or path of a run, `latest`, or of a job of stages that is not done.
        workspace: where it is looked for.

    Raises:
        UsageError: there is no such run or job.
    """
    account = unfinished(workspace, name)
    if account is not None and not _has_later_run(workspace, name, account):
        return Again(account.directory, workspace)
    try:
        run = workspace.run(name)
    except UsageError:
        places = (Path(name), workspace.jobs / name)
        named = next((place for place in places if (place / FILE).is_file()), None)
        if named is None:
            raise
        return Again(named.resolve(), Workspace(named.resolve().parent.parent))
    home = Workspace(run.parent.parent)
    job = _stages_of(run, home)
    if job is not None and not read_account(job).is_done:
        return Again(job, home)
    return Again(run, home)


def _stages_of(run: Path, workspace: Workspace) -> Path | None:
    """Return the job of stages that a run is one of, if its account is there."""
    stage = read_record(run).get("stage")
    job = workspace.jobs / str(stage["job"]) if stage else None
    return job if job is not None and (job / FILE).is_file() else None


def _has_later_run(workspace: Workspace, name: str, account: Account) -> bool:
    """Whether a run was begun under the name after all that the stages have begun."""
    if name == account.directory.name:
        return False
    try:
        run = workspace.run(name)
    except UsageError:
        return False
    return _moment(run.name) > _moment(account.latest)


def _moment(identity: str) -> str:
    """Return the time in an id: `20261120-233000` of `20261120-233000-name-1a2b`."""
    return "-".join(identity.split("-", 2)[:2])
