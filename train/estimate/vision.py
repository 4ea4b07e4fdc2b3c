"""Weights of a vision tower and of what hands its images to the language model, from config.json.

Counts are those of transformers' own models, against which the tests hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Config = Mapping[str, Any]


class VisionWeights(NamedTuple):
    """What a vision part holds."""

    weights: int
    """All of it."""
    linear: int
    """Of its linear layers without biases: what 4-bit loading quantises."""


def vision_weights(config: Config) -> VisionWeights | None:
    """Return the vision part's weights of a model's config; None where its kind is not known.

    Args:
        config: the content of config.json, with a `vision_config`.

    Raises:
        KeyError: the config lacks a size.
    """
    inner = config["vision_config"]
    kind = str(inner.get("model_type") or config.get("model_type"))
    counted = _TOWERS.get(kind.removesuffix("_vision"))
    return counted(inner, config) if counted else None


def _linear(*shapes: tuple[int, int]) -> VisionWeights:
    """Return linear layers of (inputs, outputs) with their biases."""
    plain = sum(inputs * outputs for inputs, outputs in shapes)
    return VisionWeights(plain + sum(outputs for _, outputs in shapes), plain)


def _sum(others: int, *parts: VisionWeights) -> VisionWeights:
    return VisionWeights(
        others + sum(one.weights for one in parts), sum(one.linear for one in parts)
    )


def _times(count: int, part: VisionWeights) -> VisionWeights:
    return VisionWeights(count * part.weights, count * part.linear)


def _llava(inner: Config, config: Config, *, has_class: bool, has_head: bool) -> VisionWeights:
    """A tower of CLIP or SigLIP, and LLaVA's projector of two layers."""
    hidden, width, patch = inner["hidden_size"], inner["intermediate_size"], inner["patch_size"]
    square = hidden, hidden
    patches = (inner["image_size"] // patch) ** 2
    filters = inner.get("num_channels", 3) * hidden * patch * patch
    # CLIP: a class token with its position, two more norms; SigLIP: a bias of the filters, one norm
    embedding = filters + (patches + has_class) * hidden + hidden
    norms = (4 if has_class else 2) * hidden
    layer = _sum(4 * hidden, _linear(square, square, square, square), _mlp(hidden, width))
    parts = [_times(inner["num_hidden_layers"], layer)]
    if has_head and inner.get("vision_use_head", True):
        pooled = VisionWeights(_linear((hidden, 3 * hidden)).weights, 0)
        parts += [pooled, _linear(square), _mlp(hidden, width)]
        norms += 3 * hidden
    text = (config.get("text_config") or {}).get("hidden_size", 4096)
    layers = config.get("vision_feature_layer", -2)
    taken = hidden * (len(layers) if isinstance(layers, list) else 1)
    return _sum(embedding + norms, *parts, _linear((taken, text), (text, text)))


def _mlp(hidden: int, width: int) -> VisionWeights:
    return _linear((hidden, width), (width, hidden))


def _qwen2(inner: Config, config: Config) -> VisionWeights:
    """Qwen2-VL: LayerNorm, an MLP of two layers."""
    hidden, out = inner.get("embed_dim", 1280), inner.get("hidden_size", 3584)
    width = int(hidden * inner.get("mlp_ratio", 4))
    layer = _sum(4 * hidden, _linear((hidden, 3 * hidden), (hidden, hidden)), _mlp(hidden, width))
    return _qwen(inner, layer, hidden, out, norm=2 * hidden)


def _qwen2_5(inner: Config, config: Config) -> VisionWeights:
    """Qwen2.5-VL: RMSNorm, a gated MLP."""
    hidden, out = inner.get("hidden_size", 3584), inner.get("out_hidden_size", 3584)
    width = inner.get("intermediate_size", 3420)
    gated = _sum(0, _linear((hidden, width)), _mlp(hidden, width))
    layer = _sum(2 * hidden, _linear((hidden, 3 * hidden), (hidden, hidden)), gated)
    return _qwen(inner, layer, hidden, out, norm=hidden)


def _qwen(
    inner: Config, layer: VisionWeights, hidden: int, out: int, *, norm: int
) -> VisionWeights:
    """The layers with their patches, and the merger of neighbouring patches."""
    patch = inner.get("patch_size", 14)
    channels = inner.get("in_channels", inner.get("in_chans", 3))
    filters = channels * hidden * inner.get("temporal_patch_size", 2) * patch * patch
    merged = hidden * inner.get("spatial_merge_size", 2) ** 2
    merger = _linear((merged, merged), (merged, out))
    return _sum(filters + norm, _times(inner.get("depth", 32), layer), merger)


def _clip(inner: Config, config: Config) -> VisionWeights:
    return _llava(inner, config, has_class=True, has_head=False)


def _siglip(inner: Config, config: Config) -> VisionWeights:
    return _llava(inner, config, has_class=False, has_head=True)


_TOWERS: dict[str, Callable[[Config, Config], VisionWeights]] = {
    "clip_vision_model": _clip,
    "siglip_vision_model": _siglip,
    "qwen2_vl": _qwen2,
    "qwen2_5_vl": _qwen2_5,
}
"""`model_type` of the vision part (or of the whole) → its count."""
