"""Starting a command again in the background, and saying where it is."""

from __future__ import annotations

from collections.abc import Sequence

from workspace.context import Context, emit_json, note
from workspace.errors import UsageError
from workspace.layout import Workspace

_OF_THE_PARENT = ("--detach", "--json")


def run_again_detached(
    context: Context, workspace: Workspace, kind: str, *, doing: str, as_json: bool
) -> None:
    """Start the command that was typed, without `--detach`, as a job that outlives this terminal.

    What can be refused is to be refused before: a person is still here to read it.

    Args:
        context: with the command as typed.
        workspace: where `jobs/` is.
        kind: of the job.
        doing: what it does, as `curating`.
        as_json: whether the id is printed as JSON.

    Raises:
        WorkError: the job ended or did not start in time.
    """
    again = [argument for argument in context.argv[1:] if argument not in _OF_THE_PARENT]
    run_detached(workspace, kind, again, doing=doing, as_json=as_json)


def refuse_with_detach(**given: object) -> None:
    """Refuse what means nothing in a job that nobody waits for.

    Args:
        given: the value of an option, by its name with `_` for `-`.

    Raises:
        UsageError: one of them was given.
    """
    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} and --detach do not go together",
                cause=f"Who types {option} waits for what it says.",
                cure="Leave one of them out.",
            )


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
