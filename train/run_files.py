"""What a run's directory says of its plan, before the first step and when the plan changes.

`plan.json` is written last: where a kill leaves the others of another plan, `temper resume` sees by
its digest that they are to be written again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.batches import FILE as BATCHES
from train.batches import rows_at_once, write_batches
from train.inputs import Inputs
from train.plan import Prepared
from train.plan.packing import with_padding
from train.sampling.stage import account_of
from workspace.files import read_json, write_json, write_text

ENVIRONMENT = "env.json"


def write_run_files(run: Path, inputs: Inputs, prepared: Prepared, *, done: int = 0) -> None:
    """Write what is known before the first step.

    Args:
        run: the run's directory.
        inputs: what the run reads.
        prepared: its plan.
        done: steps of earlier attempts, whose batches stay recorded as they were.
    """
    write_text(run / "recipe.yaml", inputs.recipe.to_yaml())
    write_plan_files(run, prepared, done=done)


def write_plan_files(run: Path, prepared: Prepared, *, done: int) -> None:
    """Write the plan, its batches and ledger, and its digests where the environment is recorded."""
    write_batches(run / BATCHES, prepared, done=done)
    write_json(run / "ledger.json", _ledger(run, prepared, done))
    if (run / ENVIRONMENT).exists():
        document = read_json(run / ENVIRONMENT, kind="environment record")
        digests = {**document["digests"], **plan_digests(prepared)}
        write_json(run / ENVIRONMENT, {**document, "digests": digests})
    write_json(run / "plan.json", prepared.plan.as_dict())


def plan_digests(prepared: Prepared) -> dict[str, str]:
    """Return what `env.json` says of the plan."""
    return {"plan": prepared.plan.digest, "schedule": prepared.plan.schedule_digest}


def _ledger(run: Path, prepared: Prepared, done: int) -> dict[str, Any]:
    """Return the ledger, with the padding of steps done as their batches were."""
    document = prepared.ledger.as_dict()
    packing = prepared.ledger.packing
    if packing is not None and done:
        is_flat = prepared.plan.levers["padding_free"].value == "on"
        at_once = rows_at_once(run / BATCHES)
        packing = with_padding(
            packing, prepared.schedule, prepared.rows, flat=is_flat, at_once=at_once
        )
        document["packing"] = packing.as_dict()
    sampled = account_of(run)
    return {**document, **({"sampling": sampled} if sampled else {})}
