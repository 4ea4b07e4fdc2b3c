"""Scorers: pure functions from an output and an item to a score.

Adding one is adding a file and its line in `Scorer`: the schema shows it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from evalsuite.scorers.code import CodeScorer
from evalsuite.scorers.contains import ContainsScorer
from evalsuite.scorers.exact import ExactScorer
from evalsuite.scorers.json_fields import JsonScorer
from evalsuite.scorers.json_schema import JsonSchemaScorer
from evalsuite.scorers.maths import MathsScorer
from evalsuite.scorers.normalised import NormalisedScorer
from evalsuite.scorers.numeric import NumericScorer, last_number
from evalsuite.scorers.regex import RegexScorer
from evalsuite.scorers.score import Score


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
    | MathsScorer
    | CodeScorer
)
ScorerConfig = Annotated[Scorer, Field(discriminator="kind"), BeforeValidator(_named)]


def compares(scorer: Scorer) -> bool:
    """Return whether the scorer looks at the gold answer, so that another's gold gets less."""
    return scorer.kind != "json_schema" and getattr(scorer, "compares", True)


def demand(scorer: Scorer) -> str:
    """Return what a person should know of how the scorer works here, or nothing.

    Raises:
        UsageError: it does not work on this machine: a library or isolation is missing.
    """
    return scorer.demand() if isinstance(scorer, CodeScorer | MathsScorer) else ""


__all__ = [
    "CodeScorer",
    "ContainsScorer",
    "ExactScorer",
    "JsonSchemaScorer",
    "JsonScorer",
    "MathsScorer",
    "NormalisedScorer",
    "NumericScorer",
    "RegexScorer",
    "Score",
    "Scorer",
    "ScorerConfig",
    "compares",
    "demand",
    "last_number",
]
