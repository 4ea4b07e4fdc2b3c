"""From the name of a model to its shape: config.json alone, or the headers of its weights."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.models.section import ModelSection
from evalsuite.models.source import hub_error, hub_offline, is_hub_name
from train.estimate.families import KNOWN, shape_of
from train.estimate.shapes import Layer, Matrix, ModelShape
from workspace.errors import ModelError
from workspace.files import read_json

if TYPE_CHECKING:
    from train.plan.facts import ModelFacts

_LAYER = re.compile(r"^(.*?\.\d+)\.")


def read_shape(section: ModelSection, base_dir: Path) -> ModelShape:
    """Return the shape of the model that a recipe or `--model` names.

    Of a hub model only config.json is fetched, if it is not in the cache. Weights are opened (their
    headers only) where they are there: to check the count, and to take it where the architecture
    is not known here.

    Args:
        section: `builtin`, a directory, a config.json, or a hub name.
        base_dir: what a relative path is relative to.

    Raises:
        DataError: a config that is not a JSON object.
        ModelError: no such model, a config that lacks what its family needs, or an unknown
            architecture without weights.
    """
    file = _config_file(section, base_dir)
    config = read_json(file, kind="model config")
    try:
        found = shape_of(config, section.path)
    except (KeyError, ValueError) as error:
        cause = f"It lacks {error.args[0]}." if isinstance(error, KeyError) else f"{error}."
        raise ModelError("this config.json gives no shape", where=str(file), cause=cause) from error
    if "quantization_config" in config and found:
        note = "its weights are quantised; the figures are those of the unquantised model"
        found = replace(found, notes=(*found.notes, note))
    has_weights = file.name == "config.json" and any(file.parent.glob("*.safetensors"))
    if found and not has_weights:
        return found
    if not has_weights:
        kind = config.get("model_type") or (config.get("architectures") or ["none"])[0]
        raise ModelError(
            "the shape of this architecture is not known from its config alone",
            where=str(file),
            cause=f"model_type is {kind!r}; known are {', '.join(KNOWN)}.",
            cure="Give a directory with its *.safetensors: their headers have the shapes.",
        )
    from train.plan.facts import read_facts

    facts = read_facts(file.parent)
    return _checked(found, facts) if found else _from_headers(facts, section.path, config)


def _config_file(section: ModelSection, base_dir: Path) -> Path:
    if section.path == "builtin":
        from evalsuite.builtin import model_path

        return model_path() / "config.json"
    path = base_dir / Path(section.path).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                "this is not a model directory", where=str(path), cause="It has no config.json."
            )
        return path / "config.json"
    if not is_hub_name(section, base_dir):
        raise ModelError(
            "there is no such model",
            where=str(path),
            cure="Give a directory, a config.json, a hub name such as Qwen/Qwen3-0.6B, or "
            "`builtin`.",
        )
    offline = hub_offline()
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(
                section.path, "config.json", revision=section.revision, local_files_only=offline
            )
        )
    except Exception as error:
        raise hub_error(section.path, section.revision, error) from error


def _checked(found: ModelShape, facts: ModelFacts) -> ModelShape:
    if facts.parameters == found.parameters:
        return found
    note = f"the weight files hold {facts.parameters:,} weights, the config describes "
    note += f"{found.parameters:,}"
    return replace(found, notes=(*found.notes, note))


def _from_headers(facts: ModelFacts, name: str, config: Mapping[str, Any]) -> ModelShape:
    """Return a shape whose linear layers are those of the files, grouped by the layer's number."""
    groups: dict[str, list[Matrix]] = defaultdict(list)
    for tensor, outputs, inputs in facts.linear_shapes:
        if matched := _LAYER.match(tensor):
            short = tensor.split(".")[-2]
            part = "attention" if "attn" in tensor or "attention" in tensor else "mlp"
            groups[matched.group(1)].append(
                Matrix(short, outputs, inputs, "attention" if part == "attention" else "mlp")
            )
    layers = [_layer(tuple(matrices), facts.hidden_size) for matrices in groups.values()]
    shape = ModelShape(
        name=name,
        family=str(config.get("model_type")),
        hidden=facts.hidden_size,
        vocabulary=facts.vocabulary or 0,
        context=facts.context,
        tied=facts.tied_embeddings,
        layers=tuple((len(list(same)), layer) for layer, same in groupby(layers)),
        notes=(f"{config.get('model_type')} is counted from the headers of its weight files",),
    )
    return replace(shape, final_norm=max(0, facts.parameters - shape.parameters))


def _layer(matrices: tuple[Matrix, ...], hidden: int) -> Layer:
    queries = [one.outputs for one in matrices if one.name in ("q_proj", "query", "wq")]
    wide = [max(one.outputs, one.inputs) for one in matrices if one.part == "mlp"]
    return Layer(
        matrices=matrices,
        norms=0,  # with all else that is no linear layer, in the rest of the count
        normalised=2 * hidden,
        query_width=max(queries, default=hidden),
        mlp_width=max(wide, default=4 * hidden),
        gated=True,
    )
