"""An export from end to end: find → gate → check → write → parity → card → publish."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from train.checkpoints import write_manifest
from train.export import EXPORTERS
from train.export.base import Artefact, Exporter, Options, Target
from train.export.card import model_card
from train.export.parity import Parity
from train.export.shipment import Shipment
from train.export.standing import Standing
from workspace.errors import UsageError
from workspace.files import publish_directory, write_json, write_text
from workspace.layout import new_id

_NOT_GATED = "The gate was not run on this form of the model; its verdict is on the run as trained."


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    place: str
    """A directory, or the hub's address."""
    standing: Standing
    parity: Parity


def export_run(
    shipment: Shipment,
    target: Target,
    options: Options,
    *,
    override: str = "",
    device: Callable[[], AbstractContextManager[str]] | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> Exported:
    """Export a run in one form, all of it or nothing.

    Args:
        shipment: the run.
        target: the form.
        options: how.
        override: why it leaves although its gate did not pass; empty: it must have passed.
        device: claims where models are loaded; None: the CPU.
        check_stop: called between stages; may raise.

    Raises:
        GateFailed, GateInconclusive, EvaluationInvalid: the gate, without an override.
        UsageError: this run has no such form, or something is in the way.
        WorkError: a tool or space is missing.
        LimitExceeded: parity failed.
    """
    exporter = EXPORTERS[target]
    standing = shipment.standing(override)
    standing.enforce(shipment.run.name)
    final = _final(shipment, target, options)
    exporter.check(shipment, options)
    for leftover in _leftovers(final):
        options.note(f"! {leftover} is left of an export that was killed: it can be removed")
    check_stop()
    from contextlib import nullcontext

    try:
        with device() if device else nullcontext("cpu") as name:
            options = replace(options, device=name)
            with publish_directory(final) as directory:
                parity = _fill(
                    shipment, standing, exporter, options, directory, check_stop, override
                )
        place = exporter.deliver(shipment, options, final)
    finally:
        if target == "hub":
            shutil.rmtree(final, ignore_errors=True)
    return Exported(place, standing, parity)


def _final(shipment: Shipment, target: Target, options: Options) -> Path:
    if target == "hub":
        return shipment.workspace.make(shipment.workspace.cache) / "hub" / new_id("push")
    path = Path(options.out).expanduser().absolute()
    if path.exists() or path.is_symlink():
        raise UsageError(
            "something is there already",
            where=str(path),
            cure="Give a name that does not exist yet: exports overwrite nothing.",
        )
    return path


def _leftovers(final: Path) -> list[Path]:
    return sorted(final.parent.glob(f".{final.name}.tmp-*")) if final.parent.is_dir() else []


def _fill(
    shipment: Shipment,
    standing: Standing,
    exporter: Exporter,
    options: Options,
    directory: Path,
    check_stop: Callable[[], None],
    override: str,
) -> Parity:
    options.note(f"writing {exporter.name}")
    artefact = exporter.write(shipment, options, directory)
    check_stop()
    from train.export.measuring import measure_parity

    parity = measure_parity(shipment, standing, artefact, options)
    if exporter.name == "hub":  # rows of a dataset are not published with a model made from them
        parity = replace(parity, differences=())
    write_json(directory / "parity.json", parity.as_dict())
    parity.enforce(exporter.name)
    check_stop()
    said, notes = _gated_again(shipment, standing, artefact, options, override)
    kind = "adapter" if (directory / "adapter_config.json").is_file() else exporter.name
    text = model_card(
        shipment,
        standing,
        _named(artefact, options, exporter),
        parity,
        kind="merged" if kind == "hub" else kind,
        regated=said,
        gate_notes=notes,
    )
    write_text(directory / "README.md", text)
    write_manifest(
        directory,
        run=shipment.run.name,
        base_digest=shipment.base.digest,
        run_digest=shipment.subject.digest,
        gate=standing.status,
        override=standing.override,
        parity=parity.status,
    )
    return parity


def _gated_again(
    shipment: Shipment, standing: Standing, artefact: Artefact, options: Options, override: str
) -> tuple[str, tuple[str, ...]]:
    """Run the gate on the artefact where its precision changed; raise if it fails there."""
    from evalsuite.gate import enforce
    from train.export.regate import gate_again, needs_gate

    if not needs_gate(shipment, standing, artefact):
        return "", (_NOT_GATED,) if artefact.quantized_as else ()
    again = gate_again(shipment, standing, artefact, options)
    if again.verdict is None:
        return "", (_NOT_GATED, again.said)
    if not override:
        enforce(again.verdict)
    return again.said, ()


def _named(artefact: Artefact, options: Options, exporter: Exporter) -> Artefact:
    place = options.out if exporter.name == "hub" else "."
    return replace(artefact, use=artefact.use.replace("THIS_DIRECTORY", place))
