"""The distance of the model in training from another, as a part of its loss."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evalsuite.models.head import Head, head_of, inner_of
from train.plan.tempering import distance_rows
from train.trl_bridge.distributions import Divergence, divergence, read
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
class Term:
    """What a distance adds to the loss."""

    weight: float
    """Of its mean over tokens."""
    chunk: int
    """Tokens whose whole distributions are in memory at once."""
    is_on: NDArray[np.bool_]
    """Which of the plan's rows it is taken on."""
    where: str = "train.tempering.kl"
    """What asks for it."""
    measure: Divergence = field(default_factory=Divergence)


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


class Frozen:
    """A second model, which learns nothing."""

    def __init__(self, model: Any) -> None:
        """Freeze a model that is nobody else's."""
        self.model = model.requires_grad_(False).eval()
        self.head = head_of(self.model, tuned=True)

    def hidden(self, inputs: Any, rows: Sequence[int], mask: Tensor) -> Tensor:
        """Read the batch with it."""
        return read(inner_of(self.model), inputs)[:, :-1][mask]


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

    def __init__(self, model: Any, base: Base, prepared: Prepared, term: Term) -> None:
        """`model` is what is trained; `base` what it is compared with."""
        self.model, self.base, self.prepared, self.term = model, base, prepared, term
        self._proved = False
        self._states: Tensor | None = None
        """Last hidden states of the forward pass."""
        self._log_probs: Tensor | None = None
        """What trl's fused head made of the first ones; shape (rows, tokens - 1)."""
        self.value = 0.0
        """Mean over the tokens of the step so far, in nats."""

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
        """Return a micro-batch's part of the mean of its step.

        Args:
            inputs: the collated micro-batch.
            step: of the schedule, from 0.
            number: of the micro-batch, from 0.
        """
        states, self._states = self._states, None
        assert states is not None
        schedule, planned = self.prepared.schedule, self.prepared.rows
        rows = list(schedule.micro_batches(step))[number]
        on = torch.tensor(self.term.is_on[rows], device=states.device)
        mask = (inputs["labels"][:, 1:] != IGNORED) & on[:, None]
        if number == 0:
            self.value = 0.0
        if not mask.any():
            return states.new_zeros((), dtype=torch.float32)
        tuned, hidden = head_of(self.model, tuned=True), states[:, :-1][mask]
        self._prove(tuned, hidden, inputs["labels"][:, 1:], mask)
        base_hidden = self.base.hidden(inputs, rows.tolist(), mask)
        batch = schedule.batch(step)
        tokens = int(planned.trained[batch][self.term.is_on[batch]].sum())
        chunk, measure = self.term.chunk, self.term.measure
        total = divergence(self.base.head, base_hidden, tuned, hidden, chunk, measure)
        mean = total / tokens
        self.value += float(mean.detach())
        return mean

    def _prove(self, tuned: Head, hidden: Tensor, labels: Tensor, mask: Tensor) -> None:
        """Compare with trl's log-probabilities: a model may do more to its logits than we know."""
        if self._proved:
            return
        found, self._log_probs = self._log_probs, None
        assert found is not None
        few = slice(0, self.term.chunk)
        with torch.no_grad():
            ours = tuned.log_probs(hidden[few]).gather(-1, labels[mask][few, None])[:, 0]
            far = float((ours - found[mask][few].float()).abs().max())
        is_exact = hidden.dtype == torch.float32 and not torch.is_autocast_enabled(
            hidden.device.type
        )
        if far > _TOLERANCE[torch.float32 if is_exact else torch.bfloat16]:
            raise ModelError(
                "the distance from another model cannot be computed for this one",
                where=self.term.where,
                cause=f"Log-probabilities from its hidden states differ by {far:.3g} from those of "
                "the loss: it does something to its logits that is not known here.",
                cure="Leave it out; replay and lower rates keep a model near its base too, and "
                "`method: sft` learns from the rows alone.",
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
        return Frozen(copy.deepcopy(model))
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
    section = request.prepared.plan.tempering["kl"]
    is_on = distance_rows(section["on"], request.prepared.rows)
    term = Term(float(section["weight"]), int(section["chunk"]), is_on)
    return Distance(model, base, request.prepared, term)


def _one_row(model: Any, prepared: Prepared) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    ids = prepared.rows[int(prepared.schedule.order[0])].sequences[0].input_ids.astype(np.int64)
    inputs = torch.tensor(ids[None], device=device)
    return {"input_ids": inputs, "attention_mask": torch.ones_like(inputs)}
