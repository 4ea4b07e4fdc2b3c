"""One teacher-forced reading of rows: likelihoods, what greedy decoding would write, drift.

Logits of 150,000 tokens at every position of a batch are never held: what is kept of a forward pass
are the last hidden states where something is predicted, and distributions are made of them a few
positions at a time. The base's states are kept, so that any number of tuned models, also such as do
not share its weights, are compared with it over the whole vocabulary. Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evalsuite.engine.forward import Engine, is_out_of_memory, pad_right, positions_of
from evalsuite.models.head import Head, head_of
from evalsuite.overfitting.rows import SweepRow
from workspace.errors import EvaluationInvalid, ModelError

LOGIT_NUMBERS = 2**25
"""Positions times vocabulary of which distributions are in memory at once: 128 MB in float32."""
STATE_BYTES = 2**32
"""Memory of the base's hidden states; where rows need more, drift is that of some of them."""
TOLERANCE = {"float32": 1e-3, "float16": 0.1, "bfloat16": 0.5}
"""Largest difference of a log-probability made of hidden states from the model's own. Half
precision rounds one matrix product in two ways; what is not known here differs by whole nats."""


@dataclass(frozen=True)
class Reading:
    """What one model makes of one row; arrays have the length of `SweepRow.learnt`."""

    logprobs: NDArray[np.float64]
    """Natural-log likelihood of each token that carries loss."""
    greedy: NDArray[np.bool_]
    """Whether it is the most likely one."""


@dataclass(frozen=True)
class Shift:
    """How far a tuned model's distributions have moved from the base's on one row, in nats."""

    kl: float
    """KL(tuned‖base), mean over positions."""
    reverse_kl: float
    """KL(base‖tuned)."""
    same_top: float
    """Share of positions with the same most likely token."""


@dataclass(frozen=True)
class _Output:
    """What makes distributions of a model's last hidden states."""

    log_probs: Callable[[Tensor], Tensor]
    """Hidden states (positions, hidden) → float32 (positions, vocabulary)."""
    at_once: int
    """Positions whose distributions are in memory together."""

    @classmethod
    def of_base(cls, head: Head) -> _Output:
        """Return that of the base, which stays when its model goes."""
        return cls(head.log_probs, max(1, LOGIT_NUMBERS // len(head.weight)))

    @classmethod
    def of(cls, engine: Engine) -> _Output:
        """Return that of the model as it is now, with an adapter on its output matrix if any."""
        model: Any = engine.model
        layer = model.get_output_embeddings()
        head = head_of(engine.model, tuned=True)
        return cls(
            lambda states: head.finished(layer(states)).log_softmax(-1),
            max(1, LOGIT_NUMBERS // len(head.weight)),
        )

    def check(self, state: Tensor, own: Tensor, dtype: str) -> None:
        """Compare with the model's own log-probabilities at one position, shape (1, vocabulary).

        Raises:
            ModelError: it does something to its logits that is not known here.
        """
        ours = self.log_probs(state)
        far = float((ours - own).abs().max()) if ours.shape == own.shape else float("inf")
        if not far <= TOLERANCE[dtype]:
            raise ModelError(
                "this model's distributions cannot be computed from its hidden states",
                cause=f"Log-probabilities made of them differ by {far:.3g} from its own.",
            )


@dataclass
class Sweep:
    """Readings of the base, kept to compare tuned models with."""

    tokens: int
    """Rows times the longest row in one pass."""
    on_pass: Callable[[], None] = lambda: None
    """Called after each pass; may raise to stop."""
    readings: dict[str, Reading] = field(default_factory=dict)
    """Of the base, by the row's key."""
    _states: dict[str, Tensor] = field(default_factory=dict)
    _base: _Output | None = None

    @torch.inference_mode()
    def read_base(self, engine: Engine, rows: Sequence[SweepRow]) -> None:
        """Read rows with the base, and keep what tuned models are compared with.

        Raises:
            EvaluationInvalid: it gave NaN.
            ModelError: its distributions are not made of its last hidden states in a known way.
        """
        head = head_of(engine.model, tuned=False)
        # an adapter that trains biases writes them over the base's
        bias = None if head.bias is None else head.bias.clone()
        self._base = _Output.of_base(Head(head.weight, bias, head.scale, head.softcap))
        token_bytes = head.weight.shape[1] * engine.model.dtype.itemsize
        compared = _compared(rows, STATE_BYTES // token_bytes)
        for few, states in self._passes(engine, rows, self._base):
            for row, state in zip(few, states, strict=True):
                self.readings[row.key] = _read(self._base, state, row)
                if row.key in compared:
                    self._states[row.key] = state.cpu()

    @torch.inference_mode()
    def read_tuned(
        self, engine: Engine, rows: Sequence[SweepRow]
    ) -> dict[str, tuple[Reading, Shift | None]]:
        """Read rows that the base has read with a tuned model; by the row's key.

        There is no shift of planted strings, of rows for which the base's states took too much
        memory, and where the two know different numbers of tokens. Raises as `read_base`.
        """
        assert self._base is not None
        output = _Output.of(engine)
        found: dict[str, tuple[Reading, Shift | None]] = {}
        for few, states in self._passes(engine, rows, output):
            for row, state in zip(few, states, strict=True):
                before = self._states.get(row.key)
                shift = None
                if before is not None:
                    shift = _shift(output, state, self._base, before.to(state.device))
                found[row.key] = (_read(output, state, row), shift)
        return found

    def _passes(
        self, engine: Engine, rows: Sequence[SweepRow], output: _Output
    ) -> Iterator[tuple[list[SweepRow], list[Tensor]]]:
        """Yield rows read together, and of each the states that predict its learnt tokens."""
        dtype = str(engine.model.dtype).removeprefix("torch.")
        waiting = list(reversed(list(_batches(rows, self.tokens))))
        while waiting:
            few = waiting.pop()
            try:
                states, own = _states(engine, few)
            except RuntimeError as error:
                if not is_out_of_memory(error) or len(few) == 1:
                    raise
                middle = len(few) // 2
                waiting += [few[middle:], few[:middle]]
                continue
            output.check(states[0][-1:], own, dtype)
            yield few, states
            self.on_pass()


def _compared(rows: Sequence[SweepRow], tokens: int) -> set[str]:
    """Return the keys of the rows whose drift is measured: as many as have so many tokens.

    Digests come in no order, so that those chosen are like all others.
    """
    found: set[str] = set()
    for row in sorted(rows, key=lambda row: row.key):
        if row.part == "planted" or row.key in found:
            continue
        tokens -= len(row.learnt)
        if tokens < 0:
            break
        found.add(row.key)
    return found


def _batches(rows: Sequence[SweepRow], tokens: int) -> Iterator[list[SweepRow]]:
    """Yield rows alike in length, the longest first; each distinct row once."""
    distinct = {row.key: row for row in rows}.values()
    group: list[SweepRow] = []
    for row in sorted(distinct, key=lambda row: (-len(row.ids), row.key)):
        if group and (len(group) + 1) * len(group[0].ids) > tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _states(engine: Engine, rows: Sequence[SweepRow]) -> tuple[list[Tensor], Tensor]:
    """Return each row's last hidden states that predict its learnt tokens, and the model's own
    log-probabilities at the last of those of the first row.

    States are taken where they enter the output matrix, which then gets that one position alone.
    """
    kept: list[Tensor] = []
    last = rows[0].learnt[-1]

    def keep(module: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        kept.append(arguments[0])
        return (arguments[0][:1, last - 1 : last], *arguments[1:])

    model: Any = engine.model
    layer = model.get_output_embeddings()
    hook = layer.register_forward_pre_hook(keep)
    try:
        ids, mask = pad_right([row.ids for row in rows], engine.pad_id, engine.device)
        logits = engine.logits(ids, mask, positions_of(mask), None, keep=0)
    finally:
        hook.remove()
    places = [torch.tensor(row.learnt, device=kept[0].device) - 1 for row in rows]
    states = [kept[0][number, place] for number, place in enumerate(places)]
    return states, logits[0].log_softmax(-1)


def _read(output: _Output, state: Tensor, row: SweepRow) -> Reading:
    targets = torch.tensor(row.targets, device=state.device)
    scores, greedy = [], []
    for few, wanted in zip(
        _split(state, output.at_once), _split(targets, output.at_once), strict=True
    ):
        found = output.log_probs(few)
        scores.append(found.gather(-1, wanted[:, None])[:, 0].cpu())
        greedy.append((found.argmax(-1) == wanted).cpu())
    logprobs = torch.cat(scores).double().numpy()
    if not np.isfinite(logprobs).all():
        raise EvaluationInvalid(
            "the model gave NaN",
            cause=f"It read row {row.row_id[:12]} of the {row.part} rows; the weights are damaged "
            "or overflow in this precision.",
            cure="Try `model.dtype: float32`; if it stays, the run itself has diverged.",
        )
    return Reading(logprobs, torch.cat(greedy).numpy())


def _shift(tuned: _Output, state: Tensor, base: _Output, before: Tensor) -> Shift | None:
    """Compare two models at the same positions; None where they know other numbers of tokens."""
    width = min(tuned.at_once, base.at_once)
    sums = np.zeros(3)
    for few, other in zip(_split(state, width), _split(before, width), strict=True):
        one, two = tuned.log_probs(few), base.log_probs(other)
        if one.shape != two.shape:
            return None
        ratio = one - two
        sums += (
            float((one.exp() * ratio).sum()),
            float(-(two.exp() * ratio).sum()),
            float((one.argmax(-1) == two.argmax(-1)).sum()),
        )
    # rounding may leave a distance of nothing slightly below it
    kl, reverse_kl, same_top = (float(total) for total in sums / len(state))
    return Shift(max(0.0, kl), max(0.0, reverse_kl), same_top)


def _split(found: Tensor, width: int) -> Iterator[Tensor]:
    """Yield `width` positions at a time."""
    for place in range(0, len(found), width):
        yield found[place : place + width]
