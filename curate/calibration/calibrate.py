"""Plants edits and siblings among a person's own rows, and removes near-duplicates at each
threshold, by the same code as the step does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.calibration.copies import EDITS
from curate.calibration.outcome import Calibration, Example, Point, Share
from curate.calibration.plants import Plant, plant
from curate.calibration.siblings import SIBLINGS, Pair
from curate.calibration.words import Material
from curate.frame import ROW
from curate.steps.base import StepContext
from curate.steps.configs import NearDuplicates
from curate.texts import answer_text, prompt_text
from evalsuite.similarity.edges import Candidates
from evalsuite.similarity.index import SHORT_ANSWER, Index, build_index, normalised_classes
from evalsuite.similarity.tokens import TokenTable, tokenise
from workspace.errors import DataError, UsageError

Rows = NDArray[np.int64]

THRESHOLDS = tuple(round(0.60 + 0.02 * step, 2) for step in range(20))
"""From 0.60, under which unlike rows begin to be alike, to 0.98."""
_ROUNDS = 25
_RANDOM_PAIRS = 50_000
_EXAMPLES = 5
_LEAST_ROWS = 20
_LEAST_WORDS = 5
_LEAST_PLANTS = 100


@dataclass
class _Tally:
    """Plants counted so far: by class how many there are, and how many went at each threshold."""

    planted: Counter[str]
    removed: dict[float, Counter[str]]


def calibrate(
    context: StepContext,
    *,
    precision: float = 0.99,
    seed: int = 0,
    plants: int = 2000,
    sample: int = 20_000,
) -> Calibration:
    """Measure near-duplicate removal on plants of known truth, and propose a threshold.

    Args:
        context: knows all rows.
        precision: wanted share of copies among the rows removed, above 0 and below 1.
        seed: the same one makes the same plants.
        plants: how many to make, half of them copies; in several rounds where rows are few.
        sample: most rows to draw plants from and to compare with each other.

    Raises:
        UsageError: a value that cannot be.
        DataError: fewer than 20 rows of at least five words that are no near-duplicate.
    """
    _check(precision, plants, sample)
    rng = Random(seed)
    total = len(context.ids)
    chosen = sorted(rng.sample(range(total), min(sample, total)))
    rows, marks = _texts(context, chosen)
    tables = _tokens(rows)
    context.tell(f"comparing {len(rows):,} rows with each other")
    index = _index(tables, marks)
    sources = _sources(index, rows)
    if len(sources) < _LEAST_ROWS:
        raise DataError(
            "too few rows to make plants of",
            cause=f"{len(sources)} of {len(rows):,} have {_LEAST_WORDS} words or more and no "
            f"near-duplicate; at least {_LEAST_ROWS} are needed.",
            cure="Give more rows.",
        )
    material = Material.of([text for row in rows for text in row])
    tally = _Tally(Counter(), {threshold: Counter() for threshold in THRESHOLDS})
    for number in range(_ROUNDS):
        left = plants - tally.planted.total()
        if left <= 0:
            break
        context.tell(f"plants, round {number + 1}")
        some = rng.sample(sources, min(left, len(sources)))
        planted = plant(rows, some, material, rng, _is_label)
        _count(planted, rows, tables, marks, tally)
    chance = _by_chance(index, tables, marks, rng)
    points = tuple(_point(threshold, tally, index, chance) for threshold in THRESHOLDS)
    proposed = _propose(points, precision)
    return Calibration(
        rows=total,
        sampled=len(rows),
        planted={kind: tally.planted[kind] for kind in (*EDITS, *SIBLINGS)},
        wanted=precision,
        proposed=proposed,
        points=points,
        examples=_examples(index, rows, proposed),
        notes=tuple(_notes(tally, points, proposed, precision, total, len(rows))),
    )


def _check(precision: float, plants: int, sample: int) -> None:
    if not 0 < precision < 1:
        raise UsageError(
            "this precision cannot be promised",
            where=f"precision = {precision:g}",
            cause="Expected a share above 0 and below 1, such as 0.99.",
        )
    for name, value, least in (("plants", plants, _LEAST_PLANTS), ("sample", sample, _LEAST_ROWS)):
        if value < least:
            raise UsageError(
                "too few to measure with",
                where=f"{name} = {value}",
                cause=f"Expected {least} or more.",
            )


def _texts(context: StepContext, chosen: list[int]) -> tuple[list[Pair], Rows | None]:
    wanted = pl.DataFrame({ROW: pl.Series(chosen, dtype=pl.Int64)})
    rows: list[Pair] = []
    for block in context.in_blocks():
        here = block.join(wanted.lazy(), on=ROW, how="semi", maintain_order="left")
        said = here.select(
            prompt_text(context.type).alias("prompt"), answer_text(context.type).alias("answer")
        )
        rows.extend(said.collect().iter_rows())
    marks = context.marks
    return rows, None if marks is None else marks[np.array(chosen)]


def _tokens(rows: list[Pair]) -> tuple[TokenTable, TokenTable]:
    prompts, answers = ([row[side] for row in rows] for side in (0, 1))
    return (
        tokenise(pl.Series(prompts, dtype=pl.String)),
        tokenise(pl.Series(answers, dtype=pl.String)),
    )


def _index(tables: tuple[TokenTable, TokenTable], marks: Rows | None) -> Index:
    return build_index(*tables, marks=marks, loosest=THRESHOLDS[0])


def _is_label(answer: str) -> bool:
    return len(tokenise(pl.Series([answer])).hashes) <= SHORT_ANSWER


def _sources(index: Index, rows: list[Pair]) -> list[int]:
    """Return rows long enough to be edited, none of which is itself a copy of another."""
    order = np.arange(len(rows))
    partner, _ = index.near_duplicates(order, order, THRESHOLDS[0])
    kept = np.flatnonzero(partner < 0).tolist()
    return [row for row in kept if len(rows[row][0].split()) >= _LEAST_WORDS]


def _joined(first: TokenTable, second: TokenTable) -> TokenTable:
    """Return the rows of one table, then those of the other."""
    return TokenTable(
        np.concatenate([first.hashes, second.hashes]),
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
    )


def _count(
    planted: list[Plant],
    rows: list[Pair],
    tables: tuple[TokenTable, TokenTable],
    marks: Rows | None,
    tally: _Tally,
) -> None:
    """Remove near-duplicates among the rows and the plants, and count what went."""
    new = _tokens([(made.prompt, made.answer) for made in planted])
    source = np.array([made.source for made in planted], np.int64)
    both = _joined(tables[0], new[0]), _joined(tables[1], new[1])
    index = _index(both, None if marks is None else np.concatenate([marks, marks[source]]))
    order = np.arange(len(rows) + len(planted))
    # A sibling that is equal to its source after normalising is none.
    is_copy = np.array([made.is_copy for made in planted], bool)
    own = index.class_of[len(rows) :]
    valid = is_copy | (own != index.class_of[source])
    for threshold in THRESHOLDS:
        partner, _ = index.near_duplicates(order, order, threshold)
        partner = partner[len(rows) :]
        gone = (partner >= 0) & valid
        # A sibling may really be the copy of another row: only for its source's sake is it false.
        gone &= is_copy | (index.class_of[partner] == index.class_of[source])
        went = np.flatnonzero(gone).tolist()
        tally.removed[threshold].update(planted[place].kind for place in went)
    tally.planted.update(made.kind for made, counts in zip(planted, valid, strict=True) if counts)


def _by_chance(
    index: Index, tables: tuple[TokenTable, TokenTable], marks: Rows | None, rng: Random
) -> tuple[Index, int]:
    """Compare pairs of rows drawn by chance; equal ones are left out."""
    classes = normalised_classes(*tables, marks)
    filled = (tables[0].lengths + tables[1].lengths)[classes.chiefs] > 0
    chiefs = classes.chiefs[filled]
    draw = np.random.default_rng(rng.randrange(2**32))
    first, second = draw.integers(0, chiefs.size, (2, _RANDOM_PAIRS))
    low, high = np.minimum(first, second), np.maximum(first, second)
    keys = np.unique((low * chiefs.size + high)[low != high])
    pairs = Candidates(chiefs[keys // chiefs.size], chiefs[keys % chiefs.size], 0)
    compared = build_index(*tables, classes, marks, loosest=THRESHOLDS[0], only=pairs)
    return compared, keys.size


def _point(threshold: float, tally: _Tally, index: Index, chance: tuple[Index, int]) -> Point:
    removed = tally.removed[threshold]
    copies, siblings = (
        (sum(removed[kind] for kind in kinds), sum(tally.planted[kind] for kind in kinds))
        for kinds in (EDITS, SIBLINGS)
    )
    # As if there were as many siblings as copies: some rows have nothing to change.
    false = round(siblings[0] * copies[1] / siblings[1]) if siblings[1] else 0
    false = max(false, min(siblings[0], 1))
    alarms, pairs = chance
    return Point(
        threshold=threshold,
        precision=Share(copies[0], copies[0] + false),
        recall=Share(*copies),
        removed={
            kind: Share(removed[kind], tally.planted[kind])
            for kind in (*EDITS, *SIBLINGS)
            if tally.planted[kind]
        },
        random_pairs=Share(_called(alarms, threshold), pairs),
        real_pairs=_called(index, threshold),
    )


def _called(index: Index, threshold: float) -> int:
    return int(np.count_nonzero(index.duplicate & (index.score >= threshold)))


def _propose(points: tuple[Point, ...], wanted: float) -> float | None:
    """Return the lowest threshold at which precision is surely as wanted, and at no higher less.

    Sure is the lower limit; beyond, where few rows go and limits are wide, the share itself counts.
    """
    proposed = None
    for point in reversed(points):
        value = point.precision.value
        if value is not None and value < wanted:
            break
        if point.precision.interval.low >= wanted:
            proposed = point.threshold
    return proposed


def _examples(index: Index, rows: list[Pair], proposed: float | None) -> tuple[Example, ...]:
    near = NearDuplicates().threshold if proposed is None else proposed
    pairs = np.flatnonzero(index.duplicate)
    nearest = pairs[np.argsort(np.abs(index.score[pairs] - near), kind="stable")][:_EXAMPLES]
    return tuple(
        Example(
            float(index.score[pair]),
            "\n\n".join(rows[index.first[pair]]).strip(),
            "\n\n".join(rows[index.second[pair]]).strip(),
        )
        for pair in nearest.tolist()
    )


def _notes(
    tally: _Tally,
    points: tuple[Point, ...],
    proposed: float | None,
    wanted: float,
    total: int,
    sampled: int,
) -> list[str]:
    notes = []
    if sampled < total:
        notes.append(f"{sampled:,} of {total:,} rows were drawn; pairs are counted among them.")
    bare = [kind for kind in (*EDITS, *SIBLINGS) if not tally.planted[kind]]
    if bare:
        notes.append(f"No row could be made a plant of: {', '.join(bare)}.")
    if proposed is None:
        best = max(points, key=lambda point: point.precision.interval.low)
        notes.append(
            f"At no threshold is the precision sure to be {wanted:g}; the best is "
            f"{best.precision.interval.low:.3f} at {best.threshold:g}. More plants narrow the "
            "interval; classes of siblings that go at every threshold differ in too few words."
        )
    return notes
