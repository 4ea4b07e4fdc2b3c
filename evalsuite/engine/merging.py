"""Would the merged model answer as the adapter does? Merged, looked at, undone. Imports torch.

Exporters merge, servers merge, and what was measured is the adapter on its base: peft issues 1836
and 2368 are of models that were good until they were merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from peft import PeftType
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from evalsuite.canaries import MERGED, merged_is_unmerged
from evalsuite.engine.forward import is_out_of_memory
from evalsuite.engine.sides import Worn, free_memory
from evalsuite.models.section import Quantization
from evalsuite.verdict import Canary


def check_merging(
    worn: Worn,
    probe: Callable[[], Tensor],
    unmerged: Tensor,
    dtype: str,
    quantization: Quantization | None,
) -> Canary:
    """Compare logits with the adapter on its base and merged into it.

    The base's weights are afterwards the tensors that they were before, which is checked.

    Args:
        worn: the base with the adapter on it.
        probe: gives next-token logits of the model as it is, [prompts, vocabulary].
        unmerged: what it gave before.
        dtype: of the base's weights, for the tolerance.
        quantization: how the base is held.
    """
    if quantization:
        return Canary(MERGED, "not_run", "the base is held in 4 bits, which merging would round")
    kinds = {PeftType(config.peft_type).value for config in worn.tuned.peft_config.values()}
    if kinds != {"LORA"}:
        return Canary(MERGED, "not_run", f"of adapters of kind {', '.join(sorted(kinds))}")
    try:
        with _merged(worn):
            merged = probe()
    except ValueError as error:
        if "NaN" not in str(error):
            return Canary(MERGED, "not_run", f"peft does not merge it: {error}")
        return Canary(MERGED, "fail", "the merged weights are no numbers")
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        free_memory()
        return Canary(MERGED, "not_run", "there is no memory for a second copy of the weights")
    return merged_is_unmerged(unmerged, merged, probe(), dtype)


@contextmanager
def _merged(worn: Worn) -> Iterator[None]:
    """Merge, and put the very tensors back: subtracting would leave the last digits changed."""
    model = worn.engine.model
    before = [(weight, weight.data) for weight in model.parameters()]
    try:
        # The safe way makes new tensors and leaves those of the base as they are.
        worn.tuned.merge_adapter(safe_merge=True)
        yield
    finally:
        for weight, tensor in before:
            weight.data = tensor
        for module in model.modules():
            if isinstance(module, BaseTunerLayer):
                module.merged_adapters.clear()
                getattr(module, "_caches", {}).clear()
        del before
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
