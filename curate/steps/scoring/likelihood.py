"""Log-likelihoods of marked tokens, in batches. Imports torch: import it late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from curate.steps.scoring.chats import Passage
from evalsuite.engine.forward import (
    Engine,
    pad_right,
    positions_of,
    token_logprobs,
)
from evalsuite.engine.passes import NUMBERS, TOKENS, batches, in_halves
from evalsuite.models import load


def open_engine(path: Path, dtype: str, pad_id: int | None) -> Engine:
    """Load a causal language model onto this machine's device.

    Raises:
        ModelError: it cannot be loaded.
    """
    placement = load.choose_placement(dtype)
    model = load.load_model(path, dtype=placement.dtype, device=placement.device)
    if placement.device == "cpu":
        torch.set_num_threads(load.choose_threads(model.num_parameters())[0])
    return Engine(model, pad_id or 0)


def surprises(
    engine: Engine, passages: Sequence[Passage]
) -> Iterator[tuple[list[int], list[float | None]]]:
    """Yield batches of places and summed negative log-likelihoods (nats) of the counted tokens.

    Log-softmax is taken in float32 whatever the weights are. None: memory does not suffice for
    this row alone.
    """
    vocabulary = int(engine.model.config.get_text_config().vocab_size)

    def fits(rows: int, longest: int) -> bool:
        return rows * longest <= TOKENS and rows * longest * vocabulary <= NUMBERS

    for places in batches([len(one.ids) for one in passages], fits):
        yield from in_halves(places, lambda some: _sums(engine, [passages[i] for i in some]))


@torch.inference_mode()
def _sums(engine: Engine, passages: Sequence[Passage]) -> list[float]:
    """Return −Σ ln p of the counted tokens of each passage.

    Rows stand at the left end: a causal model sees nothing of the padding behind a row, so none
    is masked and attention takes its fastest path. Logits of the positions before the first
    counted token are not computed.
    """
    ids, _ = pad_right([one.ids for one in passages], engine.pad_id, engine.device)
    counted, _ = pad_right([[int(x) for x in one.counted] for one in passages], 0, engine.device)
    mask = torch.ones_like(ids)
    keep = ids.shape[1] - min(one.first for one in passages) + 1
    logits = engine.logits(ids, mask, positions_of(mask), None, keep=keep)
    found = token_logprobs(logits[:, :-1], ids[:, 1 - keep :]).double()
    counts = counted[:, 1 - keep :].bool()
    return [-float(value) for value in found.where(counts, 0.0).sum(dim=1)]
