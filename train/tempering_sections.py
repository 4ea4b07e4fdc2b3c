"""The recipe's `train.tempering`: what keeps a model from getting brittle, in one place."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from workspace.recipe import Section
from workspace.shares import Share


class Replay(Section):
    """Rows of what the model should not forget, mixed into every batch."""

    dataset: str | None = None
    """A dataset directory or the name of one that `temper curate` made. Left out: what the run in
    `train.from` learnt from."""
    share: Share = Field(default=0.5, ge=0.0, lt=1.0)
    """Part of every batch that is replayed: 0.8 leaves a fifth of the compute for the new task, 0
    replays nothing."""


class Kl(Section):
    """Self-distillation: stay near the base's own distribution on what the assistant says.

    It adds `weight` times the mean over tokens of KL(base ‖ tuned) to the loss, exact over the
    vocabulary. Costs a forward pass of the base on those rows.
    """

    weight: float = Field(gt=0.0)
    """Of the mean KL, in nats a token, beside the cross-entropy: 1 counts both alike."""
    on: Literal["replay", "all"] = "replay"
    """`replay`: the replayed rows only, so that the new task is learnt freely; `all`: the rows of
    the task as well, which learns less of it and forgets less."""
    chunk: int = Field(default=512, ge=1)
    """Tokens whose whole distributions are in memory at once: 512 tokens and a vocabulary of
    128,000 take 262 MB each for base and tuned."""


class LayerRates(Section):
    """Lower learning rates for lower layers, which hold what all abilities share (ULMFiT's
    discriminative fine-tuning, arXiv 1801.06146; ELECTRA's layer-wise decay, 2003.10555).
    """

    decay: float = Field(gt=0.0, le=1.0)
    """Each layer's rate is this times that of the layer above: the output matrix and what follows
    the layers have the full rate, the embedding the lowest."""


class Probe(Section):
    """Suites that are asked while training: which step is published, and when to stop.

    Published is not the last step but the one that scored highest on the targets among those that
    kept every ability within its margin of the base.
    """

    suites: list[str] = Field(min_length=1)
    """A path, a name in `suites/`, or `builtin:NAME`: target suites say what is gained, retention
    suites what is kept. Without a target the last step that kept everything is published."""
    every: int | None = Field(default=None, ge=1)
    """Steps between two probes, each of which is also a checkpoint. Left out: as
    `checkpoint_every`. The last step is always probed."""
    items: int = Field(default=64, ge=1)
    """Of each task, spread evenly over it: more cost time at each probe and see smaller falls."""
    margin: float | None = Field(default=None, gt=0.0, le=1.0)
    """Largest fall of an ability, in score points, that is no alarm. Left out: each suite's."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many probes without a better step. Left out: all steps are done."""

    @model_validator(mode="after")
    def _each_suite_once(self) -> Self:
        if len(set(self.suites)) < len(self.suites):
            raise ValueError("each suite once")
        return self


class Tempering(Section):
    """What keeps a model from getting brittle; nothing of it is on by itself."""

    replay: Replay | None = None
    """Rows against forgetting, in every batch."""
    kl: Kl | None = None
    """Distance from the base, in the loss. For `sft`; other methods have a `beta` of their own."""
    layer_rates: LayerRates | None = None
    """Lower layers learn slower."""
    probe: Probe | None = None
    """What is asked while training, to publish the best step. For methods that write text."""

    @model_validator(mode="after")
    def _something_to_hold(self) -> Self:
        replays = self.replay is not None and self.replay.share > 0
        if self.kl is not None and self.kl.on == "replay" and not replays:
            raise ValueError(
                "replay for kl on replayed rows, or `kl: {on: all}` for the rows of the task"
            )
        return self
