"""What the recipe's tempering comes to: where the base is from, rates by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from train.plan import reinforcement
from train.plan.facts import ModelFacts
from train.plan.layers import layer_of
from train.plan.schedule import Schedule
from train.plan.settings import Decided
from train.recipe import TrainSection
from train.rows import JoinedRows
from workspace.errors import ModelError

_BYTES = 4
"""Of a weight or activation; with half of that the comparison is the same."""


def decided(
    section: TrainSection, facts: ModelFacts, rows: JoinedRows, schedule: Schedule
) -> dict[str, Decided]:
    """Return the settings that follow from the recipe's `tempering`.

    Raises:
        ModelError: rates by layer for a model whose weights name no layers.
    """
    out = {}
    if section.tempering.kl is not None:
        out["kl_base"] = _kl_base(section, facts, rows, schedule)
    if section.tempering.layer_rates is not None:
        out["layer_rates"] = _layer_rates(section.tempering.layer_rates.decay, facts)
    return out


def probe_every(section: TrainSection, steps: int, checkpoint_every: Decided) -> dict[str, Decided]:
    """Return the steps between two probes, if the recipe asks for any."""
    probe = section.tempering.probe
    if probe is None:
        return {}
    every, why = int(checkpoint_every.value), "as often as a checkpoint"
    if probe.every is not None:
        every, why = probe.every, "recipe"
    method = reinforcement.rewarded(section)
    rest = every % method.iterations if method else 0
    if method and rest:  # completions are not saved, and a probe is a checkpoint
        every += method.iterations - rest
        why += f"; a multiple of {method.iterations} iterations"
    count = len({*range(every, steps + 1, every), steps})
    times = f"{count} times" if count > 1 else "once"
    return {"probe_every": Decided(every, f"{why}; asked {times}, the last step included")}


def distance_rows(on: str, rows: JoinedRows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which rows the distance from the base is taken on; shape (rows,)."""
    return rows.replayed if on == "replay" else np.ones(len(rows), np.bool_)


def _kl_base(
    section: TrainSection, facts: ModelFacts, rows: JoinedRows, schedule: Schedule
) -> Decided:
    """Return where the base's distributions come from: whichever takes less memory."""
    assert section.tempering.kl is not None
    adapter = section.adapter
    if adapter.kind != "full" and not adapter.changes_base:
        return Decided("adapter off", "the base is the model without its adapter: no memory")
    is_on = distance_rows(section.tempering.kl.on, rows)
    used = np.unique(schedule.order)
    tokens = int(rows.trained[used][is_on[used]].sum())
    head = (facts.vocabulary or 0) * facts.hidden_size * _BYTES
    ahead = tokens * facts.hidden_size * _BYTES + head
    copy = facts.parameters * _BYTES
    sums = (
        f"last hidden states of {tokens:,} tokens and the output matrix take {ahead / 1e6:,.1f} "
        f"MB, a frozen copy {copy / 1e6:,.1f} MB"
    )
    return Decided("computed ahead" if ahead <= copy else "frozen copy", sums)


def layer_factors(decay: float, layers: int) -> list[float]:
    """Return each depth's part of the learning rate: the embedding, the layers, the head.

    >>> layer_factors(0.5, 2)
    [0.125, 0.25, 0.5, 1.0]
    """
    return [decay ** (layers + 1 - depth) for depth in range(layers + 2)]


def depth_of(name: str, layers: int) -> int:
    """Return the depth of a weight: 0 for the embedding, then the layers, then the head.

    >>> depth_of("model.embed_tokens.weight", 2), depth_of("model.layers.1.mlp.up_proj.weight", 2)
    (0, 2)
    >>> depth_of("model.norm.weight", 2), depth_of("lm_head.weight", 2)
    (3, 3)
    """
    layer = layer_of(name)
    if layer is not None:
        return layer + 1
    return 0 if any(part in name for part in _EMBEDDINGS) else layers + 1


_EMBEDDINGS = ("embed", "wte.", "wpe.")


def count_layers(names: Sequence[str]) -> int:
    """Return how many layers weights of these names are in."""
    return 1 + max((layer for name in names if (layer := layer_of(name)) is not None), default=-1)


def _layer_rates(decay: float, facts: ModelFacts) -> Decided:
    layers = count_layers([name for name, _ in facts.tensors])
    if not layers:
        raise ModelError(
            "this model's weights name no layers",
            where="train.tempering.layer_rates",
            cause=f"They are called like {facts.tensors[0][0]}.",
            cure="Leave layer_rates out.",
        )
    factors = layer_factors(decay, layers)
    shown = f"embedding ×{factors[0]:.3g}, layers ×{factors[1]:.3g} to ×{factors[-2]:.3g}, head ×1"
    return Decided(shown, f"decay {decay:g} over {layers} layers")
