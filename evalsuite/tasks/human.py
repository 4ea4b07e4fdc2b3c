"""What people said of answers, in a row's field `human`: what a judge is held against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from evalsuite.scorers import JudgeScorer, PairwiseScorer, TaskScorer

FIELD = "human"
_CHOICES = ("one", "other", "neither")


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """One person's verdict on one answer, or on two."""

    answers: tuple[str, ...]
    """The answer that was graded, or the two that were compared."""
    verdict: str
    """The grade as written; or `one`, `other` or `neither`."""


def read_labels(value: Any, scorer: TaskScorer | None) -> tuple[HumanLabel, ...]:
    """Return the labels in a row's field `human`; none where the scorer is no judge.

    For `judge`: `[{"answer": "…", "grade": 4}]`; for `pairwise`:
    `[{"one": "…", "other": "…", "better": "one"}]`. Text is read as JSON.

    Raises:
        ValueError: anything else, with what was found and what was expected.
    """
    if value is None or not isinstance(scorer, JudgeScorer | PairwiseScorer):
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("text that is not JSON; a list of labels") from None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("no list of objects; a list of labels")
    if isinstance(scorer, JudgeScorer):
        return tuple(_grade(one, scorer.scale) for one in value)
    return tuple(map(_choice, value))


def _grade(label: dict[str, Any], scale: tuple[int, int]) -> HumanLabel:
    answer, grade = label.get("answer"), label.get("grade")
    grades = range(scale[0], scale[1] + 1)
    if not isinstance(answer, str) or isinstance(grade, bool | float) or grade not in grades:
        raise ValueError(f"{label!r}; an `answer` and a `grade` from {scale[0]} to {scale[1]}")
    return HumanLabel((answer,), str(grade))


def _choice(label: dict[str, Any]) -> HumanLabel:
    one, other, better = (label.get(name) for name in ("one", "other", "better"))
    if not isinstance(one, str) or not isinstance(other, str) or better not in _CHOICES:
        raise ValueError(f"{label!r}; `one`, `other`, and `better`: {', '.join(_CHOICES)}")
    return HumanLabel((one, other), better)
