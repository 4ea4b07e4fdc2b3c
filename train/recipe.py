"""The `train:` section of a recipe: what to learn from, how, and for how long.

Each description says what the value costs or protects; `temper schema` and `temper init` show it.
Values left out are decided by the plan, which prints each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from train.adapter_sections import Adapter, FullAdapter, LoraAdapter, PeftAdapter, QloraAdapter
from train.alarm_section import RunAlarms
from train.each_section import EachChoice, refusal
from train.method_sections import MethodSection, SftSection
from train.reinforcement_sections import ModelReward, RewardedSection
from train.speed_section import Packing, Speed, Switch
from train.tempering_sections import Replay, Tempering
from train.trackers import TrackerName
from workspace.recipe import Section
from workspace.shares import Share

Optimizer = Literal[
    "adamw",
    "adamw_8bit",
    "paged_adamw_8bit",
    "lion",
    "lion_8bit",
    "paged_lion_8bit",
    "adafactor",
    "sgd",
]
"""A closed list; what each is in transformers is in `train.trl_bridge.arguments`."""


_OFFLOADS = ("sft", "dpo", "kto", "reward")
"""Methods whose trainers in trl offload activations."""


class Limits(Section):
    """Shares beyond which the run stops before it spends anything (exit code 6)."""

    dropped: Share = 0.05
    """Rows of a dataset that may be dropped because they do not fit `max_length`."""
    cut: Share = 0.05
    """Rows of a dataset that may be cut, where `too_long: cut` asks for it."""
    of_source: Share | None = None
    """Rows of any one source that may be dropped or cut: a small source can vanish within the
    share that the whole dataset may lose. Left out: told where it is more than half."""


class TrainSection(Section):
    """How the dataset becomes a run."""

    moved: ClassVar[Mapping[str, str]] = {"replay": "train.tempering.replay"}
    is_stage: ClassVar[bool] = False
    """Whether it may name what stages before it made."""

    method: MethodSection = SftSection()
    """What to learn: `sft` (write the assistant's turns, or plain texts), `distill` (what a teacher
    thinks of every token of them), `dpo`, `orpo` or `simpo` (prefer one answer to another), `kto`
    (answers marked good or bad), `reward` (a model that scores answers), `grpo` or `rloo` (write
    what is rewarded); a name, or `{kind: dpo, beta: 0.1, …}`."""
    dataset: str | None = None
    """Name or path of the dataset. Left out: the recipe's name."""
    each: EachChoice | None = None
    """A column (`customer`, `meta.language`, or `{column: …, min_rows: 20, left_out: skip}`): one
    adapter for each of its values, on one loaded base, each a run of its own."""
    from_run: str | None = Field(default=None, alias="from")
    """A finished run to go on from: its id, name or path. Its result, an adapter merged into its
    base, is what this run begins with and is measured against, and its rows are replayed unless
    `tempering.replay` says otherwise. `model` stays the base of them all."""
    adapter: Adapter = LoraAdapter()
    """What is trained: `{kind: lora, …}`, `qlora` (on a 4-bit base), `peft` (any other tuner of
    peft), or `full`."""
    learning_rate: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Highest rate of the schedule. Left out: by adapter and model size, with the reason."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the rate falls after the warm-up; cosine and linear end at zero."""
    warmup: Annotated[int, Field(ge=0)] | Share = 0.05
    """Steps (a whole number) or share of the steps over which the rate rises."""
    optimizer: Optimizer = "adamw"
    """`adamw_8bit` and `lion_8bit` hold their states in a quarter of the memory (bitsandbytes; not
    those of matrices below 4,096 weights); `paged_…` moves them to the CPU when a GPU is full;
    `lion` has one state instead of two and wants a third of the rate; `adafactor` keeps sums of
    rows and columns only."""
    neftune: float | None = Field(default=None, gt=0.0)
    """NEFTune's α (arXiv 2310.05914): noise on the embeddings while training, against learning
    answers by heart; the paper takes 5 to 15. Only for `sft`."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """The optimiser's pull of the weights towards zero, for each step at full rate."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Gradients longer than this are scaled down to it."""
    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps. Give this or `epochs`."""
    epochs: float | None = Field(default=None, gt=0.0)
    """Passes over the dataset (replay not counted). Left out, with no `steps`: 2."""
    batch_size: int = Field(default=32, ge=1)
    """Rows for each optimiser step, however they are split."""
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Rows that are on the device at once: less needs less memory and gives the same gradients.
    It must divide `batch_size`. Left out: what computes least padding, with at most 4,096
    tokens at once (16,384 for models below 20 M parameters)."""
    max_length: int | None = Field(default=None, ge=8)
    """Longest row in tokens. Left out: the model's context, 4096 at most."""
    vision: Literal["frozen", "projector", "all"] = "frozen"
    """Of a vision-language model, what is trained or adapted beside the language model: nothing,
    what hands images to it, or the vision tower too, which wants many images and a low rate."""
    too_long: Literal["drop", "cut", "stop"] = "drop"
    """What happens to a longer row: dropped and counted, cut at its end (an answer may lose its
    end), or the run stops."""
    limits: Limits = Limits()
    """When to stop before starting."""
    tempering: Tempering = Tempering()
    """What keeps the model from getting brittle: replayed rows, the distance from the base,
    rates by layer, a probe that says which step to publish."""
    checkpoint_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints; each is a pause and needs disk. Left out: a tenth of the steps,
    within 10 and 500."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Checkpoints kept on disk; with 2, a damaged one still leaves one to resume from."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Decides the order of rows, new weights and dropout."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of torch. Left out: 1 for models below 20 M parameters, else all cores."""
    rehearsal: Literal["auto", "always", "off"] = "auto"
    """Tries the longest batch, a checkpoint and its reload before the first step: measures memory
    and time, finds the rows at once that fit, and costs some steps and one more load of the model.
    `auto` leaves it out where the same model, adapter, batch and machine were rehearsed before."""
    alarms: RunAlarms = RunAlarms()
    """When a run is told to be going wrong."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic: auto is bfloat16 on a GPU that has it and float32 on a CPU."""
    packing: Packing = "auto"
    """Rows of a step share sequences of up to `max_length` tokens, whole and apart from each
    other: less padding, the same loss. `bfd` packs by best-fit-decreasing; auto does where flash
    attention keeps rows apart at no cost. For sft."""
    padding_free: Switch = "auto"
    """The rows of a micro-batch lie one after the other, without padding. Auto is on with flash
    attention; elsewhere it costs the square of their tokens. For sft."""
    speed: Speed = Speed()
    """Other levers of speed and memory, each `auto`."""

    trackers: list[TrackerName] = Field(default_factory=list)
    """Where each step's figures go beside events.jsonl: `wandb`, `mlflow`, `tensorboard`,
    `trackio`; none by itself. Keys are theirs, from the environment; a failing one is an alarm."""

    @property
    def has_stages(self) -> bool:
        """Whether it is several runs."""
        return False

    def dataset_names(self, default: str) -> list[str]:
        """Return the datasets that it names, the recipe's name standing for one left out."""
        replay = self.tempering.replay
        replayed = replay.dataset if replay is not None and replay.share > 0 else None
        return [self.dataset or default, *([replayed] if replayed else [])]

    @model_validator(mode="after")
    def _each_tracker_once(self) -> TrainSection:
        if len({*self.trackers}) < len(self.trackers):
            raise ValueError("each tracker once")
        return self

    @model_validator(mode="before")
    @classmethod
    def _replay_what_was_learnt(cls, data: Any) -> Any:
        """Replay the rows of the run to go on from, if nothing is said of replay."""
        if not isinstance(data, Mapping) or data.get("from") is None:
            return data
        given = data.get("tempering")
        tempering = given if given is not None else {}
        if not isinstance(tempering, Mapping) or tempering.get("replay") is not None:
            return data
        return {**data, "tempering": {**tempering, "replay": {}}}

    @model_validator(mode="after")
    def _rows_to_replay(self) -> TrainSection:
        replay = self.tempering.replay
        named = replay is None or replay.dataset is not None or replay.share == 0
        if not named and self.from_run is None and not self.is_stage:
            raise ValueError(
                "a dataset in tempering.replay; only where `from` names a run may it be left out"
            )
        return self

    @model_validator(mode="after")
    def _one_length(self) -> TrainSection:
        if self.steps is not None and self.epochs is not None:
            raise ValueError(
                "either steps or epochs, not both; for one command: --set train.epochs=null"
            )
        return self

    @model_validator(mode="after")
    def _each_leaves_the_base(self) -> TrainSection:
        if self.each is None:
            return self
        if self.from_run is not None:
            raise ValueError(
                "no `from` with each: groups share a base as it is on disk; export that run with "
                "`temper export RUN --to merged` and name the result under `model`"
            )
        why = refusal(self.adapter, self.method.kind)
        if why is not None:
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _noise_is_for_sft(self) -> TrainSection:
        if self.neftune is not None and self.method.kind != "sft":
            raise ValueError(
                f"no neftune with method {self.method.kind}: the noise would fall on what it is "
                "compared with as well; it is for sft"
            )
        return self

    @model_validator(mode="after")
    def _levers_of_the_method(self) -> TrainSection:
        kind = self.method.kind
        packed = [
            name
            for name, asked in (("packing", "bfd"), ("padding_free", "on"))
            if getattr(self, name) == asked
        ]
        if packed and kind != "sft":
            raise ValueError(f"no {packed[0]} with method {kind}: it is for sft")
        if packed and self.neftune is not None:
            raise ValueError(
                f"no {packed[0]} with neftune: its noise depends on the length of a sequence"
            )
        if packed and self.tempering.kl is not None:
            raise ValueError(
                f"no {packed[0]} with tempering.kl: the distance is measured row by row"
            )
        if self.speed.checkpointing == "selective" and kind != "sft":
            raise ValueError(f"checkpointing full or off with method {kind}: selective is for sft")
        if self.speed.offload == "on" and kind not in _OFFLOADS:
            raise ValueError(f"no offload with method {kind}: it is for {', '.join(_OFFLOADS)}")
        return self

    @model_validator(mode="after")
    def _tempering_fits(self) -> TrainSection:
        kind = self.method.kind
        if self.tempering.kl is not None and kind != "sft":
            raise ValueError(f"no tempering.kl with method {kind}: {_WITHOUT_KL[kind]}")
        if self.tempering.probe is not None and kind == "reward":
            raise ValueError(
                "no tempering.probe with method reward: a reward model writes no answers to score"
            )
        if self.tempering.probe is not None and _tuner(self) == "ADALORA":
            raise ValueError(
                "no tempering.probe with ADALORA: its ranks are settled by the last step, so that "
                "an earlier one is no model of its own; take LORA"
            )
        return self

    @model_validator(mode="after")
    def _models_that_exist(self) -> TrainSection:
        rewards = self.method.rewards if isinstance(self.method, RewardedSection) else ()
        for reward in rewards:
            if isinstance(reward, ModelReward) and reward.stage is not None and not self.is_stage:
                raise ValueError(
                    f"a reward with `model` and not `stage: {reward.stage}`, which is for "
                    "train.stages"
                )
        return self

    @model_validator(mode="after")
    def _whole_prompts(self) -> TrainSection:
        if isinstance(self.method, RewardedSection) and self.too_long == "cut":
            raise ValueError(
                f"too_long drop or stop with method {self.method.kind}: a prompt without its end "
                "asks something else"
            )
        return self

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> TrainSection:
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"a micro_batch_size that divides batch_size ({self.batch_size}), "
                f"found {self.micro_batch_size}"
            )
        return self


def _tuner(section: TrainSection) -> str:
    return section.adapter.tuner if isinstance(section.adapter, PeftAdapter) else ""


_OWN_BETA = "its own `method.beta` holds it near the base"
_NO_BASE = (
    "nothing of it is compared with the base; mix replayed rows in (`tempering.replay`), lower "
    "the rate, or use dpo, whose `beta` holds it near the base"
)
_WITHOUT_KL = {
    "dpo": _OWN_BETA,
    "kto": _OWN_BETA,
    "grpo": _OWN_BETA,
    "rloo": _OWN_BETA,
    "rft": "its rows are not there yet when it is checked; mix replayed rows in, or learn the "
    "kept rows with sft and kl",
    "distill": "it stays near its teacher, which may be the base; or mix replayed rows in",
    "orpo": _NO_BASE,
    "simpo": _NO_BASE,
    "reward": "a reward model gives one number and no words to compare; lower the rate",
}
"""Why a method refuses the distance from the base, with the way out."""

__all__ = [
    "Adapter",
    "FullAdapter",
    "Limits",
    "LoraAdapter",
    "Optimizer",
    "PeftAdapter",
    "QloraAdapter",
    "Replay",
    "Share",
    "Speed",
    "Tempering",
    "TrainSection",
]
