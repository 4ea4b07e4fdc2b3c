"""What is trained, as the recipe's `train.adapter` says it: each kind with its own settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from evalsuite.models.section import Quantization
from workspace.recipe import Section

Count = Annotated[int, Field(ge=1)]
RateOf = Literal["lora", "full"]
"""Which of a method's learning rates a kind of adapter takes."""

_SPLITS = frozenset({"pissa", "pissa_fast", "olora"})


class Layers(Section):
    """Layers by their place, counted from the input."""

    first: int = Field(default=0, ge=0)
    """This many layers next to the input."""
    last: int = Field(default=0, ge=0)
    """This many layers next to the output."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.first and not self.last:
            raise ValueError("`first` or `last` above 0")
        return self


LayerChoice = Layers | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
"""`{first: 2}`, `{last: 4}`, or the numbers of the layers, from 0."""


class AdapterSection(Section):
    """What the rest of the run asks of every kind."""

    rate_of: ClassVar[RateOf] = "lora"
    quantization: ClassVar[Quantization | None] = None
    """How the base is held in memory, if not as it is."""

    @property
    def splits_weights(self) -> bool:
        """Whether the adapter takes its first weights out of the base's."""
        return False

    @property
    def changes_base(self) -> bool:
        """Whether the base with the adapter off is not the base while training."""
        return False

    @property
    def needs_exact_weights(self) -> bool:
        """Whether weights of the base are changed, which bfloat16 is too coarse for."""
        return self.rate_of == "full" or self.changes_base


class LowRank(AdapterSection):
    """What LoRA on full and on 4-bit weights have in common."""

    r: int = Field(default=16, ge=1, le=1024)
    """Rank: more learns (and forgets) more; memory and file size grow with it."""
    alpha: float | None = Field(default=None, gt=0)
    """Strength of the adapter, divided by r. Left out: twice r."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the adapter's inputs dropped at random while training."""
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)] = "all-linear"
    """Which linear layers get an adapter: all of them, or module names such as `q_proj`."""
    exclude: list[str] = Field(default_factory=list)
    """Module names that get none after all, such as `down_proj` or `layers.0.mlp.up_proj`."""
    layers: LayerChoice | None = None
    """Only these layers get one: `{last: 8}` or numbers. Left out: all."""
    dora: bool = False
    """DoRA (arXiv 2402.09353): direction and length of each weight are learnt apart. Nearer to
    training all weights at low rank; each step costs about half as much again."""
    rslora: bool = False
    """Divide alpha by the root of r instead of r (arXiv 2312.03732), so that high ranks learn."""
    trainable_tokens: list[str] = Field(default_factory=list)
    """Tokens whose embedding is trained too. `all-linear` leaves the embedding and output matrix
    alone, so a model that has never produced a token (say `{` of JSON) learns it only with
    difficulty. Each must be exactly one token of the tokenizer."""
    modules_to_save: list[str] = Field(default_factory=list)
    """Modules trained whole beside the adapter and saved with it, such as `lm_head` or `norm`.
    Every module whose name ends so is meant."""
    rank_pattern: dict[str, Count] = Field(default_factory=dict)
    """Another rank for some layers: the end of a module's name (a regular expression) → rank."""
    alpha_pattern: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Another alpha for some layers, likewise."""

    @field_validator("rank_pattern", "alpha_pattern")
    @classmethod
    def _are_patterns(cls, value: dict[str, Any]) -> dict[str, Any]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"regular expressions as keys; {pattern!r} is none: {error}"
                ) from error
        return value

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if "lm_head" in self.targets:
            raise ValueError(
                "no lm_head in targets: the losses read its weight directly, so an adapter on it "
                "would learn nothing; name it in modules_to_save"
            )
        return self


class LoraAdapter(LowRank):
    """Train small matrices beside the frozen weights: a hundredth of the memory for optimiser
    states, and what the model knew is easier to keep.
    """

    kind: Literal["lora"] = "lora"
    """Low-rank adapters."""
    init: Literal["zero", "gaussian", "pissa", "pissa_fast", "olora"] = "zero"
    """How it begins. `zero` and `gaussian` add nothing at first. `pissa` (arXiv 2404.02948) trains
    the largest singular directions of the weights themselves, `pissa_fast` finds them
    approximately, `olora` (2406.01775) takes them from a QR decomposition: all three learn faster
    and change more of what was known. They need float32 weights while training, and are published
    as a plain LoRA of twice the rank that fits the untouched base."""
    bias: Literal["none", "lora_only", "all"] = "none"
    """Biases trained in place: of the adapted layers, or all that the model has."""

    @property
    def splits_weights(self) -> bool:
        """Whether the adapter takes its first weights out of the base's."""
        return self.init in _SPLITS

    @property
    def changes_base(self) -> bool:
        """Whether the base with the adapter off is not the base while training."""
        return self.splits_weights or self.bias != "none"

    @field_validator("init", mode="before")
    @classmethod
    def _not_quantised(cls, value: Any) -> Any:
        if value == "loftq":
            raise ValueError("kind: qlora for init: loftq, which makes up for what 4 bits lose")
        return value


class QloraAdapter(LowRank):
    """LoRA on a base held in 4 bits (NF4, its scales quantised again, computed in bfloat16;
    arXiv 2305.14314): a quarter of the memory for the frozen weights. The adapter is float32.
    """

    quantization: ClassVar[Quantization | None] = "nf4"

    kind: Literal["qlora"]
    """Low-rank adapters on 4-bit weights."""
    init: Literal["zero", "gaussian", "loftq"] = "zero"
    """How it begins. `loftq` (arXiv 2310.08659) begins with what the 4 bits lost, so that training
    starts near the unquantised base."""

    @field_validator("init", mode="before")
    @classmethod
    def _leaves_base(cls, value: Any) -> Any:
        if value in _SPLITS:
            raise ValueError(
                f"kind: lora for init: {value}, which takes a part out of the weights: of 4-bit "
                "ones the rest would be rounded anew, and nothing could give the base back"
            )
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.dora and self.init == "loftq":
            raise ValueError(
                "no dora with init: loftq: DoRA's lengths are measured before LoftQ fills the "
                "adapter, so that they would not fit it"
            )
        return self


class PeftAdapter(AdapterSection):
    """Any other tuner of the installed peft, with its own options."""

    kind: Literal["peft"]
    """A tuner by its name in peft."""
    tuner: Annotated[str, BeforeValidator(lambda name: str(name).upper().replace("(IA)3", "IA3"))]
    """peft's name for it: `IA3`, `OFT`, `VERA`, `SHIRA`, `ADALORA`, `OSF`, `LOHA`, `BOFT` …"""
    options: dict[str, Any] = Field(default_factory=dict)
    """Fields of peft's config class for this tuner, as its documentation names them. Left out,
    `target_modules` is `all-linear`, or peft's own choice for IA3 and LN_TUNING."""


class Parts(Section):
    """Weights by name or layer."""

    names: list[str] = Field(default_factory=list)
    """`embeddings`, `norms`, `head`, or patterns of weights' names such as `*.mlp.*`."""
    layers: LayerChoice | None = None
    """`{first: 4}`, `{last: 2}` or numbers from 0."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.names and self.layers is None:
            raise ValueError("`names` or `layers`")
        return self


def _by_list(value: Any) -> Any:
    """Accept `[norms, embeddings]` for `{names: [norms, embeddings]}`."""
    return {"names": value} if isinstance(value, list) else value


PartChoice = Annotated[Parts, BeforeValidator(_by_list)]


class FullAdapter(AdapterSection):
    """Train every weight: four times the memory of the weights for AdamW's states and gradients,
    and the surest way to forget; give it a low rate and replay.
    """

    rate_of: ClassVar[RateOf] = "full"

    kind: Literal["full"]
    """All weights."""
    freeze: PartChoice | None = None
    """Weights that stay as they are: `[embeddings, norms]`, `{layers: {first: 8}}` …"""
    only: PartChoice | None = None
    """The only weights that are trained; give this or `freeze`."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.freeze is not None and self.only is not None:
            raise ValueError("either freeze or only, not both: what is not `only` is frozen")
        return self


Adapter = Annotated[
    LoraAdapter | QloraAdapter | PeftAdapter | FullAdapter, Field(discriminator="kind")
]
