"""From a config.json to a model's shape, for the families whose layers are known here.

A config that a library wrote leaves out what equals its class's defaults, so those defaults are
here too (transformers 5). Counts are checked against transformers' own models in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Literal

from evalsuite.models.context import context_length
from train.estimate.shapes import Experts, Layer, Matrix, ModelShape
from train.estimate.vision import VisionWeights, vision_weights

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """How the layers of a family are built."""

    biases: Literal["none", "qkv", "asked"] = "none"
    """Of attention: none, on q, k and v (Qwen2), or as `attention_bias` says."""
    mlp_bias_asked: bool = False
    """Whether `mlp_bias` is heeded."""
    norms: int = 2
    """Normalisations of hidden size in each layer."""
    head_norms: bool = False
    """Whether q and k are normalised by head."""
    fused: bool = False
    """Whether q, k, v and gate, up are one matrix each (Phi-3)."""
    stores_scores: bool = False
    """Whether attention is computed without a fused kernel."""
    tied: bool = False
    """Default of `tie_word_embeddings`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values of keys that a config may leave out."""
    mlp: Callable[[Config, int], tuple[tuple[Matrix, ...], Experts | None]] | None = None
    """Replaces the MLP of layer n, for mixtures of experts."""


def shape_of(config: Config, name: str) -> ModelShape | None:
    """Return the shape of the model that a config describes, or None for an unknown family.

    Args:
        config: the content of config.json; of a model of several parts, its text part is taken.
        name: how the model is called in messages.

    Raises:
        KeyError: the config lacks a key that its family needs; the key is the argument.
        ValueError: a value that is no size.
    """
    text = config.get("text_config")
    inner: Config = text if isinstance(text, Mapping) else config
    kind = str(inner.get("model_type") or config.get("model_type"))
    if kind == "gpt2":
        return _gpt2(inner, name)
    family = FAMILIES.get(_TEXT_OF.get(kind, kind))
    if family is None:
        return None
    # Of a model of several parts, the whole says whether the matrices are tied.
    tied = config.get("tie_word_embeddings", inner.get("tie_word_embeddings", family.tied))
    values = {**family.defaults, **{key: one for key, one in inner.items() if one is not None}}
    if config.get("model_type") == "llava" and kind == "llama":  # its config.json leaves them out
        values = {**_LLAMA_7B, **values}
    vision, notes = _vision(config, inner)
    if family.mlp:
        notes.append("activations of experts are a rough count")
    hidden = size(values, "hidden_size")
    layers = [_layer(family, values, index) for index in range(size(values, "num_hidden_layers"))]
    return ModelShape(
        name=name,
        family=kind,
        hidden=hidden,
        vocabulary=size(values, "vocab_size"),
        context=context_length(config),
        tied=bool(tied),
        layers=tuple((len(list(same)), layer) for layer, same in groupby(layers)),
        final_norm=hidden,
        vision=vision.weights,
        vision_linear=vision.linear,
        notes=tuple(notes),
    )


def _vision(config: Config, inner: Config) -> tuple[VisionWeights, list[str]]:
    """Return the weights of a model's vision part, and what is to be said of its other parts."""
    none = VisionWeights(0, 0)
    if isinstance(config.get("vision_config"), Mapping):
        found = vision_weights(config)
        if found is not None:
            note = "the vision part is counted with its weights, frozen; what it computes is not"
            return found, [note]
    elif inner is config:
        return none, []
    return none, ["only the text part is counted; other parts add their weights"]


def size(values: Config, *keys: str) -> int:
    """Return the first of some keys that is there, which must be a positive whole number.

    Raises:
        KeyError: none is there.
        ValueError: it is something else.
    """
    for key in keys:
        if (found := values.get(key)) is not None:
            if isinstance(found, bool) or not isinstance(found, int) or found < 1:
                raise ValueError(f"{key}: expected a positive whole number, found {found!r}")
            return found
    raise KeyError(keys[0])


def _layer(family: Family, values: Config, index: int) -> Layer:
    hidden = size(values, "hidden_size")
    heads = size(values, "num_attention_heads")
    kv_heads = size({"num_key_value_heads": heads, **values}, "num_key_value_heads")
    head = size({"head_dim": max(1, hidden // heads), **values}, "head_dim")
    query, key_value = heads * head, kv_heads * head
    asked = family.biases == "asked" and bool(values.get("attention_bias"))
    qkv_bias = asked or (family.biases == "qkv" and values.get("qkv_bias", True))
    attention = _attention(hidden, query, key_value, family.fused, qkv_bias, asked)
    if family.mlp:
        mlp, experts = family.mlp(values, index)
    else:
        bias = family.mlp_bias_asked and bool(values.get("mlp_bias"))
        mlp = _gated(hidden, size(values, "intermediate_size"), fused=family.fused, bias=bias)
        experts = None
    dense = sum(one.inputs for one in mlp if one.name.endswith("down_proj"))
    return Layer(
        matrices=attention + mlp,
        norms=family.norms * hidden + (2 * head if family.head_norms else 0),
        normalised=family.norms * hidden + (query + key_value if family.head_norms else 0),
        query_width=query,
        mlp_width=dense + (experts.used * experts.width if experts else 0),
        gated=True,
        experts=experts,
        scored_heads=heads if family.stores_scores else 0,
    )


def _attention(
    hidden: int, query: int, key_value: int, fused: bool, qkv_bias: bool, output_bias: bool
) -> tuple[Matrix, ...]:
    out = Matrix("o_proj", hidden, query, "attention", output_bias)
    if fused:
        return Matrix("qkv_proj", query + 2 * key_value, hidden, "attention", qkv_bias), out
    return (
        Matrix("q_proj", query, hidden, "attention", qkv_bias),
        Matrix("k_proj", key_value, hidden, "attention", qkv_bias),
        Matrix("v_proj", key_value, hidden, "attention", qkv_bias),
        out,
    )


def _gated(
    hidden: int, width: int, *, fused: bool = False, bias: bool = False
) -> tuple[Matrix, ...]:
    down = Matrix("down_proj", hidden, width, "mlp", bias)
    if fused:
        return Matrix("gate_up_proj", 2 * width, hidden, "mlp", bias), down
    return (
        Matrix("gate_proj", width, hidden, "mlp", bias),
        Matrix("up_proj", width, hidden, "mlp", bias),
        down,
    )


def _mixtral(values: Config, index: int) -> tuple[tuple[Matrix, ...], Experts]:
    return (), Experts(
        size(values, "num_local_experts", "num_experts"),
        size(values, "num_experts_per_tok"),
        size(values, "intermediate_size"),
        size(values, "hidden_size"),
        adapted=True,
    )


def _sparse(
    values: Config, index: int, *, shared: bool
) -> tuple[tuple[Matrix, ...], Experts | None]:
    """Return the MLP of a Qwen mixture: some layers are dense."""
    hidden = size(values, "hidden_size")
    if index in values.get("mlp_only_layers", ()) or (index + 1) % values["decoder_sparse_step"]:
        return _gated(hidden, size(values, "intermediate_size")), None
    matrices: tuple[Matrix, ...] = ()
    if shared:
        matrices = (
            *_gated(hidden, size(values, "shared_expert_intermediate_size")),
            Matrix("shared_expert_gate", 1, hidden, "mlp"),
        )
    return matrices, Experts(
        size(values, "num_local_experts", "num_experts"),  # either name, by version
        size(values, "num_experts_per_tok"),
        size(values, "moe_intermediate_size"),
        hidden,
        adapted=not shared,  # peft knows Qwen3's experts and not Qwen2's
    )


def _gpt2(config: Config, name: str) -> ModelShape:
    values = {"n_embd": 768, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257, **config}
    hidden = size(values, "n_embd")
    width = size({**values, "n_inner": values.get("n_inner") or 4 * hidden}, "n_inner")
    layer = Layer(
        matrices=(
            Matrix("c_attn", 3 * hidden, hidden, "attention", True),
            Matrix("c_proj", hidden, hidden, "attention", True),
            Matrix("c_fc", width, hidden, "mlp", True),
            Matrix("c_proj", hidden, width, "mlp", True),
        ),
        norms=4 * hidden,
        normalised=2 * hidden,
        query_width=hidden,
        mlp_width=width,
        gated=False,
    )
    return ModelShape(
        name=name,
        family="gpt2",
        hidden=hidden,
        vocabulary=size(values, "vocab_size"),
        context=context_length(values),
        tied=bool(values.get("tie_word_embeddings", True)),
        layers=((size(values, "n_layer"), layer),),
        positions=size(values, "n_positions") * hidden,
        final_norm=2 * hidden,
    )


_TEXT_OF = {one: "qwen2" for kind in ("qwen2_vl", "qwen2_5_vl") for one in (kind, f"{kind}_text")}
"""Text parts of vision-language models that have the layers of a text model."""
_LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}
_GEMMA = {
    "vocab_size": 256_000,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
}
_QWEN_MIXTURE = {
    "vocab_size": 151_936,
    "num_hidden_layers": 24,
    "decoder_sparse_step": 1,
    "hidden_size": 2048,
}
FAMILIES: dict[str, Family] = {
    "llama": Family(biases="asked", mlp_bias_asked=True, defaults={"vocab_size": 32_000}),
    "mistral": Family(defaults={"vocab_size": 32_000, "num_key_value_heads": 8}),
    "qwen2": Family(biases="qkv", defaults={"vocab_size": 151_936, "num_key_value_heads": 32}),
    "qwen3": Family(
        biases="asked",
        head_norms=True,
        defaults={"vocab_size": 151_936, "num_key_value_heads": 32, "head_dim": 128},
    ),
    "gemma": Family(
        biases="asked",
        tied=True,
        defaults={**_GEMMA, "num_attention_heads": 16, "num_key_value_heads": 16},
    ),
    "gemma2": Family(biases="asked", norms=4, stores_scores=True, tied=True, defaults=_GEMMA),
    "gemma3_text": Family(
        biases="asked",
        norms=4,
        head_norms=True,
        tied=True,
        defaults={**_GEMMA, "vocab_size": 262_208},
    ),
    "phi3": Family(fused=True, defaults={"vocab_size": 32_064}),
    "mixtral": Family(
        mlp=_mixtral,
        defaults={
            "vocab_size": 32_000,
            "num_key_value_heads": 8,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        },
    ),
    "qwen2_moe": Family(
        biases="qkv",
        mlp=partial(_sparse, shared=True),
        defaults={**_QWEN_MIXTURE, "num_key_value_heads": 16, "num_experts_per_tok": 4},
    ),
    "qwen3_moe": Family(
        biases="asked",
        head_norms=True,
        mlp=partial(_sparse, shared=False),
        defaults={**_QWEN_MIXTURE, "num_key_value_heads": 4, "num_experts_per_tok": 8},
    ),
}
"""By `model_type` of the config; GPT-2, whose keys differ, is apart."""

KNOWN = ("gpt2", *FAMILIES)
