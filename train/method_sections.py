"""The settings of each way of learning, as the recipe's `train.method` takes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from train.distill_section import DistillSection
from train.reinforcement_sections import GrpoSection, RftSection, RlooSection
from workspace.recipe import Section

DpoLoss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "ipo",
    "hinge",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
]
_DIVERGENT = frozenset(
    {"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"}
)
_SORTED = frozenset({"aot", "aot_unpaired"})


class SftSection(Section):
    """Supervised fine-tuning: learn to write the assistant's turns. The loss is on them only; a
    dataset of plain texts is learnt whole (continued pre-training).
    """

    kind: Literal["sft"] = "sft"
    """Supervised fine-tuning."""


class DpoSection(Section):
    """Direct preference optimisation: raise the chosen answer over the rejected one, as far as
    the model stays near what it was (arXiv 2305.18290).
    """

    kind: Literal["dpo"]
    """Direct preference optimisation."""
    beta: float = Field(default=0.1, gt=0.0)
    """Pull back to the model as it was: more keeps nearer to it. For `ipo` it is the paper's τ."""
    loss: DpoLoss | Annotated[tuple[DpoLoss, ...], Field(min_length=1)] = "sigmoid"
    """`sigmoid` is the paper's; `sigmoid_norm` divides by the answers' lengths (against growing
    ones); `ipo` (arXiv 2310.12036) does not over-fit certain preferences; `robust` (2403.00409)
    expects a share `label_smoothing` of wrong labels; `sft` adds the chosen answers' own
    likelihood. A list is summed, with `loss_weights`."""
    loss_weights: tuple[float, ...] | None = None
    """One for each loss; left out: 1 for each."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    """For `robust`, `sigmoid` and `exo_pair`: share of pairs that may be the wrong way round."""
    length_weight: float | None = Field(default=None, ge=0.0, le=1.0)
    """LD-DPO's α (arXiv 2409.06411): weight of what the longer answer has beyond the length of
    the shorter. Left out: 1."""
    divergence: Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = (
        "reverse_kl"
    )
    """How far from the model as it was is measured (f-DPO, arXiv 2309.16240)."""
    weighting: bool = False
    """Weight pairs by how likely the model is to write them itself (WPO, arXiv 2406.11827)."""

    @property
    def losses(self) -> tuple[DpoLoss, ...]:
        """The losses that are summed."""
        return (self.loss,) if isinstance(self.loss, str) else self.loss

    @model_validator(mode="after")
    def _fits(self) -> Self:
        losses = set(self.losses)
        if self.loss_weights is not None and len(self.loss_weights) != len(self.losses):
            raise ValueError(
                f"one of loss_weights for each loss: {len(self.losses)}, "
                f"found {len(self.loss_weights)}"
            )
        if "exo_pair" in losses and not self.label_smoothing:
            raise ValueError("label_smoothing above 0 for exo_pair; its paper recommends 0.001")
        if self.divergence != "reverse_kl" and not losses <= _DIVERGENT:
            raise ValueError(
                f"divergence reverse_kl for {', '.join(sorted(losses - _DIVERGENT))}; others are "
                f"defined for {', '.join(sorted(_DIVERGENT))}"
            )
        if self.weighting and losses & _SORTED:
            raise ValueError(
                f"no weighting with {', '.join(sorted(losses & _SORTED))}, which sorts the rows"
            )
        return self


class RewardSection(Section):
    """A reward model: one number for a chat, higher for the chosen answers (arXiv 2203.02155).
    It writes nothing; it scores rows (`temper curate score reward`) and rewards training.
    """

    kind: Literal["reward"]
    """A reward model."""
    center: float | None = Field(default=None, gt=0.0)
    """Weight of the square of the pair's summed rewards, which keeps them around zero (arXiv
    2312.09244); 0.01 is common. Left out: rewards may drift, which changes no comparison."""
    margins: bool = True
    """If the dataset has a column `margin`: chosen must be ahead by it (arXiv 2307.09288)."""


class KtoSection(Section):
    """Kahneman-Tversky optimisation: learn from single answers marked good or bad, as far as the
    model stays near what it was (arXiv 2402.01306).
    """

    kind: Literal["kto"]
    """Kahneman-Tversky optimisation."""
    beta: float = Field(default=0.1, gt=0.0)
    """Pull back to the model as it was: more keeps nearer to it."""
    loss: Literal["kto", "apo_zero_unpaired"] = "kto"
    """`kto` is the paper's; `apo_zero_unpaired` (arXiv 2408.06266) compares with the model as it
    was alone, needs no mismatched answers, and costs half."""
    desirable_weight: float = Field(default=1.0, gt=0.0)
    """Weight of good answers. Weights times rows should stand as 1 to 4/3 (good) against 1 (bad):
    with fewer good rows, raise it."""
    undesirable_weight: float = Field(default=1.0, gt=0.0)
    """Weight of bad answers."""


class OrpoSection(Section):
    """Odds ratio preference optimisation: learn the chosen answer and, in the same step, to
    prefer it to the rejected one; no model is compared with (arXiv 2403.07691).
    """

    kind: Literal["orpo"]
    """Odds ratio preference optimisation."""
    beta: float = Field(default=0.1, gt=0.0)
    """Weight of the preference beside the chosen answer's own loss; the paper's λ."""


class SimpoSection(Section):
    """Simple preference optimisation: raise the chosen answer's likelihood per token over the
    rejected one's by a margin; no model is compared with (arXiv 2405.14734).
    """

    kind: Literal["simpo"]
    """Simple preference optimisation."""
    beta: float = Field(default=2.0, gt=0.0)
    """Scale of the likelihood per token; the paper's models take 2 to 10."""
    gamma: float = Field(default=1.0, ge=0.0)
    """By how much the chosen answer should be ahead, after `beta`; half of `beta` is common."""
    sft_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the chosen answer's own loss, which keeps the model writing such answers; 0 is
    the paper's, and nothing then holds the model near what it was."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    """Share of pairs that may be the wrong way round."""


def _by_name(value: Any) -> Any:
    """Accept `dpo` for `{kind: dpo}`."""
    return {"kind": value} if isinstance(value, str) else value


_AnyMethod = (
    SftSection
    | DistillSection
    | DpoSection
    | KtoSection
    | OrpoSection
    | SimpoSection
    | RewardSection
    | GrpoSection
    | RlooSection
    | RftSection
)
MethodSection = Annotated[
    Annotated[_AnyMethod, Field(discriminator="kind")], BeforeValidator(_by_name)
]
"""A method by its name, or with its settings."""
