"""What `results.json` holds of a run's own data and of drift. Losses and distances are in nats."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Word = Literal["learned", "over-fitted", "memorised", "did not learn"]

Cause = Literal["its own rows", "planted strings"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Record):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class PartLoss(_Record):
    """The loss of both models on one part of the data: each row's per token, then over rows.

    So `tuned` minus `base` is `change`, and rows count alike, as in the gap.
    """

    part: str
    """trained, validation, test, unseen, replayed or general."""
    rows: int
    """Rows read."""
    tokens: int
    """Tokens with loss in them."""
    base: float
    """Mean over rows of the base's loss per token."""
    tuned: float
    """The same of the tuned model."""
    change: Bounds
    """Tuned minus base."""


class Gap(_Record):
    """How much better the tuned model is on its own rows than on fresh ones."""

    tuned: float
    """Held-out minus training loss of the tuned model, means over rows."""
    base: float
    """The same of the base: how much harder the held-out rows are by themselves."""
    adjusted: Bounds
    """Tuned minus base: the difference in differences."""
    share: float | None
    """`adjusted` as a share of what was gained on the rows of training; None without a gain."""


class Membership(_Record):
    """Whether the rows of training can be told from fresh ones by base loss minus tuned loss."""

    auc: Bounds
    """0.5 is not at all; DeLong's interval."""
    found: float
    """Share of the rows of training found while 1 % of the fresh ones are accused."""


class Recital(_Record):
    """Greedy decoding after a prefix against the row itself, from teacher-forced argmax."""

    prefix: int
    """Tokens of the answer that are given after the prompt."""
    trained: int
    """Rows of training with enough to recite after it."""
    held_out: int
    """Held-out rows with enough to recite after it."""
    tuned_trained: float
    """Share of the rows of training that the tuned model writes word by word."""
    tuned_held_out: float
    """The same of held-out rows, which it cannot have memorised."""
    base_trained: float
    """Share that the base writes, which saw none."""
    base_held_out: float
    """The same of held-out rows."""
    prefix_share: float
    """Mean share of a training row that the tuned model writes before the first difference."""
    token_share: float
    """Mean share of its tokens that agree."""
    counterfactual: Bounds
    """What tuning added on the rows of training beyond what it added on held-out ones."""


class Extractable(_Record):
    """(n, p)-discoverable extraction at p = 0.5: shares of rows drawn whole within n samples."""

    samples: int
    tuned_trained: float
    tuned_held_out: float
    base_trained: float


class Recited(_Record):
    """A row of training that the tuned model writes word by word and the base does not."""

    row_id: str
    source: str
    seen: int
    """How often training saw it."""
    tokens: int
    text: str
    """What it recites, cut."""
    base_bits: float
    """Information that the text holds for the base."""
    tuned_bits: float
    """The same for the tuned model."""
    samples: int | None
    """Samples of the tuned model that draw it with probability 0.5; None beyond counting."""


class Exposure(_Record):
    """How a planted random string ranks among strings that could have been planted."""

    canary: str
    """Its name."""
    seen: int
    """How often training saw it; 0 for one that is held out."""
    references: int
    """Strings it is ranked among, itself included."""
    rank: int
    """1: the tuned model finds none of them likelier."""
    base_rank: int
    """The same of the base."""
    bits: float
    """log2 of `references` minus log2 of `rank`."""
    base_bits: float
    """The same of the base."""


class DriftFigures(_Record):
    """How far the tuned distributions are from the base's, mean over rows of means over tokens."""

    prompts: Literal["task", "general"]
    """Rows of the dataset, held out where there are any; or what was to be kept."""
    rows: int
    tokens: int
    kl: Bounds
    """KL(tuned‖base), nats per token, exact over the vocabulary."""
    reverse_kl: float
    """KL(base‖tuned)."""
    same_top: float
    """Share of tokens with the same most likely token."""


class OverfittingRecord(_Record):
    """What reading a run's own data showed of one tuned model."""

    tuned: str
    """Name of the tuned model in `models`."""
    state: Literal["measured", "partly", "not_run"]
    """partly: drift alone, or no held-out rows to compare with."""
    detail: str = ""
    """Why it was not measured whole."""
    words: list[Word] = Field(default_factory=list)
    """The verdict; empty where it cannot be told."""
    memorised: list[Cause] = Field(default_factory=list)
    """What comes back, where `words` has memorised."""
    sentence: str = ""
    """The verdict in plain words."""
    evidence: list[str] = Field(default_factory=list)
    """The figures it rests on."""
    advice: list[str] = Field(default_factory=list)
    """What to do next."""
    losses: list[PartLoss] = Field(default_factory=list)
    gap: Gap | None = None
    membership: Membership | None = None
    recitals: list[Recital] = Field(default_factory=list)
    extractable: list[Extractable] = Field(default_factory=list)
    recited: list[Recited] = Field(default_factory=list)
    """The strings most memorised, the most informative first."""
    exposures: list[Exposure] = Field(default_factory=list)
    drift: list[DriftFigures] = Field(default_factory=list)
