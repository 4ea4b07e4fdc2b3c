"""`temper train --explain-speed`: what was chosen of the levers, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workspace.context import emit_json, emit_table

if TYPE_CHECKING:
    from train.inputs import Inputs
    from train.plan import Prepared


def print_levers(runs: Mapping[str, Inputs], *, as_json: bool) -> None:
    """Plan runs, load no weights, and print their levers.

    Args:
        runs: by the names of their stages; a recipe's only run has none ("").
        as_json: print one document.

    Raises:
        DataError, ModelError, LimitExceeded, UsageError: as `train.plan.prepare`.
    """
    from train.plan.machine import read_machine
    from train.terminal import Terminal

    machine = read_machine()
    with Terminal() as reporter:
        plans = {stage: one.prepare(reporter.working) for stage, one in runs.items()}
    if as_json:
        head = {"schema_version": 1, "machine": machine.as_dict()}
        stages = [{"stage": stage, **_levers(one)} for stage, one in plans.items()]
        emit_json({**head, **(_levers(plans[""]) if "" in plans else {"stages": stages})})
        return
    where = f"{machine.gpu} (compute {machine.capability[0]}.{machine.capability[1]})"
    print(f"machine: {where if machine.gpu else 'CPU'}; {machine.installed}")
    for stage, one in plans.items():
        _print(stage, one)


def _levers(prepared: Prepared) -> dict[str, Any]:
    levers = prepared.plan.levers
    return {"levers": {name: {"value": x.value, "reason": x.reason} for name, x in levers.items()}}


def _print(stage: str, prepared: Prepared) -> None:
    from train.speed import explained
    from train.terminal import arithmetic

    title = f"speed of stage {stage}" if stage else "speed"
    emit_table(title, ["lever", "value", "why"], explained(prepared.plan.levers))
    for line in arithmetic(prepared)[:2]:
        print(line)
