"""Which rows go by their scores, and what is told of all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.reasons import Reason
from curate.steps.scoring.configs import Reward, ScoreConfig
from workspace.text import plain

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]
_SHOWN_KINDS = 5
_LONGEST = 160


@dataclass
class Verdicts:
    """Which rows go: one reason and one sentence each."""

    reason: list[str]
    """Of every row; empty where it stays."""
    detail: list[str]

    @classmethod
    def none(cls, rows: int) -> Verdicts:
        """No row goes."""
        return cls([""] * rows, [""] * rows)

    @property
    def goes(self) -> Rows:
        """Places of the rows that go, ascending."""
        return np.flatnonzero(np.array([bool(one) for one in self.reason], bool)).astype(np.int64)

    def drop(self, place: int, reason: Reason, detail: str) -> None:
        """Let a row go, unless it goes already."""
        if not self.reason[place]:
            self.reason[place], self.detail[place] = reason.value, detail


def judged(
    config: ScoreConfig, values: Mapping[str, Numbers], missing: Mapping[int, str]
) -> Verdicts:
    """Hold scores against thresholds.

    Args:
        config: the thresholds.
        values: column → score of each row, NaN where there is none; shape (rows,).
        missing: place → why there is no score.
    """
    column = config.column
    scores = values[column]
    verdicts = Verdicts.none(scores.size)
    if config.without == "drop":
        for place, reason in missing.items():
            verdicts.drop(place, Reason.NO_SCORE, f"{column}: {plain(reason, _LONGEST)}")
    if config.min is not None:
        for place in np.flatnonzero(scores < config.min).tolist():
            told = f"{column} {shown(scores[place])} < {config.min:g}"
            verdicts.drop(place, Reason.UNDER_SCORE, told)
    if config.max is not None:
        for place in np.flatnonzero(scores > config.max).tolist():
            told = f"{column} {shown(scores[place])} > {config.max:g}"
            verdicts.drop(place, Reason.OVER_SCORE, told)
    if isinstance(config, Reward) and config.min_margin is not None:
        _drop_margins(config, config.min_margin, values, verdicts)
    if config.keep_share is not None:
        _drop_beyond_share(config, config.keep_share, scores, verdicts)
    return verdicts


def _drop_margins(
    config: Reward, least: float, values: Mapping[str, Numbers], verdicts: Verdicts
) -> None:
    chosen, column = values[config.column], config.column
    rejected, margin = values[f"{column}_rejected"], values[f"{column}_margin"]
    for place in np.flatnonzero(margin < least).tolist():
        told = (
            f"{column}_margin {shown(margin[place])} < {least:g}: chosen {shown(chosen[place])}, "
            f"rejected {shown(rejected[place])}"
        )
        verdicts.drop(place, Reason.LOW_MARGIN, told)


def _drop_beyond_share(
    config: ScoreConfig, share: float, scores: Numbers, verdicts: Verdicts
) -> None:
    """Keep the best of those that stay so far; ties with the last one kept stay."""
    held = ~np.isnan(scores)
    held[verdicts.goes] = False
    places = np.flatnonzero(held)
    if not places.size:
        return
    count = max(1, round(share * places.size))
    sign = 1.0 if config.keeps_highest else -1.0
    ranked = np.sort(sign * scores[places])[::-1]
    edge = sign * ranked[count - 1]
    end, less = ("highest", "<") if config.keeps_highest else ("lowest", ">")
    for place in places[sign * scores[places] < ranked[count - 1]].tolist():
        told = (
            f"{config.column} {shown(scores[place])} {less} {shown(edge)}, the last of the {end} "
            f"{share:.0%}"
        )
        verdicts.drop(place, Reason.OUTSIDE_SHARE, told)


def told(column: str, scores: Numbers, missing: Mapping[int, str]) -> tuple[str, ...]:
    """Return what a person should know of the scores, one sentence each."""
    found = scores[~np.isnan(scores)]
    notes = []
    if found.size:
        low, middle, high = (shown(one) for one in np.quantile(found, [0.05, 0.5, 0.95]))
        notes.append(
            f"{column} of {found.size:,} rows: median {middle}, 5 % below {low}, 5 % above {high}."
        )
    if missing:
        kinds = Counter(reason.partition(":")[0] for reason in missing.values())
        for kind, count in kinds.most_common(_SHOWN_KINDS):
            first = next(one for one in missing.values() if one.partition(":")[0] == kind)
            notes.append(f"{rows_have(count)} no {column}; for example: {plain(first, _LONGEST)}.")
        others = len(missing) - sum(count for _, count in kinds.most_common(_SHOWN_KINDS))
        if others:
            notes.append(f"{rows_have(others)} no {column} for other reasons.")
    return tuple(notes)


def rows_have(count: int) -> str:
    """Return the beginning of a sentence on so many rows.

    >>> rows_have(1), rows_have(1200)
    ('1 row has', '1,200 rows have')
    """
    return f"{count:,} {'row has' if count == 1 else 'rows have'}"


def shown(value: float) -> str:
    """Return a number with four digits that count.

    >>> shown(0.123456), shown(12345.6), shown(-3.0)
    ('0.1235', '12346', '-3')
    """
    if value and math.isfinite(value) and abs(value) >= 1e4:
        return f"{value:.0f}"
    return f"{value:.4g}"
