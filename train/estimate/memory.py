"""Peak memory of training on one GPU, term by term. The formulas are in docs/plan.md.

Sources: weights, gradients and optimiser states after ZeRO (Rajbhandari et al. 2020, arXiv
1910.02054, section 3.1); NF4 and double quantisation after QLoRA (Dettmers et al. 2023, arXiv
2305.14314, section 3); activations after Korthikanti et al. 2022 (arXiv 2205.05198, section 4),
counted for the layers at hand: no dropout, no stored attention scores (flash or memory-efficient
attention), gated MLPs, grouped queries, adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from train.estimate.shapes import Layer, ModelShape, is_target
from train.estimate.ways import Demand, Way

GIB = 1024**3
CONTEXT_BYTES = int(0.75 * GIB)
"""CUDA context, kernels, cuBLAS workspace: what is gone before the first tensor."""
FRAGMENTATION = 0.06
"""Part of what comes and goes that the allocator cannot reuse."""
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 32_768
"""trl 1.16 computes the loss in tiles of this size (trl.kernels.chunked_logprob)."""
_UNGATED = 7
"""Tensors of the MLP's width that GPT-2's GELU, written out in steps, keeps (counted on a CPU)."""
_EXPERTS = 3
"""How often the copies of a token in its experts are kept (counted on a CPU, for Mixtral)."""
_COMPUTE = 2
"""Bytes of a number in bfloat16 arithmetic."""


@dataclass(frozen=True)
class Load:
    """What is on the device at once."""

    micro_batch: int
    """Rows."""
    longest: int
    """Tokens of the longest sequence; shorter ones are padded to it."""
    demand: Demand
    """Of the method."""

    @property
    def tokens(self) -> int:
        """Tokens on the device at once, padding counted."""
        return self.micro_batch * self.longest * self.demand.sequences


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak, by what takes them."""

    weights: int
    quantisation: int
    """Constants of the 4-bit blocks, and one matrix as it is unpacked."""
    adapter: int
    gradients: int
    optimizer: int
    copies: int
    """bfloat16 copies that autocast keeps of float32 weights."""
    reference: int
    activations: int
    """What the forward pass keeps for the backward pass."""
    work: int
    """What the backward pass of one layer needs for a moment."""
    loss: int
    """Logits in tiles, and the gradients at the output matrix."""
    context: int = CONTEXT_BYTES

    @cached_property
    def fragmentation(self) -> int:
        """Allowance for what the allocator cannot reuse."""
        return int(FRAGMENTATION * (self.activations + self.work + self.loss + self.gradients))

    @property
    def total(self) -> int:
        """All terms together."""
        return sum(self.terms().values())

    def terms(self) -> dict[str, int]:
        """Return every term in bytes."""
        return {
            "weights": self.weights,
            "quantisation": self.quantisation,
            "adapter": self.adapter,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "copies": self.copies,
            "reference": self.reference,
            "activations": self.activations,
            "work": self.work,
            "loss": self.loss,
            "context": self.context,
            "fragmentation": self.fragmentation,
        }


def memory(shape: ModelShape, way: Way, load: Load, *, checkpointing: bool) -> Memory:
    """Return the peak memory of training.

    Args:
        shape: of the model.
        way: how the weights are trained.
        load: what is on the device at once.
        checkpointing: whether layers keep only their input and are computed again.
    """
    weights, quantisation = _weights(shape, way)
    trained = trained_parameters(shape, way)
    is_full = way.name == "full"
    bytes_each = way.weight_bytes if is_full else way.adapter_bytes
    return Memory(
        weights=weights,
        quantisation=quantisation,
        adapter=0 if is_full else trained * way.adapter_bytes,
        gradients=trained * bytes_each,
        optimizer=int(trained * _moments(way)),
        copies=trained * _COMPUTE if bytes_each > _COMPUTE else 0,
        reference=_reference(shape, load.demand),
        activations=_activations(shape, way, load, checkpointing=checkpointing),
        work=_work(shape, way, load.tokens),
        loss=_loss(shape, way, load.tokens),
    )


def _reference(shape: ModelShape, demand: Demand) -> int:
    """Return what a second model takes, which is only read."""
    if demand.reference != "model":
        return 0
    return (demand.reference_parameters or shape.parameters) * _COMPUTE


def trained_parameters(shape: ModelShape, way: Way) -> int:
    """Return how many weights are trained."""
    if way.name == "full":
        return shape.parameters - shape.vision
    return shape.lora_parameters(way.r, way.targets) + way.trained_tokens * shape.hidden


def quantised_bytes(weights: int) -> tuple[int, int]:
    """Return the bytes of weights in NF4, and of their constants with double quantisation.

    Half a byte each; one 8-bit constant for 64 weights; one float32 for 256 constants (0.127 bits
    for a weight, as the paper says).

    >>> quantised_bytes(2**20)
    (524288, 16640)
    """
    return weights // 2, weights // 64 + 4 * (weights // (64 * 256))


def whole_logits_bytes(shape: ModelShape, tokens: int) -> int:
    """Return what logits would take if they were not computed in tiles.

    In bfloat16, again in float32 for the loss, and their gradient.
    """
    return tokens * shape.vocabulary * (_COMPUTE + 4 + 4)


def _weights(shape: ModelShape, way: Way) -> tuple[int, int]:
    if way.name != "qlora":
        return shape.parameters * way.weight_bytes, 0
    linear = shape.linear_weights + shape.vision_linear
    packed, constants = quantised_bytes(linear)
    # embedding, output matrix, norms, biases and experts are no linear layers and stay as they are
    others = (shape.parameters - linear) * way.weight_bytes
    return packed + others, constants + shape.widest * _COMPUTE


def _moments(way: Way) -> float:
    if way.name == "full" and way.optimizer == "adamw":
        return 2.0 * way.weight_bytes
    return way.moments_bytes


def _activations(shape: ModelShape, way: Way, load: Load, *, checkpointing: bool) -> int:
    tokens = load.tokens
    stream = way.weight_bytes if way.name == "full" else _COMPUTE
    kept = [(count, _layer_bytes(shape, layer, way, load.longest)) for count, layer in shape.layers]
    output = shape.hidden * (stream + 4)  # the last normalisation and its result
    if checkpointing:
        inputs = shape.depth * shape.hidden * stream
        return tokens * (inputs + max((one for _, one in kept), default=0) + output)
    return tokens * (sum(count * one for count, one in kept) + output)


def _layer_bytes(shape: ModelShape, layer: Layer, way: Way, longest: int) -> int:
    """Return what one layer keeps for each token, in bytes.

    Normalisation: its input in float32 (as transformers computes it) and, where its weight is
    trained, the normalised numbers. Linear layers: their input, once for each that is trained or
    adapted (autocast and peft cast for each). Attention: q, k and v repeated to all heads, and
    the output. MLP: both projections and the activation.
    """
    is_full = way.name == "full"
    normalised = layer.normalised * (4 + (way.weight_bytes if is_full else 0))
    inputs = sum(
        _COMPUTE * one.inputs for one in layer.matrices if is_full or is_target(one, way.targets)
    )
    if not is_full:
        inputs += sum(_COMPUTE * way.r for one in layer.matrices if is_target(one, way.targets))
    attention = 4 * layer.query_width * _COMPUTE
    # unfused: tanh of the capped scores, softmax in float32, its copy in bfloat16
    attention += layer.scored_heads * longest * (4 + 2 * _COMPUTE)
    mlp = (3 if layer.gated else _UNGATED) * layer.mlp_width * _COMPUTE
    experts = 0
    if layer.experts:  # each token is copied to each of its experts, and their outputs weighted
        one = layer.experts
        experts = _EXPERTS * one.used * (2 * shape.hidden + one.width) * _COMPUTE
    return normalised + inputs + attention + mlp + experts


def _work(shape: ModelShape, way: Way, tokens: int) -> int:
    """Return the gradients inside one layer's backward pass, and peft's float32 copy of an input.

    At its widest: the gradients of the MLP's product and both factors, and of the layer's stream.
    """
    # peft adds an adapter to experts by making their whole weights anew
    remade = max(
        (
            layer.experts.weights * (4 + _COMPUTE)
            for _, layer in shape.layers
            if layer.experts and layer.experts.adapted and way.targets == "all-linear"
        ),
        default=0,
    )
    widest = max((layer.mlp_width for _, layer in shape.layers), default=shape.hidden)
    cast = 0 if way.name == "full" else 4 * widest
    passing = tokens * (3 * widest * _COMPUTE + cast + 2 * shape.hidden * 4)
    return passing + (0 if way.name == "full" else remade)


def _loss(shape: ModelShape, way: Way, tokens: int) -> int:
    """Return what trl's tiled loss holds: a tile, hidden states, their float32 gradient, and the
    output matrix's where it is trained.
    """
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_VOCABULARY) * _COMPUTE
    hidden = tokens * shape.hidden * (_COMPUTE + 4 + _COMPUTE)
    output = shape.embedding * 4 if way.name == "full" else 0
    return tile + hidden + output
