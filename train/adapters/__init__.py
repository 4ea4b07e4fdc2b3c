"""From the recipe's adapter to a model whose trainable weights are what it says.

Imports peft and torch: import it late.
"""

from train.adapters.build import (
    complete_output_wrapper,
    freeze,
    peft_config,
    prepare_adapter,
    trainable_parameters,
)
from train.adapters.published import Split, publishable, whole_model

__all__ = [
    "Split",
    "complete_output_wrapper",
    "freeze",
    "peft_config",
    "prepare_adapter",
    "publishable",
    "trainable_parameters",
    "whole_model",
]
