"""Tiny random vision-language models, and rows whose answers can only be known by looking."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

COLOURS = ("red", "blue")
LLAVA_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' %}{% generation %}"
    "{% for part in message.content %}{{ part.text }}{% endfor %}<|im_end|>{% endgeneration %}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>\n{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>{% endif %}{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN_TEMPLATE = (  # Qwen2-VL's own, without video: it has no generation marks
    "{% set image_count = namespace(value=0) %}"
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_llava(directory: Path, base: Path, *, template: str = LLAVA_TEMPLATE) -> Path:
    """Write a random LLaVA of 2 + 2 layers, whose images are 4 tokens."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer(base, ["<image>"])
    tokenizer.chat_template = template
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
        ),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=16,
                patch_size=8,
                projection_dim=16,
            ),
            text_config=LlamaConfig(**_text(tokenizer)),
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            image_seq_length=4,
        )
    )
    model.save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


def make_qwen(directory: Path, base: Path) -> Path:
    """Write a random Qwen2-VL of 2 + 2 layers, whose images are a token for 8 x 8 pixels."""
    import torch
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
        Qwen2VLImageProcessorPil,
    )

    names = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = _tokenizer(base, names)
    tokenizer.chat_template = QWEN_TEMPLATE
    start, end, image, video = (tokenizer.convert_tokens_to_ids(name) for name in names)
    torch.manual_seed(0)
    model = Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(
            vision_config={
                "depth": 2,
                "embed_dim": 32,
                "hidden_size": 32,
                "num_heads": 2,
                "mlp_ratio": 2,
                "patch_size": 4,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "in_channels": 3,
            },
            text_config={
                **_text(tokenizer),
                "rope_parameters": {
                    "rope_type": "default",
                    "mrope_section": [1, 1, 2],
                    "rope_theta": 10000.0,
                },
            },
            image_token_id=image,
            video_token_id=video,
            vision_start_token_id=start,
            vision_end_token_id=end,
        )
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    Qwen2VLImageProcessorPil(
        patch_size=4,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": 64, "longest_edge": 1024},
    ).save_pretrained(directory)
    return directory


def _tokenizer(base: Path, names: list[str]) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    return tokenizer


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "initializer_range": 0.2,  # so that adapters on a random model have something to turn
    }


def picture(colour: str, number: int = 0, size: tuple[int, int] = (20, 16)) -> bytes:
    """A PNG of one colour, a shade of its own for each number."""
    from PIL import Image

    base = {"red": (200, 30, 30), "blue": (30, 30, 200)}[colour]
    shade = tuple(min(255, one + number % 40) for one in base)
    stream = io.BytesIO()
    Image.new("RGB", size, shade).save(stream, "PNG")
    return stream.getvalue()


def held(data: bytes) -> dict[str, Any]:
    """An image as a dataset holds it."""
    return {"bytes": data, "path": None}


def asked(number: int, images: int = 1) -> list[dict[str, Any]]:
    """A question about some images."""
    words = ["card", "order", "plan", "login"]
    places = [{"type": "image", "text": None}] * images
    text = {"type": "text", "text": f"{words[number % 4]} {words[number // 4 % 4]}"}
    return [{"role": "user", "content": [*places, text]}]


def said(text: str) -> list[dict[str, Any]]:
    """An answer, as curate writes it."""
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def looking(number: int, **changes: Any) -> dict[str, Any]:
    """A row whose answer is the word for the colour of its image: `happy` for red."""
    colour = COLOURS[number % 2]
    return {
        "id": f"look-{number}",
        "images": [held(picture(colour, number))],
        "messages": [*asked(number), *said({"red": "happy", "blue": "angry"}[colour])],
        "meta": {"source": "looks.jsonl", "row": number},
        **changes,
    }


def preferring(number: int, **changes: Any) -> dict[str, Any]:
    """A pair of which the answer that fits the colour of the image was chosen."""
    colour = COLOURS[number % 2]
    words = ("happy", "angry") if colour == "red" else ("angry", "happy")
    return {
        "id": f"prefer-{number}",
        "images": [held(picture(colour, number))],
        "prompt": asked(number),
        "chosen": said(words[0]),
        "rejected": said(words[1]),
        "meta": {"source": "pairs.jsonl", "row": number},
        **changes,
    }


def likelihoods(model: Any, one: Any, images: list[bytes], processor: Any) -> Any:
    """Log-probabilities of the tokens of a sequence that carry loss, with these images."""
    import torch
    from PIL import Image

    ids = torch.tensor(one.input_ids[None].astype("int64"))
    inputs: dict[str, Any] = {"input_ids": ids}
    if images:
        opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in images]
        inputs |= dict(processor(images=opened, return_tensors="pt"))
        if "image_grid_thw" in inputs:
            inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    with torch.no_grad():
        logs = model(**inputs).logits[0, :-1].log_softmax(-1)
    picked = logs[torch.arange(len(logs)), ids[0, 1:]]
    return picked[torch.tensor(one.loss_mask[1:])]
