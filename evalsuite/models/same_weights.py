"""A model of its own modules over the weights of another. Imports torch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def over_same_weights(model: PreTrainedModel) -> PreTrainedModel:
    """Return a copy of a model's modules and config that points to the very same tensors.

    It may be wrapped, hooked and switched without the first one noticing, and costs no memory for
    weights; who changes a weight in place changes it for both.
    """
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(one): one for one in tensors})
