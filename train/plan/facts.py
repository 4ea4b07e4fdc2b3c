"""What a model directory says about itself, read without torch.

`config.json` gives the shape; the headers of the safetensors files (eight bytes of length, then
JSON) give the name, type and shape of every tensor without reading any weight.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from evalsuite.models.context import context_length, vocabulary_size
from workspace.errors import ModelError
from workspace.files import read_json

_LONGEST_HEADER_BYTES = 100 * 1024**2
_SMALL = 20_000_000
_KEEPING_APART = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers whose mask transformers makes from restarting positions."""
_RECURRENT = ("mamba", "rwkv", "jamba", "bamba", "zamba", "recurrent", "xlstm", "falcon_h1")
_BIASED = frozenset({"bloom", "mpt"})
"""Models with ALiBi, whose bias counts from the beginning of the tensor."""
INPUT_EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "word_embeddings.weight",
)


@dataclass(frozen=True)
class ModelFacts:
    """Shape of a causal language model."""

    path: Path
    architecture: str
    parameters: int
    """Tied embeddings counted once."""
    context: int
    """Longest sequence in tokens that its positions allow."""
    hidden_size: int
    tied_embeddings: bool
    linear_shapes: tuple[tuple[str, int, int], ...]
    """Name, outputs, inputs of each linear layer that `all-linear` adapts."""
    vocabulary: int | None
    """Token ids it has weights for; None if no tensor is known as its embedding."""
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of every weight."""
    mixes_packed_rows: str = ""
    """Why rows that share a sequence would not be apart; empty where attention keeps them so."""
    has_vision: bool = False
    """Whether it has a vision tower beside the language model."""

    @property
    def is_small(self) -> bool:
        """Whether threads and rates for models below 20 M parameters apply."""
        return self.parameters < _SMALL


def read_facts(path: Path) -> ModelFacts:
    """Read the facts of the model in a directory.

    Raises:
        ModelError: no config, no safetensors weights, a damaged or cut file, or a config that does
            not fit the weights.
    """
    if not (path / "config.json").is_file():
        raise ModelError(
            "this is not a model directory",
            where=str(path),
            cause="It has no config.json.",
            cure="Give the directory that holds config.json and *.safetensors.",
        )
    config = read_json(path / "config.json", kind="model config")
    text_config = config.get("text_config") or config
    tensors: dict[str, tuple[int, ...]] = {}
    for file in _weight_files(path):
        tensors.update(_shapes(file))
    linear = tuple(
        (name, shape[0], shape[1])
        for name, shape in tensors.items()
        if len(shape) == 2 and name.endswith(".weight") and not _is_embedding(name)
    )
    return ModelFacts(
        path=path,
        architecture=str((config.get("architectures") or ["unknown"])[0]),
        parameters=sum(prod(shape) for shape in tensors.values()),
        context=context_length(config),
        hidden_size=int(text_config.get("hidden_size") or text_config.get("n_embd") or 0),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        linear_shapes=linear,
        vocabulary=_vocabulary(tensors, config, path),
        tensors=tuple(tensors.items()),
        mixes_packed_rows=_mixes(text_config, config),
        has_vision=isinstance(config.get("vision_config"), Mapping),
    )


def _mixes(config: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return why a model carries something from token to token that a mask does not stop."""
    if isinstance(whole.get("vision_config"), Mapping):
        return "a vision-language model counts positions over the whole sequence"
    kind = str(config.get("model_type", ""))
    layers = set(config.get("layer_types") or ()) - _KEEPING_APART
    if layers:
        return f"it has layers of {', '.join(sorted(layers))}"
    if any(name in kind for name in _RECURRENT):
        return f"a {kind} model is recurrent"
    if kind in _BIASED or config.get("alibi"):
        return "its attention takes positions from a mask that packed rows do not have"
    return ""


def _vocabulary(
    tensors: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], path: Path
) -> int | None:
    rows = [shape[0] for name, shape in tensors.items() if name.endswith(INPUT_EMBEDDINGS)]
    stated = vocabulary_size(config)
    if len(rows) == 1 and stated is not None and rows[0] != stated:
        raise ModelError(
            "this model's config.json does not fit its weights",
            where=f"{path / 'config.json'}: vocab_size",
            cause=f"Found {stated:,}; the embedding has {rows[0]:,} rows.",
            cure="Copy config.json and the weights from the same model.",
        )
    return rows[0] if len(rows) == 1 else stated


def _is_embedding(name: str) -> bool:
    return any(part in name for part in ("embed", "lm_head", "wte.", "wpe."))


def _weight_files(path: Path) -> list[Path]:
    """Return the files that transformers reads; `consolidated*` repeat them for other programs."""
    files = sorted(path.glob("*.safetensors"))
    files = [file for file in files if not file.name.startswith("consolidated")] or files
    if not files:
        raise ModelError(
            "this model has no safetensors weights",
            where=str(path),
            cause="Weights in other formats can run code when they are loaded, so they are not.",
            cure="Use a revision with *.safetensors, or convert the weights with transformers.",
        )
    return files


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _LONGEST_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header: dict[str, Any] = json.loads(stream.read(length))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(
            "this safetensors file is damaged",
            where=str(file),
            cause=f"Its header cannot be read: {error}.",
            cure="Download or copy the model again.",
        ) from error
    if file.stat().st_size < end:
        raise ModelError(
            "this safetensors file is cut short",
            where=str(file),
            cause=f"It has {file.stat().st_size:,} bytes; by its header it has {end:,}.",
            cure="Download or copy the model again.",
        )
    return shapes
