"""Scorers: functions from an output and an item to a score.

Adding one is adding a file and its line in `Scorer`: the schema shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BeforeValidator, Field

from evalsuite.scorers.code import CodeScorer
from evalsuite.scorers.constraints import ConstraintsScorer
from evalsuite.scorers.contains import ContainsScorer
from evalsuite.scorers.exact import ExactScorer
from evalsuite.scorers.f1 import F1Scorer
from evalsuite.scorers.json_fields import JsonScorer
from evalsuite.scorers.json_schema import JsonSchemaScorer
from evalsuite.scorers.language import LanguageScorer
from evalsuite.scorers.length import LengthScorer
from evalsuite.scorers.maths import MathsScorer
from evalsuite.scorers.normalised import NormalisedScorer
from evalsuite.scorers.numeric import NumericScorer, last_number
from evalsuite.scorers.opinions import (
    JudgeScorer,
    Opinion,
    PairwiseScorer,
    RewardModelScorer,
    is_opinion,
)
from evalsuite.scorers.overlap import BleuScorer, ChrfScorer
from evalsuite.scorers.placed import Placed
from evalsuite.scorers.python import PythonScorer, scorer
from evalsuite.scorers.refusal import RefusalScorer
from evalsuite.scorers.regex import RegexScorer
from evalsuite.scorers.rouge_l import RougeLScorer
from evalsuite.scorers.score import Score
from evalsuite.scorers.similarity import SimilarityScorer


def _named(value: Any) -> Any:
    """Allow `scorer: numeric` for `scorer: {kind: numeric}`."""
    return {"kind": value} if isinstance(value, str) else value


Scorer = (
    ExactScorer
    | NormalisedScorer
    | ContainsScorer
    | NumericScorer
    | JsonScorer
    | JsonSchemaScorer
    | RegexScorer
    | ConstraintsScorer
    | MathsScorer
    | CodeScorer
    | F1Scorer
    | RougeLScorer
    | ChrfScorer
    | BleuScorer
    | RefusalScorer
    | LengthScorer
    | LanguageScorer
    | SimilarityScorer
    | PythonScorer
)
ScorerConfig = Annotated[Scorer, Field(discriminator="kind"), BeforeValidator(_named)]
TaskScorer = Scorer | Opinion
TaskScorerConfig = Annotated[TaskScorer, Field(discriminator="kind"), BeforeValidator(_named)]
"""What a suite may name: opinions of other models too, which are asked for after all answers."""
Given = TypeVar("Given")


def compares(scorer: TaskScorer) -> bool:
    """Return whether the scorer looks at the gold answer, so that another's gold gets less."""
    return scorer.kind != "json_schema" and getattr(scorer, "compares", True)


def answer_of(scorer: TaskScorer | None, gold: str) -> str | None:
    """Return the gold as an answer that a model could give; None where it holds none.

    Of checks and of the code of a language there is none; of tests it is the solution beside them.

    >>> answer_of(None, "Paris"), answer_of(LanguageScorer(), "de")
    ('Paris', None)
    """
    if scorer is None or not compares(scorer):
        return gold if gold.strip() else None
    if isinstance(scorer, ConstraintsScorer | LanguageScorer):
        return None
    if isinstance(scorer, CodeScorer):
        gold = "" if scorer.refusal(gold) else scorer.right_answer(gold) or ""
    return gold if gold.strip() else None


def demand(scorer: TaskScorer) -> str:
    """Return what a person should know of how the scorer works here, or nothing.

    Raises:
        UsageError: it does not work on this machine: a library, file or isolation is missing.
    """
    asked: Callable[[], str] = getattr(scorer, "demand", str)
    return asked()


def placed(scorer: Given, base_dir: Path) -> Given:
    """Return the scorer with its files and folders relative to a directory."""
    return cast("Given", scorer.at(base_dir)) if isinstance(scorer, Placed) else scorer


def content(scorer: TaskScorer | None) -> str:
    """Return the SHA-256 of the file or folder that the scorer names; empty where it names none.

    Raises:
        UsageError: it is not there.
    """
    return scorer.digest if isinstance(scorer, Placed) else ""


__all__ = [
    "BleuScorer",
    "ChrfScorer",
    "CodeScorer",
    "ConstraintsScorer",
    "ContainsScorer",
    "ExactScorer",
    "F1Scorer",
    "JsonSchemaScorer",
    "JsonScorer",
    "JudgeScorer",
    "LanguageScorer",
    "LengthScorer",
    "MathsScorer",
    "NormalisedScorer",
    "NumericScorer",
    "Opinion",
    "PairwiseScorer",
    "PythonScorer",
    "RefusalScorer",
    "RegexScorer",
    "RewardModelScorer",
    "RougeLScorer",
    "Score",
    "Scorer",
    "ScorerConfig",
    "SimilarityScorer",
    "TaskScorer",
    "TaskScorerConfig",
    "answer_of",
    "compares",
    "content",
    "demand",
    "is_opinion",
    "last_number",
    "placed",
    "scorer",
]
