"""Weights of vision-language models, counted from a config alone, are those of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.models.section import ModelSection
from evalsuite.models.vision import part_of
from train.estimate.families import shape_of
from train.estimate.memory import trained_parameters
from train.estimate.read import read_shape
from train.estimate.vision import vision_weights
from train.estimate.ways import Way

_TEXT = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
_TOWER = {
    "hidden_size": 32,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_ROPE = {"rope_type": "default", "mrope_section": [1, 2, 3], "rope_theta": 1e4}


def _configs() -> dict[str, Any]:
    from transformers import LlavaConfig, Qwen2_5_VLConfig, Qwen2VLConfig

    llama, rope = {"model_type": "llama", **_TEXT}, {**_TEXT, "rope_parameters": _ROPE}
    clip = {"model_type": "clip_vision_model", **_TOWER}
    siglip = {"model_type": "siglip_vision_model", **_TOWER}
    return {
        "clip": LlavaConfig(vision_config=clip, text_config=llama),
        "clip, two layers": LlavaConfig(
            vision_config=clip, text_config=llama, vision_feature_layer=[-1, -2]
        ),
        "siglip": LlavaConfig(vision_config=siglip, text_config=llama),
        "siglip, no head": LlavaConfig(
            vision_config={**siglip, "vision_use_head": False}, text_config=llama
        ),
        "qwen2": Qwen2VLConfig(
            vision_config={
                "depth": 2,
                "embed_dim": 32,
                "hidden_size": 48,
                "num_heads": 2,
                "mlp_ratio": 3,
            },
            text_config=rope,
        ),
        "qwen2.5": Qwen2_5_VLConfig(
            vision_config={
                "depth": 2,
                "hidden_size": 32,
                "out_hidden_size": 48,
                "num_heads": 2,
                "intermediate_size": 56,
            },
            text_config=rope,
        ),
    }


@pytest.mark.parametrize(
    "kind", ["clip", "clip, two layers", "siglip", "siglip, no head", "qwen2", "qwen2.5"]
)
def test_a_vision_part_has_the_weights_that_transformers_makes(kind: str) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    config = _configs()[kind]
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    seen = {n: p.numel() for n, p in model.named_parameters() if part_of(n) != "language"}
    linear = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if part_of(name) != "language" and isinstance(module, torch.nn.Linear)
    )
    document = config.to_dict()
    assert vision_weights(document) == (sum(seen.values()), linear)
    shape = shape_of(document, "a model")
    assert shape is not None
    assert shape.parameters == sum(one.numel() for one in model.parameters())
    assert shape.parts()["vision"] == sum(seen.values())
    assert trained_parameters(shape, Way("full")) == shape.parameters - shape.vision


@pytest.mark.parametrize("kind", ["llava", "qwen"])
def test_the_headers_of_a_model_agree(kind: str, tiny_llava: Path, tiny_qwen: Path) -> None:
    path = {"llava": tiny_llava, "qwen": tiny_qwen}[kind]
    shape = read_shape(ModelSection(path=str(path)), path)
    assert not any("weight files hold" in note for note in shape.notes)
    assert any("vision part is counted" in note for note in shape.notes)


def test_published_models_have_their_published_size(tmp_path: Path) -> None:
    """LLaVA 1.5 7B has 7.06 B weights, Qwen2-VL 2B 2.2 B; both write little in config.json."""
    llava = {
        "model_type": "llava",
        "text_config": {"model_type": "llama", "vocab_size": 32064},
        "vision_config": {**_TOWER, "model_type": "clip_vision_model", "hidden_size": 1024}
        | {"intermediate_size": 4096, "num_hidden_layers": 24, "image_size": 336},
    }
    qwen = {
        "model_type": "qwen2_vl",
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_attention_heads": 12,
        "num_hidden_layers": 28,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "vocab_size": 151936,
        "vision_config": {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "hidden_size": 1536},
    }
    sizes = []
    for config in (llava, qwen):
        (tmp_path / "config.json").write_text(json.dumps(config))
        sizes.append(read_shape(ModelSection(path="config.json"), tmp_path).parameters)
    assert sizes == [7_063_427_072, 2_208_985_600]
