"""`--to adapter`: peft's directory, with the tokenizer, the template and the base's identity."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from train.export.base import Artefact, Options, Target
from train.export.shipment import Shipment
from train.export.space import check_space
from train.publish import copy_tokenizer
from workspace.errors import UsageError
from workspace.files import write_json

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine
    from evalsuite.models.load import Placement

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"


class AdapterExporter:
    """An adapter on its base."""

    name: ClassVar[Target] = "adapter"
    about: ClassVar[str] = "the adapter alone, for peft, transformers and vLLM"

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse a run without an adapter."""
        if shipment.subject.kind == "full":
            raise UsageError(
                "this run has no adapter",
                where=shipment.run.name,
                cause="A reward model is published whole."
                if shipment.is_reward
                else "All its weights were trained.",
                cure="Export the weights: --to merged",
            )
        if shipment.begins:
            options.note(f"! {_fits_only(shipment)}")
        check_space(Path(options.out), (shipment.subject.path / _WEIGHTS).stat().st_size)

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Copy it byte for byte; only its config's name of the base is written anew."""
        source = shipment.subject.path
        shutil.copyfile(source / _WEIGHTS, directory / _WEIGHTS)
        config = json.loads((source / _CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = base_reference(shipment)
        config["revision"] = shipment.base.revision
        write_json(directory / _CONFIG, config)
        copy_tokenizer(shipment.subject.tokenizer, directory)
        write_json(directory / "base.json", {"schema_version": 1, **base_identity(shipment)})
        dtype = "float32"

        @contextmanager
        def load(placement: Placement, pad_id: int) -> Iterator[Engine]:
            from dataclasses import replace

            from evalsuite.engine.sides import Resident

            subject = replace(shipment.subject, path=directory)
            with Resident.load(shipment.base, placement, pad_id).wearing(subject) as worn:
                yield worn.engine

        return Artefact(
            dtype,
            load,
            directory,
            directory / _WEIGHTS,
            _use(shipment, options),
            notes=(_fits_only(shipment),) if shipment.begins else (),
        )

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Nothing remains to be done."""
        return str(directory)


def _fits_only(shipment: Shipment) -> str:
    return (
        f"This adapter fits only the weights that {shipment.run.name} began with, which are in "
        "that run's `start/` and nowhere else: --to merged writes all of it."
    )


def base_reference(shipment: Shipment) -> str:
    """Return what peft loads the base by: its hub name, or its directory."""
    return shipment.base.name if shipment.base.revision else str(shipment.base.path)


def base_identity(shipment: Shipment) -> dict[str, str | None]:
    """Return what tells the base from any other, without this machine's paths."""
    base = shipment.base
    return {
        "name": base.name if base.revision else Path(base.name).name,
        "revision": base.revision,
        "sha256": base.digest,
        "held_in": shipment.subject.quantization,
    }


def _use(shipment: Shipment, options: Options) -> str:
    out = "THIS_DIRECTORY"
    return (
        "```python\n"
        "from peft import AutoPeftModelForCausalLM\n"
        "from transformers import AutoTokenizer\n\n"
        f'model = AutoPeftModelForCausalLM.from_pretrained("{out}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{out}")\n'
        "```\n\n"
        "It works on the base named above and on no other: compare `base.json`."
    )
