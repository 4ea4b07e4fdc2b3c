"""`temper queue`: who has the GPUs of this machine, who waits, and in which order."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workspace.context import duration, emit_json, emit_table, note

if TYPE_CHECKING:
    from workspace.gpu_locks import Holder, Owner
    from workspace.tickets import Ticket

queue = typer.Typer(
    name="queue",
    help="Who has the GPUs of this machine, and who waits for them in which order.",
    invoke_without_command=True,
    no_args_is_help=False,
)


@queue.callback()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Who has the GPUs of this machine, and who waits for them in which order; all workspaces and
    users. `temper queue first JOB` lets a job go before your others; `temper stop JOB` takes one
    out.
    """
    if context.invoked_subcommand is not None:
        return
    from workspace.gpu_locks import holders
    from workspace.gpus import list_gpus
    from workspace.tickets import live_tickets, queue_lock

    with queue_lock():
        running, waiting = holders(), live_tickets()
    names = {gpu.uuid: str(gpu) for gpu in list_gpus()}
    if as_json:
        emit_json(
            {
                "running": [_holder(one) for one in running],
                "waiting": [_ticket(place, one) for place, one in enumerate(waiting, 1)],
            }
        )
        return
    rows = [
        ["", names.get(one.uuid, one.uuid), *_cells(one.owner), _trouble(one)] for one in running
    ]
    for place, one in enumerate(waiting, 1):
        wanted = " or ".join(names.get(uuid, uuid) for uuid in sorted(one.gpus))
        trouble = "suspended: others pass it" if one.is_suspended else ""
        rows.append([str(place), wanted, *_cells(one.owner), trouble])
    if not rows:
        note("no temper job has a GPU of this machine, and none waits for one")
        return
    columns = ["place", "GPU", "job", "kind", "pid", "user", "workspace", "for", "remark"]
    emit_table("queue", columns, rows, numeric=(0, 4), whole=(2,))


@queue.command("first")
def first(
    job: Annotated[str, typer.Argument(help="The id of a waiting job, or a unique part of it.")],
) -> None:
    """Let a waiting job go before all others, as long as those are yours."""
    from workspace.errors import UsageError
    from workspace.tickets import live_tickets, put_first, queue_lock

    with queue_lock():
        known = [one.owner.job for one in live_tickets()]
    found = [one for one in known if job in one]
    if len(found) > 1 and job not in found:
        raise UsageError(
            f"{job!r} names more than one waiting job",
            cause=f"It may be: {', '.join(found[:5])}.",
            cure="Give more of the id.",
        )
    ticket = put_first(job if job in found or not found else found[0])
    note(f"{ticket.owner.job} is next for its GPU")


def _holder(one: Holder) -> dict[str, Any]:
    return {
        "gpu": one.uuid,
        **asdict(one.owner),
        "alive": one.owner.is_alive,
        "held_by": list(one.orphans),
    }


def _ticket(place: int, one: Ticket) -> dict[str, Any]:
    return {
        "place": place,
        "gpus": sorted(one.gpus),
        **asdict(one.owner),
        "suspended": one.is_suspended,
    }


def _cells(owner: Owner) -> list[str]:
    place = Path(owner.workspace).name if owner.workspace else ""
    since = duration(max(0.0, time.time() - owner.since)) if owner.since else ""
    return [owner.job, owner.kind, str(owner.pid or ""), owner.user, place, since]


def _trouble(one: Holder) -> str:
    return "" if one.owner.is_alive else str(one)
