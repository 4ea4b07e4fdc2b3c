"""What a step is: rows in; rows kept and rows dropped out, each drop with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import ALTERED, DROPPED, IMAGES, NEAREST, ROW, SIMILARITIES
from curate.reasons import Reason
from curate.scores import Scores
from curate.texts import answer_text, prompt_text
from evalsuite.similarity.index import Classes, Index, build_index, normalised_classes
from evalsuite.similarity.tokens import BLOCK_ROWS, TokenTable, tokenise
from workspace.layout import Workspace
from workspace.recipe import Section

Rows = NDArray[np.int64]
T = TypeVar("T")
Depends = dict[str, Any]
"""What decides about a step's outcome beside the rows, as JSON can say it."""
_COMPUTED = ("ids", "prompts", "answers", "marks", "pictures", "classes", "index")


def computed(name: str, kind: type[T], compute: Callable[[], T]) -> T:
    """Compute what steps share; a curation with a cache looks there first."""
    return compute()


class Recall(Protocol):
    """Returns what steps share about all rows, from a cache or computed."""

    def __call__(self, name: str, kind: type[T], compute: Callable[[], T]) -> T:
        """Return a dataclass of arrays.

        Args:
            name: what it is called; another name for other settings.
            kind: the dataclass.
            compute: makes it of the rows as they are now.
        """
        ...


@dataclass
class StepContext:
    """What steps share: where they are, and what was computed once over all rows read."""

    base: pl.LazyFrame
    """All rows before the first step, `_row` counting 0, 1, 2 …"""
    type: str
    """The dataset type."""
    workspace: Workspace
    base_dir: Path
    """What relative paths in a step's settings are relative to."""
    loosest: float = 0.6
    """The least similarity that anything will ask of the index."""
    tell: Callable[[str], None] = field(default=lambda text: None)
    model: Path | None = None
    """A model directory whose tokenizer counts tokens; None: none is known."""
    check_stop: Callable[[], None] = field(default=lambda: None)
    """Raises if a signal asked for a stop; long steps call it between blocks."""
    private: list[Private] = field(default_factory=list)
    """What the steps so far set aside for its owner alone."""
    recall: Recall = field(default=computed)
    """Where what is computed once over all rows may be found."""
    advance: Callable[[int, int, str], None] = field(default=lambda done, total, what: None)
    """Told how many of how many units are done in a long stage; may raise `Stopped`."""
    nearest: list[pl.DataFrame] = field(default_factory=list)
    """Pairs of rows that the steps so far nearly kept or nearly dropped."""
    similarities: list[pl.DataFrame] = field(default_factory=list)
    """How alike the rows are that the steps so far compared."""

    def rebase(self, base: pl.LazyFrame) -> None:
        """Go on with changed or more rows: what was computed of the old ones is forgotten."""
        self.base = base
        for name in _COMPUTED:
            self.__dict__.pop(name, None)

    def ask_from(self, loosest: float) -> None:
        """Ask for pairs from another least similarity on; rows are compared anew."""
        if loosest != self.loosest:
            self.loosest = loosest
            self.__dict__.pop("index", None)

    @cached_property
    def ids(self) -> pl.Series:
        """Id of every row, at its position."""
        return self.base.select("id").collect()["id"]

    def in_blocks(self) -> Iterator[pl.LazyFrame]:
        """Yield all rows, a block at a time, so that the texts of a few are in memory."""
        for begin in range(0, len(self.ids), BLOCK_ROWS):
            self.advance(begin, len(self.ids), "rows")
            yield self.base.slice(begin, BLOCK_ROWS)

    def tokens_of(self, text: pl.Expr) -> TokenTable:
        """Tokens of a text of every row, at its position; computed anew at each call."""
        return tokenise(
            block.select(text.alias("text")).collect()["text"] for block in self.in_blocks()
        )

    @cached_property
    def prompts(self) -> TokenTable:
        """Tokens of every row's prompt."""
        return self.recall(
            "words of the prompts", TokenTable, lambda: self.tokens_of(prompt_text(self.type))
        )

    @cached_property
    def answers(self) -> TokenTable:
        """Tokens of every row's answer."""
        return self.recall(
            "words of the answers", TokenTable, lambda: self.tokens_of(answer_text(self.type))
        )

    @cached_property
    def marks(self) -> Rows | None:
        """A number that equal rows must share beside their text: KTO's label."""
        if self.type != "unpaired_preference":
            return None
        label = self.base.select(pl.col("label").cast(pl.Int64)).collect()["label"]
        return label.to_numpy().astype(np.int64)

    @cached_property
    def pictures(self) -> Rows | None:
        """A number for each row that rows with the same images share; None where none has any."""
        if IMAGES not in self.base.collect_schema().names():
            return None
        digests = pl.col(IMAGES).list.eval(pl.element().struct.field("digest")).list.join(" ")
        table = self.base.select(digests.fill_null("").alias("digests")).collect()
        _, codes = np.unique(table["digests"].to_numpy(), return_inverse=True)
        return codes.astype(np.int64)

    @cached_property
    def classes(self) -> Classes:
        """Which rows are equal after normalising."""
        return self.recall(
            "equal rows",
            Classes,
            lambda: normalised_classes(self.prompts, self.answers, self.marks),
        )

    @cached_property
    def index(self) -> Index:
        """Which rows are alike."""
        name = f"rows alike (from {self.loosest!r})"
        return self.recall(name, Index, self._compared)

    @property
    def apart(self) -> Rows | None:
        """A number that rows must share to be alike: of their label and their images."""
        if self.pictures is None:
            return self.marks
        # a mark in a long text alone would leave it nearly the same
        return self.pictures * 2 + (0 if self.marks is None else self.marks)

    def _compared(self) -> Index:
        self.tell(f"comparing {len(self.ids):,} rows with each other")
        return build_index(
            self.prompts,
            self.answers,
            self.classes,
            self.apart,
            loosest=self.loosest,
            tick=self.advance,
        )


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema=ALTERED)


def _no_pairs() -> pl.DataFrame:
    return pl.DataFrame(schema=NEAREST)


def _no_similarities() -> pl.DataFrame:
    return pl.DataFrame(schema=SIMILARITIES)


@dataclass(frozen=True)
class Private:
    """What a step sets aside for its owner alone; it is never part of a dataset."""

    path: Path
    """Where it goes, mode 0600."""
    rows: pl.DataFrame
    """Written as JSON Lines."""


@dataclass(frozen=True)
class Outcome:
    """What a step did."""

    kept: pl.LazyFrame
    """The rows that stay, changed ones as they are now, made ones at the end."""
    dropped: pl.DataFrame
    """`_row`, `step`, `reason`, `detail`, `duplicate_of` (an id or null) of each row dropped."""
    notes: tuple[str, ...] = ()
    """What else a person should know of the rows, one sentence each; published with them."""
    run_notes: tuple[str, ...] = ()
    """What a person should know of this run alone: another one makes the same rows."""
    changed: pl.DataFrame = field(default_factory=_none)
    """`_row`, `step`, `reason`, `detail` of each row whose text is another than before."""
    made: pl.DataFrame = field(default_factory=_none)
    """The same of each new row; new rows are numbered on from the last of all rows."""
    private: Private | None = None
    nearest: pl.DataFrame = field(default_factory=_no_pairs)
    """The pairs nearest to the step's threshold, a few on either side; columns of `NEAREST`."""
    similarities: pl.DataFrame = field(default_factory=_no_similarities)
    """How many pairs are how alike; columns of `SIMILARITIES`."""
    marked: bool = False
    """`kept` says something new of rows in a mark such as `topic`; texts are as they were."""
    scores: Scores | None = None
    """Numbers that the step measured; `kept` has them too."""

    def with_scores(self, scores: Scores) -> Outcome:
        """Return the outcome with what was measured."""
        return replace(self, scores=scores)


class Step(Protocol):
    """One act of curation.

    A step whose outcome may be kept has a method `depends_on(context) -> Depends | None`; None, or
    no such method, has it applied anew every time.
    """

    name: ClassVar[str]
    scope: ClassVar[Literal["row", "global"]]
    """`row`: decides row by row, so any partition can be done by itself. `global`: needs all."""

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Decide on the rows that are still there."""
        ...


def settings_of(config: Section) -> Depends:
    """Return the settings of a step that depends on nothing else."""
    return {"settings": config.model_dump(mode="json")}


def positions(frame: pl.LazyFrame) -> Rows:
    """Return the positions of the rows that are still there, ascending."""
    rows = frame.select(ROW).collect()[ROW].to_numpy().astype(np.int64)
    return np.sort(rows)


def dropped_rows(
    step: str,
    rows: Rows,
    reason: Reason | list[str],
    detail: list[str],
    duplicate_of: pl.Series | None = None,
) -> pl.DataFrame:
    """Return the account of rows that a step drops."""
    reasons = [reason.value] * rows.size if isinstance(reason, Reason) else reason
    return pl.DataFrame(
        {
            ROW: rows,
            "step": [step] * rows.size,
            "reason": reasons,
            "detail": detail,
            "duplicate_of": duplicate_of if duplicate_of is not None else [None] * rows.size,
        },
        schema=DROPPED,
    )


def altered_rows(step: str, rows: Rows, reason: list[str], detail: list[str]) -> pl.DataFrame:
    """Return the account of rows that a step changes or makes."""
    return pl.DataFrame(
        {ROW: rows, "step": [step] * rows.size, "reason": reason, "detail": detail},
        schema=ALTERED,
    )


def split_off(frame: pl.LazyFrame, dropped: pl.DataFrame, notes: tuple[str, ...] = ()) -> Outcome:
    """Return the outcome of dropping these rows from `frame`."""
    if dropped.is_empty():
        return Outcome(frame, dropped, notes)
    kept = frame.join(dropped.lazy().select(ROW), on=ROW, how="anti", maintain_order="left")
    return Outcome(kept, dropped, notes)
