"""A point of the dial as a run of its own, without training again."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.checkpoints import MANIFEST, write_manifest
from train.dial.document import FILE, Dial, Row, write_dial
from train.dial.origin import Origin
from train.record import FILE as RECORD
from train.record import published_step
from workspace.files import publish_directory, write_json
from workspace.jobs import Job
from workspace.layout import Workspace, new_id

if TYPE_CHECKING:
    from train.dial.strength import Strength

_OF_THE_RUN = ("recipe.yaml", "plan.json", "env.json", "ledger.json", "proof.json")
"""What says how the parent was trained; copied, for the weights come from there."""


def write_point(
    row: Row,
    dial: Dial,
    origin: Origin,
    strength: Strength,
    workspace: Workspace,
    job: Job,
    name: str,
) -> Path:
    """Write a point as a new run, all of it or nothing, and return the run's directory.

    `temper eval` and all that reads runs takes it like any other. `temper resume` refuses it: it
    is finished.

    Args:
        row: the point.
        dial: what was measured; goes into the run as `dial.json`.
        origin: the run it is a point of.
        strength: its model.
        workspace: where `runs/` is.
        job: the running job.
        name: of the new run.
    """
    run = workspace.make(workspace.runs) / new_id(name)
    with publish_directory(run) as directory:
        for file in _OF_THE_RUN:
            if (origin.directory / file).is_file():
                shutil.copyfile(origin.directory / file, directory / file)
        provenance = _provenance(row, dial)
        _write_model(directory / "model", row, origin, strength, provenance)
        write_dial(directory, dial)
        write_json(directory / RECORD, _record(run.name, origin, job, provenance))
    return run


def _provenance(row: Row, dial: Dial) -> dict[str, Any]:
    chosen = dial.chosen
    return {
        "parent": dial.run,
        "parent_digest": dial.tuned.digest,
        "scale": row.point.scale,
        "checkpoint": row.point.step or None,
        "weights_digest": row.digest,
        "recommended": chosen is not None and chosen.point == row.point,
        "dial": FILE,
        "on_all_items": _figures(row),
        "expected": _without_abilities(asdict(chosen.expected))
        if chosen and chosen.point == row.point
        else None,
    }


def _figures(row: Row) -> dict[str, Any]:
    return _without_abilities(asdict(row.standing))


def _without_abilities(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key != "abilities"}


def _record(name: str, origin: Origin, job: Job, provenance: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in origin.record.items() if key not in _OF_THE_PARENT}
    return {
        **own,
        "id": name,
        "name": name.split("-", 2)[-1].rsplit("-", 1)[0],
        "job": job.id,
        "created": round(time.time(), 3),
        "model": "model",
        "steps": provenance["checkpoint"] or published_step(origin.record),
        "attempts": [],
        "dialled": provenance,
    }


_OF_THE_PARENT = ("published", "group", "rebased", "stage", "micro_batches")
"""What its record says of its own attempts and of its place among other runs: by these marks it is
found again, and the new run is not it."""


def _write_model(
    directory: Path, row: Row, origin: Origin, strength: Strength, provenance: dict[str, Any]
) -> None:
    """Write the weights beside the tokenizer and configs, which are the parent's byte for byte."""
    directory.mkdir()
    strength.save(directory, origin.weights(row.point.step), row.point.scale)
    for file in sorted(origin.subject.path.iterdir()):
        is_weights = file.suffix == ".safetensors" or file.name.endswith(".safetensors.index.json")
        if file.is_file() and not is_weights and file.name not in (MANIFEST, "README.md"):
            shutil.copyfile(file, directory / file.name)
    (directory / "README.md").unlink(missing_ok=True)
    kept = {key: value for key, value in origin.manifest.items() if key not in _OF_A_MANIFEST}
    write_manifest(directory, **kept, dialled=provenance)


_OF_A_MANIFEST = ("schema_version", "files", "dialled")
