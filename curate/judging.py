"""The pairs of rows nearest to a threshold, judged by a person, and the threshold that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curate.texts import shown_answer, shown_prompt
from curate.trying import Trial

MOST_PAIRS = 60


@dataclass(frozen=True)
class NearPair:
    """Two rows that are nearly as alike as the threshold."""

    row: str
    """Id of the one that goes if one goes."""
    partner: str
    similarity: float
    is_dropped: bool
    """Whether the step drops the row as its settings are."""
    row_text: str
    partner_text: str


@dataclass(frozen=True)
class Judged:
    """What a person said of a pair."""

    similarity: float
    is_copy: bool


def near_pairs(trial: Trial, *, most: int = MOST_PAIRS) -> list[NearPair]:
    """Return the pairs nearest to the threshold of `near_duplicates`, half of them on either side.

    Only pairs count of which the similarity alone decides: answers, numbers and negations agree.
    """
    threshold = float(trial.step.settings["threshold"])
    trial.tried(trial.step.settings)  # compares the rows
    index, ids = trial.context.index, trial.context.ids
    pairs = np.flatnonzero(index.duplicate)
    order = pairs[np.argsort(np.abs(index.score[pairs] - threshold), kind="stable")]
    over = order[index.score[order] >= threshold][: most // 2]
    under = order[index.score[order] < threshold][: most // 2]
    chosen = np.concatenate([over, under])
    chosen = chosen[np.argsort(np.abs(index.score[chosen] - threshold), kind="stable")]
    first = np.minimum(index.first[chosen], index.second[chosen]).tolist()
    second = np.maximum(index.first[chosen], index.second[chosen]).tolist()
    texts = _texts(trial, sorted({*first, *second}))
    dropped = _dropped(trial)
    found = []
    for a, b, score in zip(first, second, index.score[chosen].tolist(), strict=True):
        keep, go = (b, a) if _goes(ids[a], ids[b], dropped, texts[a], texts[b]) else (a, b)
        gone = score >= threshold and ids[go] in dropped
        found.append(NearPair(ids[go], ids[keep], score, gone, texts[go], texts[keep]))
    return found


def _goes(first: str, second: str, dropped: set[str], one: str, other: str) -> bool:
    """Return whether the first goes: it was dropped and the other not, or it is the shorter."""
    if (first in dropped) != (second in dropped):
        return first in dropped
    return len(one) < len(other)


def _dropped(trial: Trial) -> set[str]:
    from curate.one_step import step_config
    from curate.steps.registry import make_step

    step = make_step(step_config(trial.step.name, trial.step.settings))
    rows = step.apply(trial.context.base, trial.context).dropped["_row"]
    return set(trial.context.ids.gather(rows))


def _texts(trial: Trial, rows: Sequence[int]) -> Mapping[int, str]:
    import polars as pl

    kind = trial.context.type
    both = pl.concat_str(shown_prompt(kind), shown_answer(kind), separator="\n\n")
    held = trial.context.base.filter(pl.col("_row").is_in(list(rows)))
    return dict(held.select("_row", both.alias("text")).collect().iter_rows())


def fitted(judged: Sequence[Judged], threshold: float) -> float:
    """Return the threshold at which fewest judgements are broken, the nearest to the one given.

    A judgement is broken by a copy below the threshold, or by rows at or above it that are none.

    >>> fitted([Judged(0.83, True), Judged(0.81, False)], 0.8)
    0.82
    >>> fitted([], 0.8)
    0.8
    """
    values = sorted({one.similarity for one in judged})
    between = [(low + high) / 2 for low, high in pairwise(values)]
    ends = [values[0] - 0.005, values[-1] + 0.005] if values else []
    tried = [threshold, *(round(min(1.0, one), 3) for one in (*between, *ends))]

    def broken(at: float) -> int:
        return sum(one.is_copy != (one.similarity >= at) for one in judged)

    return min(tried, key=lambda at: (broken(at), abs(at - threshold)))
