"""Train, validation and test, by groups: what is alike is on one side.

Groups are the connected components of all rows that were read, before any was removed: two
siblings that survive removal are tied by a third that did not. Similarity here is looser than in
any removal step, and equal prompts, documents, conversations and parents tie as well. A made row
(one with parents) stays with its parents, and a group that holds one is never put in test. A group
with a planted string stays in train: set aside, it would tell nothing of what training recites.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import IMAGES, ROW
from curate.recipe import Split
from curate.schema import CANARY
from curate.steps.base import StepContext
from curate.strata import fill_strata, shares_told, strata_of
from curate.texts import answer_text, prompt_text
from evalsuite.similarity.cluster import components
from evalsuite.similarity.leaks import Searched
from evalsuite.similarity.tokens import joined, sequence_hashes

if TYPE_CHECKING:
    from curate.steps.balancing.cells import Cells

Rows = NDArray[np.int64]
SPLITS = ("train", "validation", "test")
_ROUNDS = 5
_MARKS = ("document", "conversation", "parents", "id", "user_id", CANARY)


@dataclass(frozen=True)
class Assignment:
    """Which row is in which split, and how that came about."""

    split: NDArray[np.int64]
    """Place in `SPLITS` of each row asked about."""
    group: Rows
    """Group of each of them: the smallest row number in it."""
    leaks: dict[str, int]
    """Rows of train or validation in which a row of a later split was still found."""
    joined_rounds: int
    """How often groups had to be joined because the check found them alike after all."""
    largest_group: int
    """Kept rows in the largest group."""
    strata_notes: tuple[str, ...] = ()
    """What shares the strata have, if there are any."""


def split_rows(rows: Rows, frame: pl.LazyFrame, split: Split, context: StepContext) -> Assignment:
    """Put each of `rows` into a split.

    Args:
        rows: positions of the kept rows, ascending.
        frame: those rows.
        split: what the recipe asks for.
        context: knows all rows that were read.
    """
    table = context.base.select(ROW, *_MARKS)
    marks = table.sort(ROW).collect()
    if not split.validation and not split.test:
        return Assignment(np.zeros(rows.size, np.int64), rows.copy(), {}, 0, 1)
    first, second = _ties(marks, split, context)
    made = marks["parents"].list.len().fill_null(0).to_numpy() > 0
    planted = marks[CANARY].is_not_null().to_numpy()
    strata = strata_of(rows, split, context)
    check, rounds = _LeakCheck.of(rows, frame, context), 0
    while True:
        group = components(len(marks), first, second)
        assigned = _assign(rows, group, (made, planted), context.ids, split, strata)
        crossing = check.crossing(assigned)
        if not crossing[0].size or rounds == _ROUNDS:
            break
        rounds += 1
        first = np.concatenate([first, rows[crossing[0]]])
        second = np.concatenate([second, rows[crossing[1]]])
    _, sizes = np.unique(group[rows], return_counts=True)
    leaks = {
        SPLITS[place]: int(np.unique(crossing[0][assigned[crossing[0]] == place]).size)
        for place in (0, 1)
    }
    notes = () if strata is None else shares_told(strata, assigned, split)
    return Assignment(assigned, group[rows], leaks, rounds, int(sizes.max(initial=0)), notes)


def _ties(marks: pl.DataFrame, split: Split, context: StepContext) -> tuple[Rows, Rows]:
    """Return pairs of rows that belong together."""
    pairs = [_same_pictures(*context.index.links(split.similarity), context)]
    prompts = sequence_hashes(context.prompts).astype(np.uint64)
    filled = context.prompts.lengths > 0
    keys = [pl.Series(prompts).set(pl.Series(~filled), None), marks["document"]]
    for key in (*keys, marks["conversation"]):
        pairs.append(_equal(key))
    pairs.append(_parents(marks))
    pairs.append(_shared_pictures(context))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _same_pictures(first: Rows, second: Rows, context: StepContext) -> tuple[Rows, Rows]:
    """Leave out pairs whose images differ: one question to many images is many questions."""
    same = _same(first, second, context)
    return first[same], second[same]


def _same(first: Rows, second: Rows, context: StepContext) -> NDArray[np.bool_]:
    """Return for which pairs of rows the images are the same."""
    if context.pictures is None:
        return np.ones(first.size, bool)
    return np.asarray(context.pictures[first] == context.pictures[second])


def _shared_pictures(context: StepContext) -> tuple[Rows, Rows]:
    """Tie rows that show the same image: their questions are about one thing."""
    if context.pictures is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    digest = pl.col(IMAGES).list.eval(pl.element().struct.field("digest"))
    table = context.base.select(ROW, digest.alias("digest")).collect()
    shown = table.explode("digest").drop_nulls("digest")
    tied = shown.with_columns(pl.col(ROW).first().over("digest").alias("first"))
    tied = tied.filter(pl.col(ROW) != pl.col("first"))
    return tied["first"].to_numpy().astype(np.int64), tied[ROW].to_numpy().astype(np.int64)


def _equal(key: pl.Series) -> tuple[Rows, Rows]:
    """Tie each row to the first one with the same key; rows without a key are left alone."""
    frame = pl.DataFrame({"key": key, "row": pl.int_range(len(key), eager=True)})
    tied = frame.drop_nulls("key").with_columns(pl.col("row").first().over("key").alias("first"))
    tied = tied.filter(pl.col("row") != pl.col("first"))
    return tied["first"].to_numpy().astype(np.int64), tied["row"].to_numpy().astype(np.int64)


def _parents(marks: pl.DataFrame) -> tuple[Rows, Rows]:
    """Tie a made row to its parents (by id or the user's own id), and to its siblings."""
    children = marks.select(ROW, pl.col("parents").alias("parent")).explode("parent")
    children = children.drop_nulls("parent")
    siblings = children.with_columns(pl.col(ROW).first().over("parent").alias("other"))
    names = pl.concat(
        [
            marks.select(pl.col("id").alias("parent"), pl.col(ROW).alias("other")),
            marks.select(pl.col("user_id").alias("parent"), pl.col(ROW).alias("other")),
        ]
    ).drop_nulls("parent")
    both = pl.concat(
        [siblings.select(ROW, "other"), children.join(names, on="parent")[[ROW, "other"]]]
    )
    both = both.filter(pl.col(ROW) != pl.col("other"))
    return both[ROW].to_numpy().astype(np.int64), both["other"].to_numpy().astype(np.int64)


def _assign(
    rows: Rows,
    group: Rows,
    marked: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ids: pl.Series,
    split: Split,
    strata: Cells | None,
) -> NDArray[np.int64]:
    """Fill test, then validation, with whole groups in the order of their hashes.

    A group goes in while it fits; so each split misses its size by less than one group.

    Args:
        rows: the kept ones.
        group: of every row.
        marked: which rows were made, and which are planted strings.
        ids: of every row.
        split: the sizes asked for.
        strata: of the kept rows, if each is to have its share.
    """
    labels, places, sizes = np.unique(group[rows], return_inverse=True, return_counts=True)
    holds_made, holds_planted = (np.isin(labels, group[one]) for one in marked)
    keys = [
        hashlib.blake2b(f"{split.seed}:{name}".encode(), digest_size=8).digest()
        for name in ids.gather(labels)
    ]
    free = np.flatnonzero(~holds_planted).tolist()
    order = sorted(free, key=keys.__getitem__)
    if strata is not None:
        return np.asarray(fill_strata(order, places, holds_made, strata, split)[places])
    assigned = np.zeros(labels.size, np.int64)
    for place, wanted in ((2, split.test), (1, split.validation)):
        room = _target(wanted, rows.size)
        for label in order:
            if room <= 0:
                break
            if assigned[label] or sizes[label] > room or (place == 2 and holds_made[label]):
                continue
            assigned[label] = place
            room -= int(sizes[label])
    return np.asarray(assigned[places])


def _target(wanted: float, rows: int) -> int:
    return round(wanted * rows) if wanted < 1 else int(wanted)


@dataclass(frozen=True)
class _LeakCheck:
    """The kept rows, read once for as many checks as are needed."""

    rows: Rows
    context: StepContext
    questions: pl.Series
    answers: pl.Series
    searched: Searched

    @classmethod
    def of(cls, rows: Rows, frame: pl.LazyFrame, context: StepContext) -> _LeakCheck:
        texts = frame.sort(ROW).select(
            prompt_text(context.type, system=False).alias("prompt"),
            answer_text(context.type).alias("answer"),
            (prompt_text(context.type) != prompt_text(context.type, system=False)).alias("longer"),
        )
        table = texts.collect()
        asked = context.prompts.take(rows)
        searched = Searched.of(
            table["prompt"],
            joined(asked, context.answers.take(rows)),
            asked=None if table["longer"].any() else asked,
            tick=context.advance,
        )
        return cls(rows, context, table["prompt"], table["answer"], searched)

    def crossing(self, assigned: NDArray[np.int64]) -> tuple[Rows, Rows]:
        """Find rows that hold a row of a later split, by the same check as against evaluations.

        Returns places in `rows`: of the row that leaks, and of the one it leaks.
        """
        leaking, leaked = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for place in (1, 2):
            held = np.flatnonzero(assigned == place)
            before = np.flatnonzero(assigned < place)
            if not held.size or not before.size:
                continue
            found = self.searched.take(before).leaks(
                self.questions.gather(held), self.answers.gather(held), tick=self.context.advance
            )
            first, second = before[found.row], held[found.item]
            kept = _same(self.rows[first], self.rows[second], self.context)
            leaking.append(first[kept])
            leaked.append(second[kept])
        return np.concatenate(leaking), np.concatenate(leaked)
