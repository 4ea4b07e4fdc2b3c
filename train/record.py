"""`run.json`: what a run is, for every reader."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalsuite.models import ModelSection
from train.inputs import Inputs
from train.plan import Prepared
from train.recipe import TrainSection
from workspace.files import read_json, write_json
from workspace.jobs import Job

FILE = "run.json"


def what_runs(run: Path, inputs: Inputs, job: Job, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what the records of runs and of wholes of runs begin with."""
    return {
        "schema_version": 1,
        "id": run.name,
        "name": run.name.split("-", 2)[-1].rsplit("-", 1)[0],
        "job": job.id,
        "created": round(time.time(), 3),
        "recipe": str(inputs.recipe.path),
        "overrides": list(overrides),
        "method": inputs.section.method.kind,
        "adapter": inputs.section.adapter.kind,
    }


def new_record(
    run: Path,
    inputs: Inputs,
    prepared: Prepared,
    job: Job,
    overrides: tuple[str, ...],
) -> dict[str, Any]:
    """Return the record of a run that is about to begin."""
    return {
        **what_runs(run, inputs, job, overrides),
        "base": inputs.source.as_record(),
        **({"teacher": inputs.teacher.as_record()} if inputs.teacher else {}),
        "model": "model",
        "tokenizer_digest": inputs.tokenizer.digest,
        "template_digest": inputs.tokenizer.template_digest,
        "eos_ids": sorted(inputs.tokenizer.eos_ids),
        "dataset": str(inputs.dataset),
        "replay": str(inputs.replay) if inputs.replay else None,
        "steps": prepared.plan.steps,
        "probe": inputs.probe.sources if inputs.probe else {},
        **({"begins": inputs.beginning.as_record(inputs.section)} if inputs.beginning else {}),
        "settings": compared_settings(inputs),
        "attempts": [],
    }


def compared_settings(inputs: Inputs) -> dict[str, Any]:
    """Return the values that decide what a run computes, as the recipe resolves them."""
    return settings_of(inputs.section, inputs.model_section)


def settings_of(section: TrainSection, model: ModelSection) -> dict[str, Any]:
    """Return the values of two sections as they are recorded."""
    return {
        "train": section.model_dump(mode="json", by_alias=True),
        "model": model.model_dump(mode="json"),
    }


def add_attempt(
    run: Path, record: dict[str, Any], job: Job, *, from_step: int, accepted: list[dict[str, str]]
) -> None:
    """Record that an attempt begins."""
    record["attempts"].append(
        {
            "attempt": job.attempt,
            "started": round(time.time(), 3),
            "from_step": from_step,
            "accepted": accepted,
        }
    )
    write_json(run / FILE, record)


def add_micro_batch(run: Path, step: int, before: int, now: int, reason: str) -> None:
    """Record that steps after `step` have another number of rows at once."""
    record = read_record(run)
    changes = record.setdefault("micro_batches", [])
    changes.append({"after_step": step, "before": before, "now": now, "reason": reason})
    write_json(run / FILE, record)


def add_published(run: Path, published: dict[str, Any]) -> None:
    """Record which step is published and why."""
    write_json(run / FILE, {**read_record(run), "published": published})


def published_step(record: dict[str, Any]) -> int:
    """Return the step whose weights a finished run's model has."""
    published = record.get("published")
    return int(published["step"] if published else record["steps"])


def read_record(run: Path) -> dict[str, Any]:
    """Read `run.json`."""
    return read_json(run / FILE, kind="run record")
