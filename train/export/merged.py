"""`--to merged`: one whole model, from the unquantised base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from train.export.base import Artefact, Options, Precision, Target
from train.export.shipment import Shipment
from train.export.space import check_merged_space
from train.publish import fill_model
from workspace.errors import WorkError

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine
    from evalsuite.models.load import Placement


class MergedExporter:
    """Adapter and base in one."""

    name: ClassVar[Target] = "merged"
    about: ClassVar[str] = "one whole model in bfloat16, for transformers and vLLM"

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse what the disk cannot hold."""
        check_merged_space(shipment, options)

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Merge and save."""
        merge_into(shipment, options.precision, directory)
        return merged_artefact(shipment, options.precision, directory)

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Nothing remains to be done."""
        return str(directory)


def merge_into(shipment: Shipment, precision: Precision, directory: Path) -> None:
    """Write the whole model in `precision` with its tokenizer and generation config.

    Added up in float32 on the CPU and rounded once: adding in bfloat16 rounds every sum, and a
    small update to a large weight is then lost.

    Raises:
        ModelError: this kind of adapter cannot be merged.
    """
    import torch

    from evalsuite.models.load import load_model, load_reward_model
    from train.adapters.merging import merged

    model: Any
    if shipment.is_reward:
        model = load_reward_model(shipment.subject.path)
    elif shipment.subject.kind == "full":
        model = load_model(shipment.subject.path)
    else:
        model = merged(shipment.base.path, shipment.subject.path)
    pad_id = model.config.pad_token_id if shipment.is_reward else None
    dtype = getattr(torch, precision)
    _check_range(model, dtype)
    fill_model(directory, model.to(dtype), shipment.base.path, pad_id=pad_id)


def _check_range(model: Any, dtype: Any) -> None:
    """Refuse weights that the precision cannot hold: they would become infinite."""
    import torch

    largest = torch.finfo(dtype).max
    for name, weight in model.state_dict().items():
        if weight.is_floating_point() and float(weight.abs().max()) > largest:
            raise WorkError(
                f"{str(dtype).removeprefix('torch.')} cannot hold these weights",
                where=name,
                cause=f"One is {float(weight.abs().max()):.3g}; the largest is {largest:.3g}.",
                cure="Use --precision bfloat16.",
            )


def merged_artefact(shipment: Shipment, precision: str, directory: Path) -> Artefact:
    """Return how a merged directory is read."""

    @contextmanager
    def load(placement: Placement, pad_id: int) -> Iterator[Engine]:
        from evalsuite.engine.forward import Engine
        from evalsuite.engine.sides import free_memory
        from evalsuite.models.load import load_model

        model = load_model(directory, dtype=placement.dtype, device=placement.device)
        yield Engine(model.requires_grad_(False), pad_id)
        del model
        free_memory()

    return Artefact(precision, load, directory, directory, _use(shipment))


def _use(shipment: Shipment) -> str:
    name = "AutoModelForSequenceClassification" if shipment.is_reward else "AutoModelForCausalLM"
    served = (
        "" if shipment.is_reward else "\n\n```\nvllm serve THIS_DIRECTORY --host 127.0.0.1\n```"
    )
    return (
        "```python\n"
        f"from transformers import {name}, AutoTokenizer\n\n"
        f'model = {name}.from_pretrained("THIS_DIRECTORY", dtype="auto")\n'
        'tokenizer = AutoTokenizer.from_pretrained("THIS_DIRECTORY")\n'
        f"```{served}"
    )
