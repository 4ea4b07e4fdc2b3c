"""What each step can be told, in the recipe: `- name: {settings}`, or `- name` alone.

The configs are here, apart from the steps, because the schema of a recipe must be known without
loading the libraries that do the work.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from curate.conventions.configs import Consistency
from curate.embedding.configs import SemanticDuplicates, Topics
from curate.named import Named
from curate.steps.balancing.configs import Balance
from curate.steps.quality.configs import Filter, Redact, Repair
from curate.steps.scoring.configs import Score
from curate.steps.selection.configs import Select
from workspace.recipe import Section

Threshold = Annotated[float, Field(gt=0.0, le=1.0)]


class ExactDuplicates(Section):
    """Drop rows that say the same as an earlier one."""

    normalised: bool = True
    """Also rows that differ only in case, white space and punctuation. Digits, operators and
    brackets always count: without them rows of mathematics would be lost."""


class NearDuplicates(Section):
    """Drop rows with nearly the words of a better one and the same answer."""

    text: Literal["whole", "prompt", "answer"] = "whole"
    """What is compared. `prompt`: of two questions that are nearly the same one goes, whatever
    their answers; `answer`: of two long answers, whatever was asked."""

    threshold: Threshold = 0.8
    """Least cosine of the words, plain and with the rarer the heavier; every pair is verified.
    Lower finds more: of rows with a fifth of the words edited, 0.75 finds six in seven, 0.8 half;
    but short questions that differ in one word come to be the same."""
    keep: Literal["longest", "quality", "first"] = "longest"
    """Which of two to keep: the one with the longer answer (then the earlier); with the highest
    number in the column that `columns: {quality: …}` names (then the longer); or the earlier."""


class EmptyAnswers(Section):
    """Drop rows whose answer is empty, or of spaces and invisible characters alone."""


class Contradictions(Section):
    """Find prompts that are given different answers."""

    keep: Literal["none", "majority", "all"] = "none"
    """`none` drops every row of such a prompt; `majority` keeps the rows with the answer that more
    than half of them give; `all` only counts them."""
    max_answer_tokens: Annotated[int, Field(ge=1)] = 40
    """Only answers of up to this many tokens can contradict: two long answers to one prompt are
    usually two good answers."""


class RepeatedPrompts(Section):
    """Limit how often one prompt is answered; for sets that should have one answer to each."""

    most: Annotated[int, Field(ge=1)] = 1
    """Rows to keep of each prompt, as compared after normalising."""
    keep: Literal["longest", "first"] = "longest"
    """Which: the ones with the longest answers (then the earliest), or the earliest."""


class RepeatedAnswers(Section):
    """Limit how often one answer is given: boilerplate that a model learns to fall back on."""

    most: Annotated[int, Field(ge=1)] = 20
    """Rows to keep of each answer, the earliest; as compared after normalising."""
    least_tokens: Annotated[int, Field(ge=1)] = 8
    """Shorter answers, such as labels, may be given as often as they are."""


class PreferencePairs(Section):
    """Drop preferences that teach nothing or two things at once."""

    equal: bool = True
    """Pairs whose chosen and rejected answers are the same text, but for white space around it.
    Answers that differ in case or punctuation may differ in what was asked for."""
    parted: bool = True
    """Pairs of which an answer goes on for several turns (other than calls of tools): the two last
    turns were not asked the same."""
    both_ways: Literal["none", "majority", "all"] = "none"
    """Of an answer that is preferred to another in one row and the other way round in another (or
    with both labels): `none` keeps no such row, `majority` those that say what more than half of
    them say, `all` only counts them."""


class PrefixConversations(Section):
    """Drop conversations that another one begins with, turn for turn: its loss covers theirs."""


class DecontaminateFile(Section):
    """A file of evaluation items that is not a suite."""

    path: str
    """JSONL, JSON, CSV, TSV or Parquet, relative to the recipe; globs, gzip and zstd as in
    `sources`."""
    field: str
    """Column with the prompt of an item: text, or turns of a chat, of which the last may be the
    answer."""
    answer: str | None = None
    """Column with its answer; finding it near a partial match makes the match a leak."""


class Decontaminate(Section):
    """Drop rows that an evaluation will ask for."""

    suites: tuple[str, ...] = ()
    """Names in `suites/`, paths, or `builtin:NAME`."""
    files: tuple[DecontaminateFile, ...] = ()
    threshold: Threshold = 0.8
    """Least share of an item's n-grams that a row contains (the rarer the heavier), or least
    Jaccard similarity of their character 4-grams."""
    ngram: Annotated[int, Field(ge=3, le=20)] = 8
    """Words in an n-gram. Shorter items are compared whole."""


class StepConfig(Named):
    """One step: the name of it, and its settings if any are wanted."""

    what: ClassVar[str] = "step"

    exact_duplicates: ExactDuplicates | None = None
    near_duplicates: NearDuplicates | None = None
    semantic_duplicates: SemanticDuplicates | None = None
    empty_answers: EmptyAnswers | None = None
    contradictions: Contradictions | None = None
    repeated_prompts: RepeatedPrompts | None = None
    repeated_answers: RepeatedAnswers | None = None
    preference_pairs: PreferencePairs | None = None
    prefix_conversations: PrefixConversations | None = None
    decontaminate: Decontaminate | None = None
    topics: Topics | None = None
    consistency: Consistency | None = None
    balance: Balance | None = None
    select: Select | None = None
    repair: Repair | None = None
    filter: Filter | None = None
    redact: Redact | None = None
    score: Score | None = None
