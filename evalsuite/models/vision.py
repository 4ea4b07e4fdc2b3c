"""How a vision-language model's image becomes tokens, from its files alone. No torch.

A template writes one placeholder for an image; the processor of transformers repeats it, once for
each vector that the vision tower hands to the language model. How often follows from the settings
of the image processor and, in some families, from the size of the image: that is computed here, so
that rows can be planned without loading the model. The families are a closed list; the numbers are
held against transformers' own processors in the tests, and against the pixels of every batch while
training.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.models.pictures import Size
from evalsuite.models.tokenizer_files import read_document
from workspace.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Part = Literal["language", "projector", "tower"]
"""Of a vision-language model: what writes, what hands images to it, what looks at them."""

_PROJECTOR = re.compile(r"(^|\.)(multi_modal_projector|visual\.merger)(\.|$)")
_TOWER = re.compile(r"(^|\.)(vision_tower|vision_model|visual)(\.|$)")
PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
)
"""What a processor consists of beside the tokenizer's files."""


def part_of(name: str) -> Part:
    """Return the part of a vision-language model that a weight or module belongs to.

    >>> part_of("model.visual.merger.mlp.0.weight"), part_of("vision_tower.encoder.layers.0")
    ('projector', 'tower')
    """
    if _PROJECTOR.search(name):
        return "projector"
    return "tower" if _TOWER.search(name) else "language"


@dataclass(frozen=True)
class Vision:
    """What an image is to a model."""

    family: str
    """`model_type` of its config."""
    token: str
    """The placeholder."""
    token_id: int
    count: Callable[[Size], int]
    """Width and height → placeholders of the image."""
    settings: Mapping[str, Any]
    """Of its image processor."""

    @property
    def digest(self) -> str:
        """SHA-256 over what decides the number of tokens and the pixels."""
        text = json.dumps([self.family, self.token, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def expand(self, ids: Sequence[int], counts: Sequence[int]) -> list[int]:
        """Return for each token how often it stands in the expanded text: 1 for all that is text.

        Args:
            ids: of a text with one placeholder for each image.
            counts: tokens of each image, in order.

        Raises:
            ModelError: the text has another number of placeholders.
        """
        places = sum(one == self.token_id for one in ids)
        if places != len(counts):
            raise ModelError(
                "the number of image places is not that of the images",
                cause=f"The template writes {self.token} {_times(places)} for {len(counts)} "
                f"image{'' if len(counts) == 1 else 's'}: it leaves image parts out, or the text "
                "itself has this token.",
            )
        rest = iter(counts)
        return [next(rest) if one == self.token_id else 1 for one in ids]


def _times(number: int) -> str:
    return {0: "not once", 1: "once"}.get(number, f"{number} times")


def reads_images(path: Path) -> bool:
    """Tell whether a model directory holds a vision-language model of a family known here."""
    config = read_document(path / "config.json")
    return isinstance(config.get("vision_config"), Mapping) and config.get("model_type") in FAMILIES


def find_vision(path: Path, tokenizer: Tokenizer) -> Vision | None:
    """Return how a model directory's model reads images; None where it reads none, or not so that
    it is known here.
    """
    try:
        return demand_vision(path, tokenizer)
    except ModelError:
        return None


def demand_vision(path: Path, tokenizer: Tokenizer) -> Vision:
    """Return how a model directory's model reads images.

    Raises:
        ModelError: it is a text model, of a family that is not known here, without processor
            files, or with settings that do not fit.
    """
    config = _config(path)
    family = str(config.get("model_type"))
    if not isinstance(config.get("vision_config"), Mapping):
        raise ModelError(
            "this model reads no images",
            where=str(path),
            cause=f"Its config.json (model_type {family!r}) has no vision_config.",
            cure=f"Take a vision-language model: {', '.join(FAMILIES)}; or curate the rows with "
            "`images: {read: false}`.",
        )
    reader = FAMILIES.get(family)
    tower = str(config["vision_config"].get("model_type"))
    if reader is None or tower in _OTHER_TOWERS:
        shown = family if reader is None else f"{family} with a {tower} tower"
        raise ModelError(
            "it is not known how this model reads images",
            where=str(path),
            cause=f"Its family is {shown}; known are {', '.join(FAMILIES)}.",
            cure="Take a model of these families.",
        )
    settings, processor = _settings(path)
    token_id = config.get("image_token_id", config.get("image_token_index"))
    token = tokenizer.id_to_token(token_id) if isinstance(token_id, int) else None
    if token is None:
        raise ModelError(
            "the tokenizer has no image token",
            where=str(path / "config.json"),
            cause=f"image_token_id is {token_id}, which is no token of tokenizer.json.",
            cure="Copy the tokenizer's files from the same model.",
        )
    try:
        count = reader(settings, processor)
        count((64, 64))
    except (KeyError, TypeError, ValueError) as error:
        said = f"It lacks {error.args[0]!r}." if isinstance(error, KeyError) else f"{error}."
        raise ModelError(
            "the image processor's settings give no number of tokens",
            where=str(path),
            cause=said,
            cure="Copy preprocessor_config.json and processor_config.json from the same model.",
        ) from error
    assert isinstance(token_id, int)
    return Vision(family, token, token_id, count, {**processor, "image_processor": settings})


def _config(path: Path) -> dict[str, Any]:
    """Return a model's config.json; of an adapter, which has none, that of its base."""
    if (path / "config.json").is_file():
        return read_document(path / "config.json")
    base = read_document(path / "adapter_config.json").get("base_model_name_or_path")
    return read_document(Path(base) / "config.json") if isinstance(base, str) and base else {}


def _settings(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the image processor, and those of the processor around it."""
    processor = read_document(path / "processor_config.json")
    inner = processor.pop("image_processor", None)
    settings = (
        inner if isinstance(inner, dict) else read_document(path / "preprocessor_config.json")
    )
    if not settings:
        raise ModelError(
            "this vision-language model has no processor files",
            where=str(path),
            cause="It has neither preprocessor_config.json nor an image_processor in "
            "processor_config.json, which say how images become pixels.",
            cure="Copy them from the model's own repository into its directory.",
        )
    return settings, processor


def _llava(settings: Mapping[str, Any], processor: Mapping[str, Any]) -> Callable[[Size], int]:
    """LLaVA 1.5: every image is resized and cropped to one size, and is as many tokens as patches.

    As `LlavaProcessor.replace_image_token` in transformers 5.
    """
    crops = settings.get("do_center_crop", "crop_size" in settings)
    size = settings["crop_size"] if crops else settings["size"]
    if isinstance(size, int):
        size = {"height": size, "width": size}
    if "height" not in size or "width" not in size:
        raise ValueError(f"images are left in different sizes: {dict(size)}")
    patch = int(processor["patch_size"])
    tokens = (int(size["height"]) // patch) * (int(size["width"]) // patch)
    tokens += int(processor.get("num_additional_image_tokens") or 0)
    tokens -= processor.get("vision_feature_select_strategy") == "default"
    if tokens < 1:
        raise ValueError(f"an image would be {tokens} tokens")
    return lambda size: tokens


def _qwen(settings: Mapping[str, Any], processor: Mapping[str, Any]) -> Callable[[Size], int]:
    """Qwen2-VL and 2.5: an image keeps its shape, within a least and a most number of pixels."""
    given = settings.get("size") or {}
    if not settings.get("do_resize", True):
        raise ValueError("do_resize is false: images are of any size, which its processor refuses")
    if {"min_pixels", "max_pixels"} & {*given}:
        raise ValueError(
            "size has min_pixels or max_pixels, which its processor refuses: they stand beside "
            "size, or are called shortest_edge and longest_edge in it"
        )
    least = settings.get("min_pixels") or given.get("shortest_edge")
    most = settings.get("max_pixels") or given.get("longest_edge")
    patch, merge = int(settings.get("patch_size", 14)), int(settings.get("merge_size", 2))
    bounds = int(least or 56 * 56), int(most or 28 * 28 * 1280)

    def count(size: Size) -> int:
        width, height = size
        return resized_area(height, width, patch * merge, *bounds) // (patch * merge) ** 2

    return count


def resized_area(height: int, width: int, factor: int, least: int, most: int) -> int:
    """Return the pixels of an image as Qwen2-VL resizes it: sides that are multiples of `factor`.

    As `smart_resize` in transformers 5, whose rounding it repeats.

    Raises:
        ValueError: one side is more than 200 times the other.

    >>> resized_area(100, 100, 28, 56 * 56, 28 * 28 * 1280)
    12544
    """
    if max(height, width) / min(height, width) > 200:
        raise ValueError(f"an image of {width} × {height} is too long for its width")
    high, wide = round(height / factor) * factor, round(width / factor) * factor
    if high * wide > most:
        shrink = math.sqrt(height * width / most)
        high = max(factor, math.floor(height / shrink / factor) * factor)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
    elif high * wide < least:
        grow = math.sqrt(least / (height * width))
        high = math.ceil(height * grow / factor) * factor
        wide = math.ceil(width * grow / factor) * factor
    return high * wide


_Reader = Callable[[Mapping[str, Any], Mapping[str, Any]], Callable[[Size], int]]
FAMILIES: dict[str, _Reader] = {"llava": _llava, "qwen2_vl": _qwen, "qwen2_5_vl": _qwen}
"""`model_type` → how its images are counted."""
_OTHER_TOWERS = frozenset({"pixtral"})
"""Towers whose images are not counted as their family's are."""


def as_parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return messages whose every content is a list of parts, as vision templates take them.

    >>> as_parts([{"role": "user", "content": "What?"}])
    [{'role': 'user', 'content': [{'type': 'text', 'text': 'What?'}]}]
    """
    return [
        message
        if message.get("content") is None
        else {**message, "content": _parts(message["content"])}
        for message in messages
    ]


def _parts(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [
        {"type": "image"} if part.get("type") == "image" else {"type": "text", "text": part["text"]}
        for part in content
    ]


def image_tokens(vision: Vision, messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the tokens of each image part of a conversation, which has its `size`.

    Raises:
        ModelError: an image that the model's processor refuses.
    """
    counts = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") != "image":
                continue
            try:
                counts.append(vision.count(part["size"]))
            except ValueError as error:
                raise ModelError(
                    "the image processor refuses an image", cause=f"{error}."
                ) from error
    return counts
