"""What each generator can be told: `- name: {settings}`, or `- name` alone.

The closed list of generators. Apart from their code, because the schema of a recipe must be known
without loading the libraries that do the work.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.named import Named
from evalsuite.scorers import ScorerConfig
from workspace.recipe import Section

Count = Annotated[int, Field(ge=1, le=64)]


class Sampling(Section):
    """How the model writes."""

    temperature: float = Field(default=0.8, ge=0.0, le=2.0)
    """0 always writes the likeliest; higher is more various and more often wrong."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Draw only from the likeliest tokens that make up this much probability."""
    max_tokens: int = Field(default=512, ge=1, le=32768)
    """Longest reply; a longer one is cut, and a cut one is dropped. The budget reserves this much
    for every request under way."""


class Noise(Section):
    """Questions with the slips of people who type: needs no model."""

    kinds: Annotated[
        tuple[Literal["typos", "casing", "dropped_words"], ...], Field(min_length=1)
    ] = ("typos", "casing", "dropped_words")
    """Which slips; each made row has one kind."""
    rate: float = Field(default=0.08, gt=0.0, le=0.5)
    """Share of the words that are touched, at least one. Numbers, code and what stands in braces
    are left alone."""
    per_row: Count = 1
    """Made rows for each source row, at most."""


class Slots(Section):
    """Source rows with one name put for another, in the whole conversation: needs no model."""

    values: dict[str, Annotated[tuple[str, ...], Field(min_length=2)]] = Field(min_length=1)
    """Name of a slot → the values that may stand for each other, for example
    `city: [Lisbon, Oslo, Quito]`. Only whole words are replaced."""
    per_row: Count = 3
    """Made rows for each source row, at most."""


class Paraphrase(Sampling):
    """The same question in other words; the answer stays."""

    per_row: Count = 2
    """Paraphrases for each source row, at most."""


class Persona(Sampling):
    """The same question as someone else would put it; the answer stays."""

    personas: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "someone in a hurry who writes as little as possible",
        "a child of ten",
        "an expert who uses the words of the trade",
        "someone for whom this is a foreign language",
        "an annoyed customer on a telephone",
        "a very polite elderly person",
    )
    """Who asks; each source row is put to each, in turn."""
    per_row: Count = 2
    """Made rows for each source row, at most."""


class SelfInstruct(Sampling):
    """New questions with answers, like a few source rows (Wang et al. 2023, arXiv 2212.10560)."""

    examples: int = Field(default=4, ge=1, le=16)
    """Source rows shown in each prompt, drawn anew each time."""


class Evolve(Sampling):
    """Harder or neighbouring questions, with new answers (Xu et al. 2023, arXiv 2304.12244)."""

    directions: Annotated[tuple[Literal["deeper", "wider"], ...], Field(min_length=1)] = (
        "deeper",
        "wider",
    )
    """`deeper`: one more condition or step; `wider`: another question of the same field."""
    rounds: int = Field(default=1, ge=1, le=4)
    """How often a question is evolved before it is answered; the direction is drawn each time."""
    per_row: Count = 2
    """Made rows for each source row, at most."""


class Backtranslate(Sampling):
    """Questions for texts there are: the text is the answer (Li et al. 2023, arXiv 2308.06259)."""

    per_row: Count = 1
    """Questions for each text, at most."""
    most_characters: int = Field(default=6000, ge=100)
    """Longer texts are passed over, and counted: a part of a text answers another question."""


class Documents(Sampling):
    """Questions with answers from documents, each with the passage that proves it."""

    pairs: int = Field(default=3, ge=1, le=20)
    """Pairs asked for in one request."""
    characters: int = Field(default=4000, ge=200)
    """Longest piece of a document in a prompt; cut between paragraphs where there are any."""


class Rejection(Sampling):
    """Answers drawn from the model, of which a verifier keeps the right ones (Llama 3 report)."""

    scorer: ScorerConfig
    """Compares each answer with the source row's."""
    samples: int = Field(default=4, ge=1, le=64)
    """Answers drawn for each question."""
    keep: int = Field(default=1, ge=1, le=64)
    """Right answers kept for each question, the first drawn first."""
    least: float = Field(default=1.0, gt=0.0, le=1.0)
    """Score from which an answer is right."""


class Ranking(Section):
    """A judge compares every two answers, in both orders: n answers take n × (n - 1) requests."""

    rubric: str = ""
    """What else counts, in your words."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest verdict."""


class Rewarding(Section):
    """A reward model on this machine gives each answer a number."""

    model: str
    """A run of `method: reward`, a directory (relative to the recipe) or a hub name of a sequence
    classification model with one label."""
    revision: str | None = None
    """Hub names only."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the weights."""


class Preference(Sampling):
    """Pairs of a better and a worse answer: best and worst of several by a verifier, a reward
    model or a judge."""

    scorer: ScorerConfig | None = None
    """Compares each answer with the source row's."""
    judge: Ranking | None = None
    """In place of a scorer, where no program can tell what is right: an answer's score is the share
    of comparisons that it wins in both orders. Asked is the judge of `verify.judge`, or else
    `backend`."""
    reward: Rewarding | None = None
    """In place of a scorer: an answer's score is the logit of a reward model."""
    samples: int = Field(default=6, ge=2, le=64)
    """Answers drawn for each question."""
    gap: float = Field(default=0.5, gt=0.0, le=100.0)
    """Least difference between the two scores. Those of scorers and judges are 0 to 1; of rewards
    it is the margin, and 1 / (1 + exp(-margin)) the chance that the better one is preferred."""
    source_is_best: bool = False
    """Where no drawn answer is right, take the source row's as the better one."""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if sum(one is not None for one in (self.scorer, self.judge, self.reward)) != 1:
            raise ValueError("one of: scorer, judge, reward")
        if self.reward is None and self.gap > 1.0:
            raise ValueError("a gap of at most 1: no two scores of these differ by more")
        if self.source_is_best and self.scorer is None:
            raise ValueError("a `scorer`, which source_is_best needs")
        return self


class GeneratorConfig(Named):
    """One generator: the name of it, and its settings if any are wanted."""

    what: ClassVar[str] = "generator"

    noise: Noise | None = None
    slots: Slots | None = None
    paraphrase: Paraphrase | None = None
    persona: Persona | None = None
    self_instruct: SelfInstruct | None = None
    evolve: Evolve | None = None
    backtranslate: Backtranslate | None = None
    documents: Documents | None = None
    rejection: Rejection | None = None
    preference: Preference | None = None

    @property
    def needs_model(self) -> bool:
        """Whether it asks a model."""
        return isinstance(self.settings, Sampling)
