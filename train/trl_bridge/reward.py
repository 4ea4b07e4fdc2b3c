"""trl's RewardTrainer on the plan's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.planned import Given, Planned, Seen, dataset_of, token_spans

if TYPE_CHECKING:
    from train.rows import TokenRows


class PlannedReward(Planned, RewardTrainer):
    """The chosen chat's number over the rejected one's."""

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        request, tokenizer = given.request, given.tokenizer
        plan = request.prepared.plan
        # trl copies it to the model's config, by which the last token of a chat is found.
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(request.pad_id)
        arguments = RewardConfig(
            **shared_arguments(request),
            center_rewards_coefficient=plan.method["center"],
            disable_dropout=not plan.adapter.get("dropout"),
        )
        margins = plan.method["margins"]
        rows = dataset_of(request.prepared, lambda part: _columns(part, margins))
        collator = DataCollatorForPreference(pad_token_id=request.pad_id)
        return cls._made(given, arguments, rows, data_collator=collator)

    def seen(self, inputs: Any) -> list[Seen]:
        """Return what a collated batch reads, and at which token the model takes its number."""
        model: Any = self.model
        pad = model.config.get_text_config().pad_token_id
        ids, attention = inputs["input_ids"].cpu().numpy(), inputs["attention_mask"].cpu().numpy()
        return [
            Seen(one, _last_but(one, pad), int(read.sum()))
            for one, read in zip(ids, attention, strict=True)
        ]

    def seen_targets(self, inputs: Any) -> Any:
        """Return the margins that the loss takes, if any."""
        return inputs["margin"].cpu().numpy() if "margin" in inputs else None


def _last_but(ids: Any, pad: int) -> Any:
    """Mark the last token that is not `pad`, as transformers finds it."""
    mask = np.zeros(len(ids), dtype=np.bool_)
    mask[int(np.flatnonzero(ids != pad)[-1])] = True
    return mask


def _columns(part: TokenRows, margins: bool) -> dict[str, pa.Array]:
    starts = part.offsets[:-1].reshape(-1, 2)
    ends = part.offsets[1:].reshape(-1, 2)
    columns: dict[str, pa.Array] = {
        "chosen_ids": token_spans(part, starts[:, 0], ends[:, 0]),
        "rejected_ids": token_spans(part, starts[:, 1], ends[:, 1]),
    }
    if margins and len(part) and not np.isnan(part.targets).any():
        columns["margin"] = pa.array(part.targets)
    return columns
