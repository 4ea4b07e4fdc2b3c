"""How many weights are trained, from names and shapes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from train.adapter_sections import Adapter, FullAdapter, LoraAdapter, LowRank
from train.plan.facts import INPUT_EMBEDDINGS, ModelFacts
from train.plan.layers import is_saved, lora_layers, trained_names
from train.plan.tuner import tuner_parameters
from workspace.errors import ModelError
from workspace.problems import did_you_mean

_SHOWN = 6


def lora_parameters(adapter: LowRank, facts: ModelFacts, token_ids: Sequence[int]) -> int:
    """Return how many weights a low-rank adapter trains.

    r (inputs + outputs) for each layer, with DoRA `outputs` more; the whole of modules_to_save;
    a row of the embedding for each trainable token; the biases that `bias` names.

    Raises:
        ModelError: as `lora_layers`, or a module that cannot be trained whole.
    """
    layers = lora_layers(adapter, facts)
    total = sum(one.rank * (one.inputs + one.outputs) for one in layers)
    total += sum(one.outputs for one in layers) if adapter.dora else 0
    total += sum(prod(shape) for _, shape in _saved(adapter, facts))
    total += len(token_ids) * facts.hidden_size
    bias = adapter.bias if isinstance(adapter, LoraAdapter) else "none"
    adapted = {f"{one.name}.bias" for one in layers}
    for name, shape in facts.tensors:
        saved = is_saved(name, adapter.modules_to_save)
        wanted = name.endswith(".bias") and (bias == "all" or name in adapted)
        total += prod(shape) if bias != "none" and wanted and not saved else 0
    return total


def _saved(adapter: LowRank, facts: ModelFacts) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the weights of modules_to_save.

    Raises:
        ModelError: a module the model does not have, or one that cannot be trained whole.
    """
    linear = {name for name, _, _ in facts.linear_shapes}
    for module in adapter.modules_to_save:
        found = [
            (name, shape)
            for name, shape in facts.tensors
            if any(part.endswith(module) for part in _paths(name))
        ]
        where = "train.adapter.modules_to_save"
        if module == "lm_head" and not found and facts.tied_embeddings:
            found = [one for one in facts.tensors if one[0].endswith(INPUT_EMBEDDINGS)]
        if not found:
            names = sorted(
                {path.rsplit(".", 1)[-1] for n, _ in facts.tensors for path in _paths(n)}
            )
            raise ModelError(
                f"the model has no module {module!r}",
                where=where,
                cause=f"It has {', '.join(names[:_SHOWN])} …",
                cure=did_you_mean(module, names),
            )
        if facts.tied_embeddings and any(name.endswith(INPUT_EMBEDDINGS) for name, _ in found):
            raise ModelError(
                f"{module!r} cannot be trained whole in this model",
                where=where,
                cause="Embedding and output are one matrix, and a trained copy of either would "
                "part them.",
                cure="Name the tokens in trainable_tokens, or train with kind: full.",
            )
        if _is_quantised(adapter) and linear & {n for n, _ in found}:
            raise ModelError(
                f"{module!r} cannot be trained whole on a 4-bit base",
                where=where,
                cause="Its weights are 4-bit codes, which have no gradient.",
                cure="Give it a higher rank in rank_pattern, or use kind: lora.",
            )
    for name, shape in facts.tensors:
        if any(p.endswith(m) for p in _paths(name) for m in adapter.modules_to_save):
            yield name, shape


def _is_quantised(adapter: LowRank) -> bool:
    return not isinstance(adapter, LoraAdapter)


def _paths(name: str) -> list[str]:
    """Return the modules that a weight lies in.

    >>> _paths("model.norm.weight")
    ['model', 'model.norm']
    """
    parts = name.split(".")[:-1]
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def full_parameters(adapter: FullAdapter, facts: ModelFacts) -> int:
    """Return how many weights are trained without an adapter.

    Raises:
        ModelError: as `trained_names`.
    """
    names = [name for name, _ in facts.tensors]
    trained = trained_names(adapter, names, tied=facts.tied_embeddings)
    return sum(prod(shape) for name, shape in facts.tensors if name in trained)


def trainable(
    adapter: Adapter, facts: ModelFacts, token_ids: Sequence[int], steps: int | None = None
) -> int:
    """Return how many weights are trained.

    Args:
        adapter: of the recipe.
        facts: of the model.
        token_ids: rows of the embedding that are trained too.
        steps: of the run, where they are known.

    Raises:
        ModelError: a name, layer or pattern that the model does not have.
        UsageError: a tuner or option that peft does not have.
    """
    if isinstance(adapter, LowRank):
        return lora_parameters(adapter, facts, token_ids)
    if isinstance(adapter, FullAdapter):
        return full_parameters(adapter, facts)
    # Only AdaLoRA looks at the steps.
    known = steps is not None and adapter.tuner == "ADALORA"
    return tuner_parameters(adapter, facts.path, *([steps] if known and steps else []))
