"""Starting a command again in the background, and saying where it is."""

from __future__ import annotations

from collections.abc import Sequence

from workspace.context import emit_json, note
from workspace.layout import Workspace


def run_detached(
    workspace: Workspace,
    kind: str,
    arguments: Sequence[str],
    *,
    doing: str,
    as_json: bool,
    job_id: str | None = None,
) -> None:
    """Start `temper ARGUMENTS` as a job that outlives this terminal, and print its id.

    Args:
        workspace: where `jobs/` is.
        kind: of the job.
        arguments: of `temper`, without `--detach`.
        doing: what it does, as `training`.
        as_json: whether the id is printed as JSON.
        job_id: an existing job, to be tried again; None makes a new one.

    Raises:
        UsageError: the existing job is running.
        WorkError: the job ended or did not start in time.
    """
    from workspace.hangup import check_survival
    from workspace.jobs import launch_detached

    job = launch_detached(workspace, kind, arguments, job_id=job_id)
    survival = check_survival()
    if not survival.survives:
        note(f"! {survival.reason}. {survival.cure}")
    if as_json:
        emit_json({"job": job})
        return
    note(f"{doing} in the background; this terminal may go away")
    print(f"job    {job}\nwatch  temper logs {job}\nstop   temper stop {job}")
