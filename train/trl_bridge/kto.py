"""trl's KTOTrainer on the plan's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from train.plan import Prepared
from train.plan.schedule import Schedule
from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.planned import Given, Planned, Seen, token_spans

if TYPE_CHECKING:
    from train.rows import TokenRow, TokenRows


class PlannedKto(Planned, KTOTrainer):
    """Good answers up and bad ones down, near what the model was.

    How far the model has drifted is seen on mismatched answers: each prompt of a micro-batch with
    the answer to the one before it (the first with that to the last), as planned, so that a
    resumed run sees the same. What the model was is the base without its adapter; where all
    weights are trained, its likelihoods are computed before the first step.
    """

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        request = given.request
        plan = request.prepared.plan
        method = plan.method
        arguments = KTOConfig(
            **shared_arguments(request),
            beta=method["beta"],
            loss_type=method["loss"],
            desirable_weight=method["desirable_weight"],
            undesirable_weight=method["undesirable_weight"],
            disable_dropout=True,
            precompute_ref_log_probs=given.adapter is None,
        )
        rows = _dataset(request.prepared, mismatched=method["loss"] == "kto")
        # A long prompt with another's long answer is cut; planned rows are within the limit.
        collator = DataCollatorForUnpairedPreference(
            pad_token_id=request.pad_id, max_length=plan["max_length"]
        )
        return cls._made(given, arguments, rows, data_collator=collator)

    def _prepare_dataset(self, dataset: Any, *rest: Any, **options: Any) -> Any:
        """Leave the rows as planned: they are tokenised, and their mismatched answers chosen."""
        return dataset

    def seen(self, inputs: Any) -> list[Seen]:
        """Return what a collated batch trains on."""
        return _seen(inputs, "")

    def seen_targets(self, inputs: Any) -> NDArray[Any]:
        """Return the labels."""
        return np.asarray(inputs["label"].cpu().numpy(), dtype=np.float64)

    def _prove_batch(self, inputs: Any, step: int, number: int) -> None:
        super()._prove_batch(inputs, step, number)
        prepared = self.request.prepared
        if prepared.plan.method["loss"] != "kto":
            return
        schedule, size = prepared.schedule, prepared.schedule.micro_batch_size
        first = int(schedule.offsets[step]) + number * size
        seen = _seen(inputs, "KL_")
        places = range(first, first + len(seen))
        others = mismatched_places(schedule)
        limit = prepared.plan["max_length"]
        equal = all(
            _is_mismatch(
                found,
                prepared.rows[int(schedule.order[place])],
                prepared.rows[int(schedule.order[others[place]])],
                limit,
            )
            for found, place in zip(seen, places, strict=True)
        )
        self._demand_planned(equal, step, number)


def mismatched_places(schedule: Schedule) -> NDArray[np.int64]:
    """Return, for each place of the order, that of the row whose answer its prompt is read with.

    The row before it in its micro-batch; the last one for the first (Ethayarajh et al. 2024,
    section 4.1). A row alone in the last micro-batch takes the answer of the row before it.
    """
    out = np.arange(len(schedule.order), dtype=np.int64) - 1
    for begin, end in zip(schedule.offsets[:-1], schedule.offsets[1:], strict=True):
        for start in range(int(begin), int(end), schedule.micro_batch_size):
            last = min(start + schedule.micro_batch_size, int(end)) - 1
            out[start] = last if last > start else max(start - 1, 0)
    return out


def _dataset(prepared: Prepared, *, mismatched: bool) -> Dataset:
    rows = pa.concat_tables([pa.table(_columns(part)) for part in prepared.rows.parts])
    table = rows.take(pa.array(prepared.schedule.order))
    if mismatched:
        others = table["completion_ids"].take(pa.array(mismatched_places(prepared.schedule)))
        table = table.append_column("KL_completion_ids", others)
    return Dataset(table)


def _columns(part: TokenRows) -> dict[str, pa.Array]:
    starts, ends = part.offsets[:-1], part.offsets[1:]
    trained = np.concatenate(([0], np.cumsum(part.mask, dtype=np.int64)))
    answers = ends - (trained[ends] - trained[starts])  # where each answer begins: it is a suffix
    return {
        "prompt_ids": token_spans(part, starts, answers),
        "completion_ids": token_spans(part, answers, ends),
        "label": pa.array(part.targets == 1.0),
    }


def _seen(inputs: Any, prefix: str) -> list[Seen]:
    names = ("input_ids", "completion_mask", "attention_mask")
    ids, masks, attention = (inputs[f"{prefix}{name}"].cpu().numpy() for name in names)
    return [
        Seen(one, mask.astype(bool), int(read.sum()))
        for one, mask, read in zip(ids, masks, attention, strict=True)
    ]


def _is_mismatch(found: Seen, row: TokenRow, other: TokenRow, limit: int) -> bool:
    prompt = row.input_ids[~row.loss_mask]
    answer = other.input_ids[other.loss_mask][: limit - len(prompt)]
    wanted = np.concatenate([prompt, answer])
    return (
        found.attended == len(wanted)
        and np.array_equal(found.input_ids[: len(wanted)], wanted)
        and int(found.loss_mask.sum()) == len(answer)
        and bool(found.loss_mask[len(prompt) : len(wanted)].all())
    )
