"""`temper train --explain-speed`: what was chosen of the levers, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workspace.context import emit_json, emit_table

if TYPE_CHECKING:
    from train.inputs import Inputs


def print_levers(inputs: Inputs, *, as_json: bool) -> None:
    """Plan a run, load no weights, and print its levers.

    Raises:
        DataError, ModelError, LimitExceeded, UsageError: as `train.plan.prepare`.
    """
    from train.plan.machine import read_machine
    from train.speed import explained
    from train.terminal import Terminal, arithmetic

    machine = read_machine()
    with Terminal() as reporter:
        prepared = inputs.prepare(reporter.working)
    levers = prepared.plan.levers
    if as_json:
        chosen = {name: {"value": one.value, "reason": one.reason} for name, one in levers.items()}
        emit_json({"schema_version": 1, "machine": machine.as_dict(), "levers": chosen})
        return
    where = f"{machine.gpu} (compute {machine.capability[0]}.{machine.capability[1]})"
    print(f"machine: {where if machine.gpu else 'CPU'}; {machine.installed}")
    emit_table("speed", ["lever", "value", "why"], explained(levers))
    for line in arithmetic(prepared)[:2]:
        print(line)
