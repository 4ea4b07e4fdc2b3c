"""What `balance` and `mix` can be told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from curate.amounts import Amount
from curate.embedding.configs import Topics
from workspace.recipe import Section
from workspace.shares import Share

Count = Literal["tokens", "rows"]
Keep = Literal["hash", "first", "longest", "quality"]
Size = Literal["down", "same", "up"] | Annotated[int, Field(ge=1)]


def _several(value: object) -> object:
    """Read one name, or several with commas between, as a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]


class Rebalance(Section):
    """How rows are counted, and which go or are repeated."""

    count: Count = "tokens"
    """`tokens`: what training learns from, the tokens of the answers; counted by the recipe's
    model, or where none is known as words and symbols, and the notes say which. `rows`: rows."""
    keep: Keep = "hash"
    """Which rows of a group come first: by a hash of their ids (so that a row added moves no
    other), in their order, with the longest answer, or with the highest `quality`. The first stay
    and are repeated. Rows that a step made come last whatever this says."""
    max_repeats: Annotated[int, Field(ge=1)] = 4
    """How often a row may be in the dataset, itself included. Beyond four times a row teaches
    little more (arXiv 2305.16264) and is learnt by heart."""
    seed: int = 0
    """Another seed orders the hashes in another way."""


class Balance(Rebalance):
    """Give each label, source, length or language its share."""

    by: Names = ("label",)
    """What makes a group: `label`, `topic` (a cluster of vectors), `source`, `answer` (the text of
    a short answer), `length` (a band of words), `language` (of fastText's small model, where it is
    sure), `script` (the writing system), `difficulty` or `difficulty:SCORE` (easy, medium and hard
    thirds by a score of a `score` step), a score (low, middle and high thirds, or each grade of a
    judge), or a column such as `document`. Several make one group of each combination. Rows
    without a value are left as they are."""
    topics: Topics | None = None
    """How to find topics for `by: topic`; left out: those of the step `topics` before this one."""
    cap: Amount | None = None
    """At most so many tokens (or rows) of each group, or below 1 at most this share of all."""
    upsample: Literal["max"] | Annotated[int, Field(ge=1)] | None = None
    """Repeat rows of groups with fewer than this; `max`: than the largest group, after the cap."""
    target: dict[str, Share] | None = None
    """Group → its share; `*` is what the groups not named have together. Several values of `by`
    are written `a / b`. Shares add up to 1."""
    temperature: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Shares as n^(1/T) of what there is: 1 leaves them, higher makes groups more alike."""
    size: Size = "down"
    """Of the whole, with `target` or `temperature`: `down` is the most that repeats no row, `up`
    the least that drops none, `same` as much as there is, or a number."""
    length_bands: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (
        16,
        64,
        256,
        1024,
    )
    """Words at which the next band of `by: length` begins; prompt and answer count."""

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        given = [name for name in ("target", "temperature") if getattr(self, name) is not None]
        if self.cap is not None or self.upsample is not None:
            given.append("cap and upsample")
        if len(given) != 1:
            raise ValueError("one of: cap and/or upsample, target, temperature")
        if self.cap == 0:
            raise ValueError("cap: above 0")
        if (
            isinstance(self.upsample, int)
            and self.cap is not None
            and 1 <= self.cap < self.upsample
        ):
            raise ValueError("upsample must not be above cap")
        if self.target is not None and abs(sum(self.target.values()) - 1) > 1e-6:
            raise ValueError(f"shares of target add up to {sum(self.target.values()):g}, not to 1")
        if self.topics is not None and "topic" not in self.by:
            raise ValueError("topics without `by: topic`")
        if list(self.length_bands) != sorted({*self.length_bands}):
            raise ValueError("length_bands ascend")
        return self


class Mix(Rebalance):
    """How the sources with a `weight` become one dataset: by shares of tokens or rows."""

    size: Size = "down"
    """Of the whole: `down` is the most that repeats no row, `up` the least that drops none, `same`
    as much as there is, or a number."""
