"""Arithmetic of training, and the time it takes on a GPU.

For each token and weight of a matrix: two operations forward, two for the gradient of the input,
two for the gradient of the weight (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); frozen
weights need no gradient; checkpointing repeats the forward pass. Attention over s tokens adds
4·s·width forward, of which a causal mask needs half (Chowdhery et al. 2022, arXiv 2204.02311,
appendix B, counts all).
"""

from __future__ import annotations

from dataclasses import dataclass

from train.estimate.gpus import GpuType
from train.estimate.shapes import ModelShape
from train.estimate.ways import Demand, Way, WayName

START_TOKENS = 512
"""Starting a micro-batch costs as much as this many tokens."""
_SLOWER: dict[WayName, float] = {"full": 1.0, "lora": 0.9, "qlora": 0.7}
"""Utilisation beside full training: small adapter matrices; unpacking 4-bit weights."""


@dataclass(frozen=True)
class Work:
    """Tokens to compute."""

    tokens: int
    """Over all steps, padding counted."""
    mean_length: float
    """Tokens of a sequence, in the mean over tokens."""


@dataclass(frozen=True)
class Hours:
    """A range."""

    low: float
    high: float


def flops_per_token(
    shape: ModelShape, way: Way, demand: Demand, length: float, *, checkpointing: bool
) -> float:
    """Return the operations that training one token takes.

    Args:
        shape: of the model.
        way: how the weights are trained.
        demand: of the method: whether a reference reads the token too.
        length: tokens of its sequence.
        checkpointing: whether the layers' forward pass is repeated.
    """
    matrices = shape.weights_used
    output = shape.embedding
    adapter = 0 if way.name == "full" else shape.lora_parameters(way.r, way.targets)
    attention = sum(2 * length * count * layer.query_width for count, layer in shape.layers)
    layers = 2.0 * (matrices + adapter) + attention
    forward = layers + 2 * output
    backward = 2 * matrices + 4 * adapter + 2 * attention + 2 * output
    if way.name == "full":
        backward += 2 * (matrices + output)
    again = layers if checkpointing else 0.0
    tiles = 2 * output  # trl computes the tiles of logits again
    reference = forward if demand.reference != "none" else 0.0
    if demand.reference_parameters is not None:  # another model, of another size
        reference *= demand.reference_parameters / shape.parameters
    return forward + backward + again + tiles + reference


def hours(
    gpu: GpuType, way: Way, work: Work, flops: float, *, tokens_at_once: float
) -> Hours | None:
    """Return how long training takes, or None where the GPU's speed is not known.

    Args:
        gpu: with its peak and the range of its utilisation.
        way: how the weights are trained.
        work: tokens to compute.
        flops: operations for each token.
        tokens_at_once: of a micro-batch, in the mean: few leave the device waiting.
    """
    if not gpu.tflops:
        return None
    filled = tokens_at_once / (tokens_at_once + START_TOKENS)
    seconds = work.tokens * flops / (gpu.tflops * 1e12 * filled * _SLOWER[way.name])
    low, high = gpu.utilisation
    return Hours(seconds / high / 3600, seconds / low / 3600)
