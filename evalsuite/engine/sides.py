"""Base and tuned models on one copy of the weights where that is possible. Imports torch."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import transformers
from peft import PeftModel
from peft.utils.other import ModulesToSaveWrapper
from transformers import PreTrainedModel

from evalsuite.engine.batching import BatchLimits
from evalsuite.engine.forward import Engine
from evalsuite.engine.subjects import Subject
from evalsuite.models import ChatTokenizer, ModelSource
from evalsuite.models.load import Placement, load_adapter, load_model
from evalsuite.models.section import Quantization

ENGINE_VERSION = "3"
"""Changes whenever the same request could get another answer."""


@dataclass(frozen=True)
class Worn:
    """A resident base with an adapter on it."""

    engine: Engine
    tuned: PeftModel
    """The same, as peft wrapped it."""
    off: Callable[[], AbstractContextManager[None]]
    """Within `with worn.off():` the engine is the base."""


@dataclass(frozen=True)
class Biases:
    """The base's biases, which an adapter that trained them overwrites where they are."""

    kept: tuple[tuple[torch.nn.Parameter, torch.Tensor], ...]

    @classmethod
    def of(cls, model: PreTrainedModel) -> Biases:
        """Copy them."""
        named = model.named_parameters()
        return cls(tuple((p, p.detach().clone()) for name, p in named if name.endswith(".bias")))

    def restore(self) -> None:
        """Write them back."""
        with torch.no_grad():
            for parameter, before in self.kept:
                parameter.copy_(before)

    @contextmanager
    def back(self) -> Iterator[None]:
        """Put the base's in place for a while."""
        now = [parameter.detach().clone() for parameter, _ in self.kept]
        self.restore()
        try:
            yield
        finally:
            with torch.no_grad():
                for (parameter, _), one in zip(self.kept, now, strict=True):
                    parameter.copy_(one)


@dataclass
class Resident:
    """The base model in memory, bare except inside `wearing`."""

    model: PreTrainedModel
    pad_id: int

    @classmethod
    def load(
        cls,
        base: ModelSource,
        placement: Placement,
        pad_id: int,
        quantization: Quantization | None = None,
    ) -> Resident:
        """Load the base."""
        return cls(_frozen(base.path, placement, quantization), pad_id)

    @property
    def engine(self) -> Engine:
        """The model as it is now."""
        return Engine(self.model, self.pad_id)

    @contextmanager
    def wearing(self, subject: Subject) -> Iterator[Worn]:
        """Put an adapter on; take it off again at the end.

        Raises:
            ModelError: it does not fit this base.
        """
        biases = Biases.of(self.model)
        tuned = load_adapter(self.model, subject.path)
        inner = cast(PreTrainedModel, tuned.get_base_model())
        replaced = {
            name: module.original_module
            for name, module in inner.named_modules()
            if isinstance(module, ModulesToSaveWrapper)
        }

        @contextmanager
        def off() -> Iterator[None]:
            with warnings.catch_warnings():
                # peft warns of trained biases, which it leaves in: they are put back here
                warnings.filterwarnings("ignore", "Careful, disabling adapter layers with bias")
                with tuned.disable_adapter(), biases.back():
                    yield

        try:
            yield Worn(Engine(inner, self.pad_id), tuned, off)
        finally:
            biases.restore()
            self.model = cast(PreTrainedModel, tuned.unload())
            for name, module in replaced.items():  # peft leaves the trained ones in
                self.model.set_submodule(name, module)
            self.model.eval()  # type: ignore[no-untyped-call]


@contextmanager
def full_model(subject: Subject, placement: Placement, pad_id: int) -> Iterator[Engine]:
    """Load a fully tuned model, and free it at the end."""
    model = _frozen(subject.path, placement)
    try:
        yield Engine(model, pad_id)
    finally:
        del model
        free_memory()


def _frozen(
    path: Path, placement: Placement, quantization: Quantization | None = None
) -> PreTrainedModel:
    """Load a model without gradients.

    torch's matmul folds its batch differently where a weight requires a gradient, even without
    grad mode: peft freezes the base, which would change its last digits.
    """
    model = load_model(
        path, dtype=placement.dtype, device=placement.device, quantization=quantization
    )
    return model.requires_grad_(False)


def free_memory() -> None:
    """Give the memory of models that are no longer held back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fingerprint(
    model: str,
    adapter: str,
    tokenizer: ChatTokenizer,
    placement: Placement,
    limits: BatchLimits,
) -> dict[str, str]:
    """Return everything beside the request that decides an answer, in clear.

    Args:
        model: digest of the weights.
        adapter: digest of the adapter on them, empty for none.
        tokenizer: what made the token ids.
        placement: device and precision.
        limits: how batches are cut, which decides how sums are rounded.
    """
    device = torch.cuda.get_device_name(0) if placement.device == "cuda" else placement.device
    return {
        "engine": ENGINE_VERSION,
        "model": model,
        "adapter": adapter,
        "tokenizer": tokenizer.digest,
        "template": tokenizer.template_digest,
        "dtype": placement.dtype,
        "device": device,
        "threads": str(torch.get_num_threads()),
        "batch": f"{limits.tokens} tokens, {limits.rows} rows",
        "torch": str(torch.__version__),
        "transformers": str(transformers.__version__),
    }
