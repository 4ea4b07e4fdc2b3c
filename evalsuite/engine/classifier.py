"""A reward model that is asked in batches. Imports torch: import it late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from evalsuite.engine.forward import pad_right
from evalsuite.engine.passes import TOKENS, batches, in_halves
from evalsuite.models import load


@dataclass(frozen=True)
class Classifier:
    """A sequence classification model with one label."""

    model: PreTrainedModel
    pad_id: int | None
    """What fills short rows; None: rows are read one by one."""

    @classmethod
    def load(cls, path: Path, dtype: str, pad_id: int | None) -> Classifier:
        """Load it onto this machine's device.

        Raises:
            ModelError: it cannot be loaded, or is no reward model.
        """
        placement = load.choose_placement(dtype)
        model = load.load_reward_model(path, dtype=placement.dtype, device=placement.device)
        if placement.device == "cpu":
            torch.set_num_threads(load.choose_threads(model.num_parameters())[0])
        config = model.config.get_text_config()
        if config.pad_token_id is None:
            # Decoders look for the last token that is no padding by this number.
            config.pad_token_id = pad_id
            model.config.pad_token_id = pad_id
        return cls(model, config.pad_token_id)

    def rewards(
        self, chats: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], list[float | None]]]:
        """Yield batches of places and rewards; None: memory does not suffice for it alone."""

        def fits(rows: int, longest: int) -> bool:
            return self.pad_id is not None and rows * longest <= TOKENS

        for places in batches([len(ids) for ids in chats], fits):
            yield from in_halves(places, lambda some: self._rewards([chats[i] for i in some]))

    @torch.inference_mode()
    def _rewards(self, chats: Sequence[Sequence[int]]) -> list[float]:
        ids, mask = pad_right(chats, self.pad_id or 0, self.model.device)
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        return [float(value) for value in logits[:, 0].float()]
