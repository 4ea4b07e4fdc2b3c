"""The model that a run begins with, written into the run before its first step."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.models.source import directory_source
from train.beginning.find import START, Beginning
from train.checkpoints import MANIFEST, write_manifest
from train.plan.facts import read_facts
from train.reporter import Reporter
from workspace.files import publish_directory

if TYPE_CHECKING:
    from train.inputs import Inputs
    from train.plan import Prepared


def settle(
    run: Path, inputs: Inputs, prepared: Prepared, reporter: Reporter
) -> tuple[Inputs, Prepared]:
    """Write `start/` and return what the run reads from now on, and its plan.

    An adapter is merged into its base rather than trained further. Then the new run may have any
    adapter; what it is held near to (`kl`, a method's `beta`) and measured against is the model it
    began with, not the one before that; and it needs nothing of the earlier run any more.

    Args:
        run: the new run's directory.
        inputs: with a beginning.
        prepared: the plan, made from the earlier run's shape.
        reporter: is told what happens.
    """
    beginning = inputs.beginning
    assert beginning is not None
    reporter.note(f"beginning with {beginning.run.name}: {_how(beginning)}")
    write_start(run / START, beginning)
    source = directory_source(run / START, name=beginning.run.name)
    facts = read_facts(source.path)
    plan = replace(prepared.plan, model_path=str(source.path), model_digest=source.digest)
    return replace(inputs, source=source, facts=facts), replace(prepared, plan=plan)


def _how(beginning: Beginning) -> str:
    if beginning.subject.kind == "full":
        return "its weights"
    return "its adapter, merged into its base"


def write_start(directory: Path, beginning: Beginning) -> None:
    """Write the whole model, all of it or nothing.

    The weights are in the base's own precision: added up in float32 and rounded once.

    Raises:
        ModelError: this kind of adapter cannot be merged.
    """
    with publish_directory(directory) as temporary:
        if beginning.subject.kind == "full":
            _link(beginning.subject.path, temporary)
        else:
            _merge(beginning, temporary)
        write_manifest(temporary, begins=beginning.run.name, weights=beginning.subject.digest)


def _link(model: Path, directory: Path) -> None:
    """Take a published model's files, which nobody changes, without a second copy of them."""
    for file in sorted(model.iterdir()):
        if file.name in (MANIFEST, "README.md") or not file.is_file():
            continue
        try:
            os.link(file, directory / file.name)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(file, directory / file.name)


def _merge(beginning: Beginning, directory: Path) -> None:
    import torch

    from train.adapters.merging import merged, stored_precision
    from train.publish import fill_model

    base = beginning.source.path
    model = merged(base, beginning.subject.path)
    fill_model(directory, model.to(getattr(torch, stored_precision(base))), base)
