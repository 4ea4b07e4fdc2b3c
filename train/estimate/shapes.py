"""The shape of a causal language model: its matrices, how many weights they hold, what they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Part = Literal["attention", "mlp"]


@dataclass(frozen=True)
class Matrix:
    """One linear layer of a decoder layer."""

    name: str
    """As the model calls it, such as `q_proj`."""
    outputs: int
    inputs: int
    part: Part
    has_bias: bool = False

    @property
    def weights(self) -> int:
        """Weights without the bias."""
        return self.outputs * self.inputs

    @property
    def bias(self) -> int:
        """Weights of the bias."""
        return self.outputs if self.has_bias else 0


@dataclass(frozen=True)
class Experts:
    """The experts of a mixture, which are tensors of their own and no linear layers."""

    count: int
    used: int
    """Experts that each token goes through."""
    width: int
    """Inner width of one expert."""
    hidden: int
    adapted: bool = False
    """Whether peft's `all-linear` adapts them and their router, as peft 0.21 does for some."""

    @property
    def one(self) -> int:
        """Weights of one expert: gate, up and down."""
        return 3 * self.width * self.hidden

    @property
    def weights(self) -> int:
        """Weights of all experts."""
        return self.count * self.one

    @property
    def router(self) -> int:
        """Weights that choose the experts."""
        return self.count * self.hidden

    def lora_parameters(self, r: int) -> int:
        """Return what LoRA of rank `r` adds: rank 2r on gate and up together, as peft does."""
        if not self.adapted:
            return 0
        gate_up = 2 * r * (self.hidden + 2 * self.width)
        down = r * (self.width + self.hidden)
        return self.count * (gate_up + down) + r * (self.hidden + self.count)


@dataclass(frozen=True)
class Layer:
    """One decoder layer."""

    matrices: tuple[Matrix, ...]
    norms: int
    """Weights of its normalisations."""
    normalised: int
    """Numbers that are normalised for each token."""
    query_width: int
    """Heads x head size."""
    mlp_width: int
    """Inner width of the MLP; with experts, of all that one token goes through."""
    gated: bool
    """Whether the MLP multiplies two projections (SwiGLU, GeGLU)."""
    experts: Experts | None = None
    scored_heads: int = 0
    """Heads whose attention scores are stored: all, where transformers computes attention without
    fused kernels (Gemma 2, which caps its scores), else none."""


@dataclass(frozen=True)
class ModelShape:
    """What a config says of a model's weights."""

    name: str
    """How the model was named."""
    family: str
    """The config's `model_type`."""
    hidden: int
    vocabulary: int
    context: int
    """Longest sequence in tokens."""
    tied: bool
    """Whether the output matrix is the embedding."""
    layers: tuple[tuple[int, Layer], ...]
    """Layers that are alike, with their number."""
    positions: int = 0
    """Weights of learnt positions."""
    final_norm: int = 0
    vision: int = 0
    """Weights of the vision tower and its projector, which are frozen unless asked."""
    vision_linear: int = 0
    """Of those, the weights of linear layers."""
    notes: tuple[str, ...] = ()
    """What is not counted, or counted otherwise."""

    @property
    def depth(self) -> int:
        """Decoder layers."""
        return sum(count for count, _ in self.layers)

    @property
    def embedding(self) -> int:
        """Weights of the embedding, learnt positions not counted."""
        return self.vocabulary * self.hidden

    def parts(self) -> dict[str, int]:
        """Return weights by part; tied matrices count once."""
        out = {"embedding": self.embedding + self.positions}
        if not self.tied:
            out["lm_head"] = self.embedding
        for part in ("attention", "mlp"):
            out[part] = sum(
                count * (one.weights + one.bias)
                for count, layer in self.layers
                for one in layer.matrices
                if one.part == part
            )
        experts = [(count, layer.experts) for count, layer in self.layers if layer.experts]
        if experts:
            out["experts"] = sum(count * one.weights for count, one in experts)
            out["routers"] = sum(count * one.router for count, one in experts)
        out["norms"] = sum(count * layer.norms for count, layer in self.layers) + self.final_norm
        if self.vision:
            out["vision"] = self.vision
        return out

    @property
    def parameters(self) -> int:
        """All weights, tied ones once."""
        return sum(self.parts().values())

    def matrices(self) -> Iterator[tuple[int, Matrix]]:
        """Yield every linear layer that `all-linear` adapts, with how often it occurs."""
        for count, layer in self.layers:
            for one in layer.matrices:
                yield count, one

    @property
    def linear_weights(self) -> int:
        """Weights of the language model's linear layers, which 4-bit loading quantises."""
        return sum(count * one.weights for count, one in self.matrices())

    @property
    def widest(self) -> int:
        """Weights of the largest linear layer."""
        return max((one.weights for _, one in self.matrices()), default=0)

    @property
    def weights_used(self) -> int:
        """Weights that one token is multiplied with in the layers: of the experts, its own."""
        experts = sum(
            count * (layer.experts.used * layer.experts.one + layer.experts.router)
            for count, layer in self.layers
            if layer.experts
        )
        return self.linear_weights + experts

    def lora_parameters(self, r: int, targets: str | list[str] = "all-linear") -> int:
        """Return how many weights LoRA of rank `r` adds: r x (inputs + outputs) for each layer."""
        linear = sum(
            count * r * (one.outputs + one.inputs)
            for count, one in self.matrices()
            if is_target(one, targets)
        )
        if targets != "all-linear":
            return linear
        return linear + sum(
            count * layer.experts.lora_parameters(r)
            for count, layer in self.layers
            if layer.experts
        )


def is_target(matrix: Matrix, targets: str | list[str]) -> bool:
    """Tell whether an adapter on `targets` adapts a linear layer."""
    return targets == "all-linear" or matrix.name in targets
