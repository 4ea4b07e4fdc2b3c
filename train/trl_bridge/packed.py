"""Rows that share a sequence, as tensors; and the proof that they stay apart.

Positions begin anew with each row and there is no attention mask: from that, transformers makes a
block-diagonal mask (sdpa, eager), and flash attention reads the boundaries that go with one long
sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from train.plan import Prepared
from train.rows import TokenRow
from train.trl_bridge.request import FitRequest, arithmetic_of
from workspace.errors import LimitExceeded

_IGNORED = -100
_TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-2}
"""Largest mean difference of log-probabilities, in nats: reading a neighbour changes whole nats."""
_TRIED = 64
"""Tokens of each row that the proof reads."""


def is_joined(prepared: Prepared) -> bool:
    """Whether rows share sequences."""
    return prepared.schedule.packs is not None or _is_flat(prepared)


def _is_flat(prepared: Prepared) -> bool:
    return bool(prepared.plan.levers["padding_free"].value == "on")


class PackedRows(Dataset):  # type: ignore[misc]
    """The planned sequences in their order, made when they are asked for.

    A dataset of numbers to trl and transformers; an item has input_ids, labels and seq_lengths.
    """

    def __init__(self, prepared: Prepared) -> None:
        import pyarrow as pa

        self._prepared = prepared
        count = len(prepared.schedule.sequence_offsets) - 1
        super().__init__(pa.table({"input_ids": pa.array(range(count), pa.int64())}))

    def __getitem__(self, number: Any) -> Any:
        return self._sequence(int(number))

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return several sequences, as torch's loader asks for them."""
        return [self._sequence(int(number)) for number in numbers]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._sequence(number) for number in range(len(self)))

    def _sequence(self, number: int) -> dict[str, Any]:
        schedule, rows = self._prepared.schedule, self._prepared.rows
        begin, end = schedule.sequence_offsets[number : number + 2]
        return as_item([rows[index] for index in schedule.order[begin:end].tolist()])


def as_item(rows: Sequence[TokenRow]) -> dict[str, Any]:
    """Return rows as one sequence, as trl's collator takes it."""
    ids = np.concatenate([row.input_ids for row in rows]).astype(np.int64)
    mask = np.concatenate([row.loss_mask for row in rows])
    return {
        "input_ids": ids,
        "labels": np.where(mask, ids, _IGNORED),
        "seq_lengths": [row.tokens for row in rows],
    }


@dataclass
class PackedCollator:
    """Sequences below each other, padded at their ends. A padding token is alone in its mask."""

    pad_id: int

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return input_ids, labels and position_ids, each of shape (sequences, longest)."""
        longest = max(len(one["input_ids"]) for one in items)
        ids = np.full((len(items), longest), self.pad_id, dtype=np.int64)
        labels = np.full_like(ids, _IGNORED)
        positions = np.zeros_like(ids)
        for place, one in enumerate(items):
            own = positions_of(one["seq_lengths"])
            ids[place, : len(own)] = one["input_ids"]
            # the first token of a row is not predicted from the row before it
            labels[place, : len(own)] = np.where(own == 0, _IGNORED, one["labels"])
            positions[place, : len(own)] = own
        tensors = {"input_ids": ids, "labels": labels, "position_ids": positions}
        return {name: torch.from_numpy(value) for name, value in tensors.items()}


def positions_of(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Return the place of each token in its row.

    >>> positions_of([2, 3]).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.concatenate([np.arange(length, dtype=np.int64) for length in lengths])


def collator_of(request: FitRequest) -> Any:
    """Return what makes tensors of a micro-batch's items."""
    if _is_flat(request.prepared):
        return DataCollatorForLanguageModeling(pad_token_id=request.pad_id, padding_free=True)
    if request.prepared.schedule.packs is not None:
        return PackedCollator(request.pad_id)
    return DataCollatorForLanguageModeling(pad_token_id=request.pad_id)


def is_planned(inputs: Any, prepared: Prepared, step: int, number: int) -> bool:
    """Whether a micro-batch is the planned one: each row whole, at its place, with its mask and
    with positions that keep it apart.

    Args:
        inputs: the collated micro-batch.
        prepared: the plan.
        step: from 0.
        number: of the micro-batch in it, from 0.
    """
    schedule, rows = prepared.schedule, prepared.rows
    size = schedule.micro_batch_size
    planned = [
        [rows[index] for index in one.tolist()]
        for one in schedule.sequences(step)[number * size : (number + 1) * size]
    ]
    if _is_flat(prepared):
        planned = [[row for one in planned for row in one]]
        ends = np.cumsum([0, *(row.tokens for row in planned[0])])
        boundaries = (inputs["cu_seq_lens_q"], inputs["cu_seq_lens_k"])
        if not all(np.array_equal(one.cpu().numpy(), ends) for one in boundaries):
            return False
    names = ("input_ids", "labels", "position_ids")
    ids, labels, positions = (inputs[name].cpu().numpy() for name in names)
    return (
        "attention_mask" not in inputs
        and len(ids) == len(planned)
        and all(
            _is_sequence(ids[place], labels[place], positions[place], one)
            for place, one in enumerate(planned)
        )
    )


def _is_sequence(
    ids: NDArray[Any], labels: NDArray[Any], positions: NDArray[Any], rows: Sequence[TokenRow]
) -> bool:
    wanted = as_item(rows)
    places = positions_of(wanted["seq_lengths"])
    end = len(places)
    learnt = np.where(places == 0, _IGNORED, wanted["labels"])
    return bool(
        np.array_equal(ids[:end], wanted["input_ids"])
        and np.array_equal(labels[:end], learnt)
        and np.array_equal(positions[:end], places)
        and (labels[end:] == _IGNORED).all()
        and (positions[end:] == 0).all()
    )


def prove_apart(trainer: Any, request: FitRequest) -> float:
    """Check on the loaded model that a row computes the same behind another as alone.

    What keeps rows apart is spread over three libraries and a kernel; a model whose layers carry
    something on, or a version that misses the boundaries, would learn from mixed rows in silence.
    No random number is drawn.

    Returns:
        The mean difference of the second row's log-probabilities, in nats.

    Raises:
        LimitExceeded: the rows read each other.
    """
    model = trainer.model
    first, second = _pair(request.prepared)
    together, alone = _tensors([first, second], request), _tensors([second], request)
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad(), arithmetic_of(request):
            joined = _log_probs(model, together, device)[len(first) :]
            single = _log_probs(model, alone, device)
    finally:
        model.train(was_training)
    difference = float((joined - single).abs().mean())
    if not difference <= _TOLERANCES[request.precision]:
        raise LimitExceeded(
            "rows that share a sequence read each other",
            where="train.packing",
            cause=f"Behind another row, a row's log-probabilities differ by {difference:.3g} nats "
            f"a token from its own; at most {_TOLERANCES[request.precision]:g} is rounding.",
            cure="Use packing: off and padding_free: off with this model.",
        )
    return difference


def _pair(prepared: Prepared) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the beginnings of the first two planned rows."""
    order = prepared.schedule.order
    first, second = (prepared.rows[int(order[place])] for place in (0, min(1, len(order) - 1)))
    return first.input_ids[:_TRIED], second.input_ids[:_TRIED]


def _tensors(rows: Sequence[NDArray[Any]], request: FitRequest) -> dict[str, Any]:
    ids = np.concatenate(rows).astype(np.int64)
    item = {"input_ids": ids, "labels": ids, "seq_lengths": [len(one) for one in rows]}
    return {**collator_of(request)([item]), "use_cache": False}


def _log_probs(model: Any, inputs: dict[str, Any], device: torch.device) -> torch.Tensor:
    ids = inputs["input_ids"].to(device)
    given = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in inputs.items()
        if name != "labels"
    }
    logits = model(**given).logits[0].float()
    following = torch.roll(ids[0], -1)[:, None]
    return torch.log_softmax(logits, dim=-1).gather(1, following)[:, 0][: len(ids[0]) - 1]
