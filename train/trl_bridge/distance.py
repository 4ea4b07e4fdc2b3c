"""KL(base ‖ tuned), exact over the vocabulary, a chunk of tokens at a time.

trl's trainer never holds the logits of a batch, and neither does this: what is kept of a forward
pass are the last hidden states, and each chunk's distributions are made from them, in the backward
pass once more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from train.plan.tempering import distance_rows
from workspace.errors import ModelError

if TYPE_CHECKING:
    from train.plan import Prepared
    from train.trl_bridge.request import FitRequest

IGNORED = -100
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2}
"""By how much log-probabilities computed twice may differ, in nats."""


_BASE_TOLERANCE = 0.05
"""Part of the largest hidden state: rounding on bfloat16 and 4-bit bases stays below it."""


@dataclass(frozen=True)
class Head:
    """What makes logits of hidden states, as trl's fused head does it."""

    weight: Tensor
    """Shape (vocabulary, hidden)."""
    bias: Tensor | None
    scale: float
    softcap: float | None

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Return float32 log-probabilities of hidden states; shape (tokens, vocabulary)."""
        logits = functional.linear(hidden.to(self.weight.dtype), self.weight, self.bias)
        logits = logits.float() * self.scale
        if self.softcap is not None:
            logits = self.softcap * torch.tanh(logits / self.softcap)
        return logits.log_softmax(-1)


def forward_kl(base: Head, base_hidden: Tensor, tuned: Head, hidden: Tensor, chunk: int) -> Tensor:
    """Return the sum over tokens of KL(base ‖ tuned), in nats; the gradient is to `tuned`.

    Args:
        base: output of the base.
        base_hidden: its last hidden states at the tokens; shape (tokens, hidden).
        tuned: output of the model in training.
        hidden: its last hidden states; shape (tokens, hidden).
        chunk: tokens whose distributions are in memory at once.
    """
    total = hidden.new_zeros((), dtype=torch.float32)
    for place in range(0, len(hidden), chunk):
        few = slice(place, place + chunk)
        part = checkpoint(
            _chunk_kl, base, base_hidden[few], tuned, hidden[few],
            use_reentrant=False, preserve_rng_state=False,
        )  # fmt: skip
        total = total + part
    return total


def _chunk_kl(base: Head, base_hidden: Tensor, tuned: Head, hidden: Tensor) -> Tensor:
    with torch.no_grad():
        aims = base.log_probs(base_hidden)
    return functional.kl_div(tuned.log_probs(hidden), aims, reduction="sum", log_target=True)


class Base(Protocol):
    """Where the base's hidden states come from."""

    head: Head

    def hidden(self, inputs: Any, rows: Sequence[int], mask: Tensor) -> Tensor:
        """Return the base's last hidden states at the tokens that `mask` leaves.

        Args:
            inputs: a collated micro-batch.
            rows: the plan's numbers of its rows.
            mask: shape (rows, tokens - 1): which next tokens count.
        """
        ...


class AdapterOff:
    """The model itself without its adapter."""

    def __init__(self, model: Any) -> None:
        """`model` is a PEFT model."""
        self.model = model
        self.head = head_of(model, tuned=False)

    def hidden(self, inputs: Any, rows: Sequence[int], mask: Tensor) -> Tensor:
        """Read the batch once more."""
        with self.model.disable_adapter():
            return read(inner_of(self.model), inputs)[:, :-1][mask]


class FrozenCopy:
    """A second model, as it was before the first step."""

    def __init__(self, model: Any) -> None:
        """Copy a model that nothing was put on yet."""
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.head = head_of(self.model, tuned=False)

    def hidden(self, inputs: Any, rows: Sequence[int], mask: Tensor) -> Tensor:
        """Read the batch with it."""
        return read(self.model, inputs)[:, :-1][mask]


class ComputedAhead:
    """The hidden states of every row that counts, and a copy of the output matrix."""

    def __init__(self, model: Any, prepared: Prepared, on: str, micro_batch: int) -> None:
        """Read each row that counts with a model that nothing was put on yet."""
        self.head = copy.deepcopy(head_of(model, tuned=False))
        self._of: dict[int, Tensor] = {}
        is_on = distance_rows(on, prepared.rows)
        used = [row for row in np.unique(prepared.schedule.order).tolist() if is_on[row]]
        used.sort(key=lambda row: (-int(prepared.rows.tokens[row]), row))
        for place in range(0, len(used), micro_batch):
            self._keep(model, prepared, used[place : place + micro_batch])

    def _keep(self, model: Any, prepared: Prepared, rows: Sequence[int]) -> None:
        sequences = [prepared.rows[row].sequences[0] for row in rows]
        longest = max(one.tokens for one in sequences)
        ids = np.zeros((len(rows), longest), np.int64)
        attention = np.zeros_like(ids)
        for place, one in enumerate(sequences):
            ids[place, : one.tokens], attention[place, : one.tokens] = one.input_ids, 1
        device = next(model.parameters()).device
        inputs = {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": torch.tensor(attention, device=device),
        }
        found = read(model, inputs)
        for row, one, states in zip(rows, sequences, found, strict=True):
            mask = torch.tensor(one.loss_mask[1:], device=device)
            self._of[row] = states[: one.tokens - 1][mask].cpu()

    def hidden(self, inputs: Any, rows: Sequence[int], mask: Tensor) -> Tensor:
        """Look the rows up."""
        counted = mask.any(dim=1).tolist()
        states = [self._of[row] for row, one in zip(rows, counted, strict=True) if one]
        return torch.cat(states).to(mask.device)


class Distance:
    """The term that a run adds to its loss."""

    def __init__(self, model: Any, base: Base, prepared: Prepared) -> None:
        """`model` is what is trained; `base` what it is compared with."""
        section = prepared.plan.tempering["kl"]
        self.weight, self.chunk = float(section["weight"]), int(section["chunk"])
        self.model, self.base, self.prepared = model, base, prepared
        self._is_on = distance_rows(section["on"], prepared.rows)
        self._proved = False
        self._states: Tensor | None = None
        """Last hidden states of the forward pass."""
        self._log_probs: Tensor | None = None
        """What trl's fused head made of the first ones; shape (rows, tokens - 1)."""
        self.value = 0.0
        """Mean KL of the step so far, in nats a token."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what the forward pass that is made meanwhile computes."""

        def keep_states(module: Any, arguments: Any, output: Any) -> None:
            self._states = output.last_hidden_state

        def keep_log_probs(module: Any, arguments: Any, output: Any) -> None:
            self._log_probs = output.log_probs.detach()

        hooks = [inner_of(self.model).base_model.register_forward_hook(keep_states)]
        if not self._proved:
            hooks.append(self.model.register_forward_hook(keep_log_probs))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def of(self, inputs: Any, step: int, number: int) -> Tensor:
        """Return a micro-batch's part of the mean KL of its step.

        Args:
            inputs: the collated micro-batch.
            step: of the schedule, from 0.
            number: of the micro-batch, from 0.
        """
        states, self._states = self._states, None
        assert states is not None
        schedule, planned = self.prepared.schedule, self.prepared.rows
        rows = list(schedule.micro_batches(step))[number]
        on = torch.tensor(self._is_on[rows], device=states.device)
        mask = (inputs["labels"][:, 1:] != IGNORED) & on[:, None]
        if not mask.any():
            return states.new_zeros((), dtype=torch.float32)
        tuned, hidden = head_of(self.model, tuned=True), states[:, :-1][mask]
        self._prove(tuned, hidden, inputs["labels"][:, 1:], mask)
        base_hidden = self.base.hidden(inputs, rows.tolist(), mask)
        batch = schedule.batch(step)
        tokens = int(planned.trained[batch][self._is_on[batch]].sum())
        mean = forward_kl(self.base.head, base_hidden, tuned, hidden, self.chunk) / tokens
        self.value = (0.0 if number == 0 else self.value) + float(mean.detach())
        return mean

    def _prove(self, tuned: Head, hidden: Tensor, labels: Tensor, mask: Tensor) -> None:
        """Compare with trl's log-probabilities: a model may do more to its logits than we know."""
        if self._proved:
            return
        found, self._log_probs = self._log_probs, None
        assert found is not None
        few = slice(0, self.chunk)
        with torch.no_grad():
            ours = tuned.log_probs(hidden[few]).gather(-1, labels[mask][few, None])[:, 0]
            far = float((ours - found[mask][few].float()).abs().max())
        if far > _TOLERANCE.get(hidden.dtype, 0.2):
            raise ModelError(
                "the distance from the base cannot be computed for this model",
                where="train.tempering.kl",
                cause=f"Log-probabilities from its hidden states differ by {far:.3g} from those of "
                "the loss: it does something to its logits that is not known here.",
                cure="Leave kl out; replay and lower rates keep the model near its base too.",
            )
        self._proved = True


def base_before(model: Any, request: FitRequest) -> Base | Tensor | None:
    """Keep what is needed of the base before an adapter is put on it.

    Returns:
        None without a distance; where the adapter can be switched off, hidden states of the base
        on the first row that counts, to compare with; else the base as the plan decided.
    """
    plan = request.prepared.plan
    section = plan.tempering["kl"]
    if section is None:
        return None
    where = str(plan["kl_base"])
    request.note(f"distance from the base: {where} ({plan.settings['kl_base'].reason})")
    if where == "frozen copy":
        return FrozenCopy(model)
    if where == "computed ahead":
        micro_batch = int(plan["micro_batch_size"])
        return ComputedAhead(model, request.prepared, section["on"], micro_batch)
    return read(model, _one_row(model, request.prepared))


def distance_from(model: Any, base: Base | Tensor | None, request: FitRequest) -> Distance | None:
    """Return the term that the plan asks for, if it does.

    Args:
        model: with its adapter.
        base: of `base_before`.
        request: of the run.

    Raises:
        ModelError: switching the adapter off does not give the base back.
    """
    if base is None:
        return None
    if isinstance(base, Tensor):
        off = AdapterOff(model)
        inputs = _one_row(model, request.prepared)
        states = off.hidden(inputs, (), torch.ones_like(inputs["input_ids"][:, 1:]).bool())
        far = float((states.float() - base[0, :-1].float()).abs().max() / base.float().abs().max())
        if far > _BASE_TOLERANCE:
            raise ModelError(
                "this adapter does not give the base back when it is switched off",
                where="train.tempering.kl",
                cause=f"Hidden states differ by {far:.1%} of the largest.",
                cure="Use kind: lora or full, for which the base is kept, or leave kl out.",
            )
        base = off
    return Distance(model, base, request.prepared)


def _one_row(model: Any, prepared: Prepared) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    ids = prepared.rows[int(prepared.schedule.order[0])].sequences[0].input_ids.astype(np.int64)
    inputs = torch.tensor(ids[None], device=device)
    return {"input_ids": inputs, "attention_mask": torch.ones_like(inputs)}


def inner_of(model: Any) -> Any:
    """Return the language model within a PEFT model, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@torch.no_grad()
def read(model: Any, inputs: Any) -> Tensor:
    """Return a language model's last hidden states, without dropout; shape (rows, tokens, hidden).

    Nothing random is drawn, so that what is trained beside it does not change.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        out = model.base_model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
    finally:
        for module in training:
            module.training = True
    states: Tensor = out.last_hidden_state
    return states


def head_of(model: Any, *, tuned: bool) -> Head:
    """Return the output of a model, or, if not `tuned`, that of the base within it."""
    inner = inner_of(model)
    layer: Any = inner.get_output_embeddings()
    if not tuned:
        if hasattr(layer, "token_adapter"):
            layer = layer.token_adapter
        while hasattr(layer, "get_base_layer") or hasattr(layer, "original_module"):
            layer = layer.original_module if hasattr(layer, "original_module") else (
                layer.get_base_layer()
            )  # fmt: skip
    config = inner.config.get_text_config()
    weight, bias = layer.weight, getattr(layer, "bias", None)
    if not tuned:
        weight, bias = weight.detach(), None if bias is None else bias.detach()
    return Head(weight, bias, _scale(config), getattr(config, "final_logit_softcapping", None))


def _scale(config: Any) -> float:
    """Return what logits are multiplied with, by the names that models of transformers use."""
    for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
        if (scale := getattr(config, name, None)) is not None:
            return float(scale)
    if (scaling := getattr(config, "logits_scaling", None)) is None:
        return 1.0
    return float(scaling) if config.model_type == "hyperclovax" else 1 / float(scaling)
