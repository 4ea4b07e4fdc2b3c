"""Which weights of a model a recipe means, from their names and shapes alone.

The names are those of the safetensors headers; the rules are peft's own (0.21), so that they are
the weights of the model that will be built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from train.adapter_sections import FullAdapter, LayerChoice, Layers, LoraAdapter, LowRank, Parts
from train.plan.facts import INPUT_EMBEDDINGS, ModelFacts
from workspace.errors import ModelError
from workspace.problems import did_you_mean

_HEADS = ("lm_head.weight", "lm_head.bias", "embed_out.weight")
_NORM = re.compile(r"(^|[._])(ln(_[a-z0-9]+)?|[a-z0-9_]*norm[a-z0-9_]*)\.(weight|bias)$")
_SHOWN = 6


@dataclass(frozen=True)
class Adapted:
    """A linear layer that gets an adapter."""

    name: str
    """Of the module."""
    outputs: int
    inputs: int
    rank: int


def layer_of(name: str) -> int | None:
    """Return the number of the layer that a weight or module belongs to, None outside of them.

    >>> layer_of("model.layers.11.mlp.experts.3.up_proj")
    11
    """
    found = re.match(r".*?\.[^.]*\.(\d+)\.", f".{name}")
    return int(found.group(1)) if found else None


def chosen_layers(choice: LayerChoice, names: Iterable[str], *, where: str) -> list[int]:
    """Return the numbers that `first`, `last` or a list mean for a model with these weights.

    Raises:
        ModelError: the model has no such layer.
    """
    layers = sorted({layer for name in names if (layer := layer_of(name)) is not None})
    count = len(layers)
    if isinstance(choice, Layers):
        wanted, most = max(choice.first, choice.last), count
        found = sorted({*layers[: choice.first], *layers[count - choice.last :]})
    else:
        wanted, most = max(choice), max(layers, default=-1)
        found = sorted(set(choice))
    if wanted > most or not set(found) <= set(layers):
        raise ModelError(
            "the model has no such layer",
            where=where,
            cause=f"Found {wanted}; it has {count} layers, numbered from 0.",
            cure="Name layers that it has.",
        )
    return found


def lora_layers(adapter: LowRank, facts: ModelFacts) -> list[Adapted]:
    """Return every layer that the adapter is put on, with its rank.

    Raises:
        ModelError: a name, layer or pattern that fits no layer of the model, or a rank that is
            larger than a layer.
    """
    modules = [(name[: -len(".weight")], out, into) for name, out, into in facts.linear_shapes]
    names = [name for name, _, _ in modules]
    for key in ("targets", "exclude"):
        given = getattr(adapter, key)
        for one in [] if isinstance(given, str) else given:
            _known(one, names, [n for n in names if is_named(n, [one])], where=key)
    layers = None
    if adapter.layers is not None:
        layers = chosen_layers(adapter.layers, names, where="train.adapter.layers")
    found = []
    for name, outputs, inputs in modules:
        if isinstance(adapter.targets, list) and not is_named(name, adapter.targets):
            continue
        if is_named(name, adapter.exclude) or is_saved(name, adapter.modules_to_save):
            continue
        if layers is not None and layer_of(name) not in layers:
            continue
        rank = _by_pattern(name, adapter.rank_pattern) or adapter.r
        found.append(Adapted(name, outputs, inputs, rank))
    if not found:
        raise ModelError(
            "no layer gets an adapter",
            where="train.adapter",
            cause="Targets, exclude, layers and modules_to_save leave none of the model's.",
            cure="Leave one of them out.",
        )
    _check_patterns(adapter, found)
    return found


def _check_patterns(adapter: LowRank, found: Sequence[Adapted]) -> None:
    names = [one.name for one in found]
    for key in ("rank_pattern", "alpha_pattern"):
        for pattern in getattr(adapter, key):
            fitting = [name for name in names if _by_pattern(name, {pattern: 1})]
            _known(pattern, names, fitting, where=key)
    if not isinstance(adapter, LoraAdapter) or not adapter.splits_weights:
        return
    for one in found:
        if one.rank > min(one.outputs, one.inputs):
            raise ModelError(
                f"init: {adapter.init} cannot have rank {one.rank} here",
                where="train.adapter.r",
                cause=f"{one.name} is {one.outputs:,} × {one.inputs:,}: it has only "
                f"{min(one.outputs, one.inputs):,} directions.",
                cure="Lower r, or give this layer another in rank_pattern.",
            )


def is_named(name: str, ends: Iterable[str]) -> bool:
    """Whether a module is one of those that peft means by these names: the end of its path."""
    return any(name == end or name.endswith(f".{end}") for end in ends)


def is_saved(name: str, modules_to_save: Iterable[str]) -> bool:
    """Whether a module lies within one that is trained whole."""
    return any(re.match(rf"(^|.*\.){module}($|\..*)", name) for module in modules_to_save)


def _by_pattern(name: str, patterns: dict[str, int]) -> int | None:
    return next((n for key, n in patterns.items() if re.match(rf"(.*\.)?({key})$", name)), None)


def _known(one: str, names: Sequence[str], fitting: Sequence[str], *, where: str) -> None:
    if fitting:
        return
    short = sorted({name.rsplit(".", 1)[-1] for name in names})
    raise ModelError(
        f"no linear layer of the model is called {one!r}",
        where=f"train.adapter.{where}",
        cause=f"It has {', '.join(short[:_SHOWN])}{' …' if len(short) > _SHOWN else ''}.",
        cure=did_you_mean(one, short) or "Name layers that it has.",
    )


def trained_names(adapter: FullAdapter, names: Sequence[str], *, tied: bool) -> set[str]:
    """Return the weights that are trained where there is no adapter.

    Args:
        adapter: what is frozen, or alone trained.
        names: of all weights.
        tied: whether the output matrix is the embedding.

    Raises:
        ModelError: a pattern that fits nothing, or nothing is left to train.
    """
    everything = set(names)
    if adapter.only is not None:
        trained = _parts(adapter.only, names, tied=tied, where="train.adapter.only")
    elif adapter.freeze is not None:
        trained = everything - _parts(
            adapter.freeze, names, tied=tied, where="train.adapter.freeze"
        )
    else:
        trained = everything
    if not trained:
        raise ModelError(
            "nothing is left to train",
            where="train.adapter.freeze",
            cause=f"All {len(everything):,} weights of the model are frozen.",
        )
    return trained


def _parts(parts: Parts, names: Sequence[str], *, tied: bool, where: str) -> set[str]:
    found: set[str] = set()
    if parts.layers is not None:
        layers = chosen_layers(parts.layers, names, where=f"{where}.layers")
        found |= {name for name in names if layer_of(name) in layers}
    for one in parts.names:
        fitting = {name for name in names if _fits(name, one)}
        if not fitting:
            raise ModelError(
                f"no weight of the model is meant by {one!r}",
                where=where,
                cause="Its output matrix is the embedding: name `embeddings`."
                if one == "head" and tied
                else f"Its weights are called like {names[len(names) // 2]}.",
                cure=did_you_mean(one, ["embeddings", "norms", "head"])
                or "A pattern has to fit the whole name: `*.mlp.*`.",
            )
        found |= fitting
    return found


def _fits(name: str, one: str) -> bool:
    if one == "embeddings":
        return name.endswith((*INPUT_EMBEDDINGS, "wpe.weight"))
    if one == "norms":
        return _NORM.search(name) is not None
    if one == "head":
        return name.endswith(_HEADS)
    return fnmatchcase(name, one)
